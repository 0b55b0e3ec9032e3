"""`erlangen run`, `verdicts` and `report`: parsing and printing only."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from erlangen.cli.executors import Address, Cpus, Gpus, Kind, executor_for
from erlangen.cli.exit_codes import exit_code, worst
from erlangen.cli.outputs import Csv, Json, Outputs, as_json
from erlangen.cli.run_results import code_of, print_results, say_absent
from erlangen.cli.targets import check_recipes, complete, experiments_named
from erlangen.cli.terminal import Progress, Stopped, say
from erlangen.cli.verdict_text import print_claims
from erlangen.errors import USAGE, ErlangenError

if TYPE_CHECKING:
    from erlangen.sweep.executor import Executor
    from erlangen.sweep.load import LoadedRun
    from erlangen.sweep.request import Request

Option = typer.Option
Names = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Experiments, claims (C5), topics or all.", autocompletion=complete)
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, like runs/padding-quick.")]
Strict = Annotated[bool, Option("--strict", help="Exit 1 if a claim is refuted or inconclusive.")]


def run(
    names: Names,
    preset: Annotated[str, Option(help="quick, standard or, where `list` shows it, full.")] = "quick",
    out: Annotated[Path | None, Option(metavar="DIR", help="Run folder. Default: runs/NAME-PRESET[-CHANGES].")] = None,
    seeds: Annotated[int | None, Option(min=1, help="Number of seeds, instead of the preset's.")] = None,
    settings: Annotated[list[str] | None, Option("--set", metavar="KEY=VALUE", help="Change one key of the recipe.")] = None,
    workers: Annotated[int | None, Option(min=1, help="Worker processes. Default: one per core or GPU.")] = None,
    device: Annotated[str, Option(help="auto, cpu, cuda or cuda:N.")] = "cpu",
    precision: Annotated[str, Option(help="float32, tf32 (GPU) or bfloat16.")] = "float32",
    job_timeout: Annotated[float | None, Option(min=0.1, metavar="S", help="Fail a job after this many seconds.")] = None,
    fresh: Annotated[bool, Option("--fresh", help="Recompute all results, even those at hand.")] = False,
    force: Annotated[bool, Option("--force", help="Replace the verdicts of another recipe.")] = False,
    strict: Strict = False,
    executor: Kind = "local",
    address: Address = None,
    job_cpus: Cpus = None,
    job_gpus: Gpus = None,
    json_file: Json = None,
) -> None:
    """Run experiments and judge their claims.

    NAME is an experiment (padding), a claim (C5), a topic (cnns, transformers, graphs), all, or a package of your own. An
    interrupted run resumes where it stopped. The jobs of several experiments run as one pool, here or with --executor ray on a
    cluster. `erlangen show NAME --keys` lists the keys of --set; a changed recipe has a
    folder of its own. Exit code 4: a job failed; 5: something was not measured.
    """
    from erlangen.records.files import to_json
    from erlangen.sweep.request import Request

    experiments = experiments_named(names)
    if out is not None and len(experiments) > 1:
        raise ErlangenError("--out names one folder, but several experiments are to run: leave it out, or run them one by one")
    check_recipes(names, experiments, preset, seeds, settings or [])
    outputs = Outputs({"--json": json_file})
    request = Request(
        preset=preset, seeds=seeds, settings=settings, out=out, workers=workers, precision=precision, device=device,
        timeout=job_timeout, fresh=fresh, force=force, command=shlex.join(["erlangen", *sys.argv[1:]]),
    )  # fmt: skip
    with executor_for(executor, address, job_cpus, job_gpus, experiments) as chosen:
        results = perform(experiments, request, chosen)
    if len(results) == 1 and isinstance(error := results[experiments[0]], Exception):
        raise error  # as for any other command
    finished = {name: result for name, result in results.items() if not isinstance(result, Exception)}
    contents = {"--json": lambda: as_json([to_json(verdict) for result in finished.values() for verdict in result.verdicts])}
    unwritten = outputs.write(contents)
    codes = [USAGE] * bool(unwritten) + [code_of(name, result, names, strict) for name, result in results.items()]
    for name, result in finished.items() if outputs.to_stdout() else ():
        say_absent(name, result, names)
    outputs.print(contents, lambda: print_results(results, names))
    raise SystemExit(worst(codes))


def perform(experiments: Sequence[str], request: Request, executor: Executor) -> dict[str, LoadedRun | Exception]:
    """The experiments as one pool of jobs, with progress on stderr."""
    from erlangen.sweep.run import run_all

    try:
        return run_all(experiments, request, executor=executor, notify=say, progress=Progress)
    except Stopped as stopped:
        say(f"erlangen: {stopped}: every finished job is kept; run the same command again to resume")
        raise


def verdicts(
    folder: Folder,
    strict: Strict = False,
    markdown: Annotated[bool, Option("--markdown", help="Print answers and verdicts as Markdown.")] = False,
    csv_file: Csv = None,
    json_file: Json = None,
) -> None:
    """Print the verdicts of a finished run."""
    from erlangen.records.files import to_json
    from erlangen.report.folder import read_answers, read_run, read_verdicts
    from erlangen.report.markdown import verdicts_markdown
    from erlangen.sweep.load import verdict_rows

    outputs = Outputs({"--csv": csv_file, "--json": json_file})
    answers, judged = read_answers(folder), read_verdicts(folder)
    contents = {
        "--csv": lambda: verdict_rows(read_run(folder), judged).to_csv(),
        "--json": lambda: as_json([to_json(verdict) for verdict in judged]),
    }
    code = outputs.deliver(
        contents, lambda: print(verdicts_markdown(folder), end="") if markdown else print_claims(answers, judged)
    )
    raise SystemExit(code or exit_code(judged, False, strict))


def report(
    folder: Folder,
    figures: Annotated[str | None, Option(metavar="FORMAT", help="Export the figures as svg, png or pdf.")] = None,
    tables: Annotated[str | None, Option(metavar="FORMAT", help="Export the tables as csv, latex or markdown.")] = None,
    markdown: Annotated[bool, Option("--markdown", help="Print the report as Markdown; write nothing.")] = False,
) -> None:
    """Rebuild a run's page; export figures or tables."""
    from erlangen.report.folder import read_answers, read_figures, read_verdicts
    from erlangen.report.markdown import write_markdown
    from erlangen.report.page import write_page
    from erlangen.report.tables import export_tables, verdict_table

    if markdown:
        print(write_markdown(folder), end="")
        return
    exported: list[Path] = []
    titles: dict[str, str] = {}
    if figures is not None:
        from erlangen.report.charts import export

        exported += export(read_figures(folder), folder / "figures", figures)
    if tables is not None:
        judged = verdict_table(read_answers(folder), read_verdicts(folder))
        exported += export_tables([judged, *read_figures(folder).figures], folder / "tables", tables)
        titles |= {table.name: table.title for table in (judged, *read_figures(folder).figures)}
    for path in (write_page(folder), *exported):
        print(f"{path}  {titles[path.stem]}" if path.stem in titles else path)
