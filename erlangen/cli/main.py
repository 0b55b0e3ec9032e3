"""The `erlangen` command: parsing and printing only. What is asked for goes to stdout, progress and faults to stderr."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, cast

import typer

from erlangen.cli import gpt as gpt_cli
from erlangen.cli.terminal import Stopped, emit, foresee_file, print_verdicts, say
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlangen.records.audit import AuditRecord
    from erlangen.records.runs import Verdict

app = typer.Typer(
    help="Which symmetries does a neural network really have? Run the claims, read the verdicts.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(gpt_cli.app, name="gpt")

# Typer may carry a copy of Click of its own: this is the class that it raises
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
EXIT_STRICT, EXIT_USAGE, EXIT_INTERNAL, EXIT_FAILED_JOB, EXIT_NOT_MEASURED = 1, 2, 3, 4, 5

Json = Annotated[str | None, typer.Option("--json", metavar="FILE", help="Results as JSON to a file; `-` prints them to stdout.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `erlangen run` wrote.")]
Preset = Annotated[str, typer.Option(help="quick or standard; `erlangen list` shows what they take.")]


@app.command("list")
def list_(target: Json = None) -> None:
    """Experiments: the claims they judge, their presets and how long those take on this machine's cores."""
    from erlangen import experiments
    from erlangen.sweep.machine import cores
    from erlangen.sweep.run import duration, expected_seconds

    listed = []
    width = max(map(len, experiments.names()))
    for name in experiments.names():
        experiment = experiments.load(name)
        claims = [claim.id for claim in experiment.CLAIMS]
        seconds = {
            preset: round(expected_seconds(experiment.jobs(recipe, "float32", "cpu"), cores()))
            for preset, recipe in experiment.PRESETS.items()
        }
        listed.append({"name": name, "title": experiment.TITLE, "claims": claims, "seconds": seconds})
        if target != "-":
            times = ", ".join(f"{preset} {duration(time)}" for preset, time in seconds.items())
            print(f"{name:<{width}}  {experiment.TITLE}\n{'':<{width}}  claims {', '.join(claims)} · {times} on {cores()} cores")
    emit(listed, target)


@app.command()
def show(
    claim_id: Annotated[str, typer.Argument(metavar="CLAIM", help="A claim, as C5.")],
    runs: Annotated[Path, typer.Option(help="Where run folders lie.")] = Path("runs"),
    target: Json = None,
) -> None:
    """A claim: what it says, how it is measured, and the latest verdict."""
    import difflib
    from dataclasses import asdict

    from erlangen import experiments
    from erlangen.report.folder import latest_verdicts

    claims = {claim.id: (name, claim) for name in experiments.names() for claim in experiments.load(name).CLAIMS}
    if claim_id.upper() not in claims:
        close = difflib.get_close_matches(claim_id.upper(), claims, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(claims)}"
        raise ErlangenError(f"no experiment here judges a claim {claim_id!r}; {hint}")
    name, claim = claims[claim_id.upper()]
    folder, verdicts = latest_verdicts(runs, claim.id)
    emit(
        {**asdict(claim), "experiment": name, "folder": folder and str(folder), "verdicts": [asdict(v) for v in verdicts]}, target
    )
    if target == "-":
        return
    print(f"{claim.id}  {claim.statement}\n\nHow: {claim.how}\nExperiment: {name}\n")
    if folder is None:
        print(f"Not measured yet in {runs}/: erlangen run {name}")
        return
    print(f"Latest, from {folder}:")
    print_verdicts(verdicts)


@app.command()
def run(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Experiments, as `erlangen list` names them.")],
    preset: Preset = "quick",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Result folder; default runs/NAME-PRESET.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds per row, instead of the preset's.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the recipe.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default one a core, or one for a GPU.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N or mps.")] = "cpu",
    precision: Annotated[str, typer.Option(help="float32, or bfloat16 where the hardware has it.")] = "float32",
    job_timeout: Annotated[float | None, typer.Option(min=0.1, metavar="S", help="Seconds after which a job has failed.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 unless every verdict is `supported`.")] = False,
    target: Json = None,
) -> None:
    """Run experiments, or go on where they stopped; write verdicts and a page."""
    from erlangen import experiments
    from erlangen.experiments.kit.recipe import override, parse_settings

    if out is not None and len(names) > 1:
        raise ErlangenError("--out names one folder, but several experiments are to run: leave it out, or run them one by one")
    if precision not in ("float32", "bfloat16"):
        raise ErlangenError(f"--precision {precision}: choose float32 or bfloat16")
    changes = parse_settings(settings or [])
    if seeds is not None:
        changes["seeds"] = str(seeds)
    recipes = {}
    for name in names:
        presets = experiments.load(name).PRESETS
        if preset not in presets:
            raise ErlangenError(f"--preset {preset}: {name} has {', '.join(presets)}")
        recipes[name] = override(presets[preset], changes)

    codes, everything = [], []
    for name, recipe in recipes.items():
        folder = out or Path("runs") / f"{name}-{preset}"
        code, verdicts = run_one(
            name, recipe, preset, folder, workers, device, precision, job_timeout, strict, quiet=target == "-"
        )
        codes.append(code)
        everything += verdicts
    if target is not None:
        from erlangen.records.files import to_json

        emit([to_json(verdict) for verdict in everything], target)
    raise SystemExit(worst(codes))


