"""`erlangen run`, `verdicts` and `report`: parsing and printing only."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erlangen.cli.exit_codes import exit_code, worst
from erlangen.cli.outputs import Csv, Json, Outputs, as_json
from erlangen.cli.targets import check_recipes, complete, experiments_named
from erlangen.cli.terminal import Progress, Stopped, report_error, say
from erlangen.cli.verdict_text import print_claims, unmeasured
from erlangen.errors import USAGE, ErlangenError

if TYPE_CHECKING:
    from erlangen.records.runs import Claim
    from erlangen.sweep.load import LoadedRun

Option = typer.Option
Names = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Experiments, claims (C5), topics or all.", autocompletion=complete)
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, like runs/padding-quick.")]
Strict = Annotated[bool, Option("--strict", help="Exit 1 if a claim is refuted or inconclusive.")]


def run(
    names: Names,
    preset: Annotated[str, Option(help="Size of the recipe: quick or standard.")] = "quick",
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
    json_file: Json = None,
) -> None:
    """Run experiments and judge their claims.

    NAME is an experiment (padding), a claim (C5), a topic (cnns, transformers, graphs), all, or a package of your own. An
    interrupted run resumes where it stopped. `erlangen show NAME --keys` lists the keys of --set; a changed recipe has a
    folder of its own. Exit code 4: a job failed; 5: something was not measured.
    """
    from erlangen.records.files import to_json

    experiments = experiments_named(names)
    if out is not None and len(experiments) > 1:
        raise ErlangenError("--out names one folder, but several experiments are to run: leave it out, or run them one by one")
    check_recipes(experiments, preset, seeds, settings or [])
    outputs = Outputs({"--json": json_file})
    rows: list[object] = []
    contents = {"--json": lambda: as_json(rows)}
    codes = []
    for name in experiments:
        try:
            result = run_experiment(
                name, preset=preset, seeds=seeds, settings=settings, out=out, workers=workers, precision=precision,
                device=device, timeout=job_timeout, fresh=fresh, force=force,
            )  # fmt: skip
        except ErlangenError as error:
            if len(experiments) == 1:
                raise
            codes.append(report_error(error, f"{name}: "))  # one that lacks its data, say, does not stop the others
            continue
        rows += [to_json(verdict) for verdict in result.verdicts]
        asked = claims_named(names, result.run.claims)
        absent = unmeasured(asked, result.verdicts, result.answers)
        codes += [USAGE if outputs.write(contents) else 0, exit_code(result.verdicts, bool(result.failed), strict, absent)]
        if not outputs.to_stdout():
            print_claims(result.answers, result.verdicts, asked)
            print(f"\nReport: {result.folder / 'report.html'}", flush=True)
        elif absent:
            say(f"{name}: this run did not measure {', '.join(absent)}")
    outputs.print(contents, lambda: None)
    raise SystemExit(worst(codes))


def claims_named(names: Sequence[str], claims: Sequence[Claim]) -> list[str]:
    """The claims of an experiment that were asked for by their ids."""
    return [claim.id for claim in claims if claim.id.upper() in (name.upper() for name in names)]


def run_experiment(name: str, **options: Any) -> LoadedRun:
    """One experiment, with progress on stderr."""
    from erlangen.sweep.run import run as perform

    try:
        return perform(name, **options, command=shlex.join(["erlangen", *sys.argv[1:]]), notify=say, progress=Progress)
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