def run_one(
    name: str,
    recipe: object,
    preset: str,
    folder: Path,
    workers: int | None,
    device: str,
    precision: Literal["float32", "bfloat16"] | str,
    timeout: float | None,
    strict: bool,
    quiet: bool,
) -> tuple[int, list[Verdict]]:
    """One experiment from plan to page; returns its exit code and verdicts."""
    from erlangen import experiments
    from erlangen.cli.terminal import Progress
    from erlangen.report.page import write_page
    from erlangen.sweep.local import Failed
    from erlangen.sweep.machine import cores
    from erlangen.sweep.run import conclude, perform, prepare

    plan = prepare(
        name, experiments.load(name), recipe, preset=preset, folder=folder, command=shlex.join(["erlangen", *sys.argv[1:]]),
        workers=workers or (cores() if device == "cpu" else 1), precision=precision, device=device, notify=say,  # type: ignore[arg-type]
    )  # fmt: skip
    say(plan.announcement())
    failed: list[Failed] = []
    outcomes = perform(plan, timeout)
    try:
        with Progress(plan.todo.values(), plan.workers) as progress:
            for outcome in outcomes:
                if isinstance(outcome, Failed):
                    failed.append(outcome)
                    say(f"failed: {outcome.job.label()}: {outcome.reason}; traceback in {folder}/failures")
                progress.advance(outcome.job)
    except Stopped as stopped:
        say(f"{stopped}: every finished job is kept in {folder}; the same command goes on from there")
        raise
    finally:
        outcomes.close()  # type: ignore[attr-defined]
    verdicts = conclude(plan, say)
    page = write_page(folder)
    if not quiet:
        print_verdicts(verdicts)
        print(f"\nPage: {page}")
    return exit_code(verdicts, bool(failed), strict), verdicts


@app.command()
def verdicts(folder: Folder, strict: Annotated[bool, typer.Option("--strict")] = False, target: Json = None) -> None:
    """The verdicts of a finished run."""
    from erlangen.records.files import to_json
    from erlangen.report.folder import read_verdicts

    found = read_verdicts(folder)
    emit([to_json(verdict) for verdict in found], target)
    if target != "-":
        print_verdicts(found)
    raise SystemExit(exit_code(found, False, strict))


@app.command()
def report(
    folder: Folder,
    figures: Annotated[str | None, typer.Option(metavar="FORMAT", help="Write each figure as svg, png or pdf as well.")] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print claims and verdicts as Markdown, and write nothing.")
    ] = False,
) -> None:
    """Write the page of a finished run anew, and its figures for a paper."""
    from erlangen.report.charts import export
    from erlangen.report.folder import read_figures
    from erlangen.report.markdown import write_markdown
    from erlangen.report.page import write_page

    if markdown:
        print(write_markdown(folder))
        return
    print(write_page(folder))
    if figures is not None:
        for path in export(read_figures(folder), folder / "figures", figures):
            print(path)


@app.command()
def audit(
    target: Annotated[str, typer.Argument(metavar="MODEL", help="FILE.py:build, package.module:build or FILE.onnx.")],
    source: Annotated[
        str | None,
        typer.Option("--input", metavar="WHAT", help="A .npy, .npz or .pt file, a folder of pictures, or a shape as 3x224x224."),
    ] = None,
    symmetries: Annotated[
        list[str] | None,
        typer.Option("--symmetry", metavar="NAME", help="A check to make; may be repeated. Default: the domain's."),
    ] = None,
    domain: Annotated[
        str | None, typer.Option(help="images, texts, graphs, points or series, where it cannot be guessed.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="What counts as holding, in units of the spread of the output.")] = 0.1,
    only_exact: Annotated[bool, typer.Option("--only-exact", help="Exactness alone, on few inputs: fast.")] = False,
    baseline: Annotated[bool, typer.Option("--baseline", help="Measure a copy with fresh weights, too.")] = False,
    number: Annotated[int, typer.Option("-n", "--inputs", min=0, help="Inputs to make or to read; 0: all there are.")] = 32,
    elements: Annotated[int, typer.Option(min=1, help="Elements drawn for each input.")] = 8,
    vocabulary: Annotated[int | None, typer.Option(min=2, help="Tokens 0 ... N - 1 of a text.")] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    timeout: Annotated[float | None, typer.Option(min=0.1, metavar="S", help="Seconds after which the audit has failed.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for undecided checks, too.")] = False,
    page: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the page.")] = None,
    junit: Annotated[Path | None, typer.Option("--junitxml", metavar="FILE", help="Write JUnit XML for CI.")] = None,
    target_json: Json = None,
) -> None:
    """Which symmetries a model of yours has. Its code runs in a process of its own, with all the rights you have.

    Exit 1: broken; 4: the model or its inputs failed; 5: something asked was not measured.
    """
    from dataclasses import replace

    from erlangen.auditing.launch import foresee, launch

    foresee(target, source, threshold)
    files = [path for path in (page, junit, Path(target_json) if target_json not in (None, "-") else None) if path is not None]
    for path in files:
        foresee_file(path, files)
    say(f"running {target} in a process of its own; it may do whatever you may")
    try:
        record = launch(
            {
                "target": target, "input": source, "symmetries": symmetries or None, "domain": domain, "threshold": threshold,
                "only_exact": only_exact, "baseline": baseline, "n": number, "elements": elements, "vocabulary": vocabulary,
                "batch_size": batch_size, "seed": seed, "name": None,
            },
            timeout,
        )  # fmt: skip
    except Stopped as stopped:
        say(f"erlangen: {stopped}: the audit of {target} was not finished, and nothing was written")
        raise
    record = replace(record, command=shlex.join(["erlangen", *sys.argv[1:]]))
    unwritten = hand_over(record, page, junit, target_json)
    raise SystemExit(EXIT_USAGE if unwritten else record.exit_code(strict))


def hand_over(record: AuditRecord, page: Path | None, junit: Path | None, target_json: str | None) -> bool:
    """Print the record, then write each file that was asked for; a file that fails costs a line, and nothing of the others.

    True where one could not be written.
    """
    from erlangen.records.files import to_json, write_atomically
    from erlangen.report.audit_junit import audit_junit
    from erlangen.report.audit_text import audit_text

    as_json = json.dumps(to_json(record), indent=1, ensure_ascii=False)
    print(as_json if target_json == "-" else audit_text(record), flush=True)
    texts: list[tuple[Path, str]] = []
    if target_json not in (None, "-"):
        texts.append((Path(str(target_json)), as_json + "\n"))
    if junit is not None:
        texts.append((junit, audit_junit(record)))
    if page is not None:
        from erlangen.report.audit_page import audit_html

        texts.append((page, audit_html(record)))
    unwritten = False
    for path, text in texts:
        try:
            write_atomically(path, text)
        except ErlangenError as error:
            unwritten = True
            why = error.__cause__.strerror if isinstance(error.__cause__, OSError) else None
            say(f"erlangen: cannot write {path}: {why or error}; free space or name another place (the audit is printed above)")
        else:
            if path == page and target_json != "-":
                print(f"\nPage: {page}")
    return unwritten


def exit_code(verdicts: Sequence[Verdict], any_failed: bool, strict: bool) -> int:
    """4: a job failed; 5: something asked was not measured; 1, under --strict: a verdict is not `supported`; else 0."""
    outcomes = {verdict.verdict for verdict in verdicts}
    if any_failed:
        return EXIT_FAILED_JOB
    if "not measured" in outcomes or not verdicts:
        return EXIT_NOT_MEASURED
    if strict and outcomes & {"refuted", "inconclusive"}:
        return EXIT_STRICT
    return 0


def worst(codes: Sequence[int]) -> int:
    """The code of several experiments: failed jobs first, then what was not measured, then --strict."""
    return next((code for code in (EXIT_FAILED_JOB, EXIT_NOT_MEASURED, EXIT_STRICT) if code in codes), 0)


def stop(signum: int, frame: object) -> NoReturn:
    raise Stopped(signum)


def invoke() -> int | None:
    """Parse and run. Not `app()`, which would end a closed pipe with exit code 1 before anyone here sees it."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("erlangen", sys.argv[1:]) as context:
            return cast("int | None", command.invoke(context))
    except (SystemExit, typer.Exit) as done:
        return cast("int | None", done.code if isinstance(done, SystemExit) else done.exit_code)


def abandon_stdout() -> None:
    """Nobody reads it, or it is full: what is left in its buffer must not raise again when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> NoReturn:
    """Run the command; turn every fault into one line and its exit code."""
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        code = invoke()
        sys.stdout.flush()  # here, where what it raises can still be told
    except ErlangenError as error:
        say(f"erlangen: {error}")
        sys.exit(error.exit_code)
    except UsageError as error:
        message = error.format_message().rstrip(".")  # of a bare `erlangen`: the help itself
        say(message if message.startswith("Usage:") else f"erlangen: {message}; see erlangen --help")
        sys.exit(EXIT_USAGE)
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
    except BrokenPipeError:  # `erlangen … | head`
        abandon_stdout()
        sys.exit(0)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            say("erlangen: cannot write to standard output: no space left on its device; free space or send it elsewhere")
            abandon_stdout()
            sys.exit(EXIT_USAGE)
        traceback.print_exc()
        say(f"erlangen: internal error: {type(error).__name__}: {error}; please report it with the lines above")
        sys.exit(EXIT_INTERNAL)
    sys.exit(code or 0)
