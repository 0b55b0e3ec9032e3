"""One run: plan it, compute what is missing, judge the whole. The command line, Python and every executor call this."""

from __future__ import annotations

import glob
import platform
import shlex
from collections.abc import Callable, Collection, Generator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast, get_args

from erlangen.errors import ErlangenError
from erlangen.experiments import load as load_experiment, module_name
from erlangen.experiments.kit.recipe import Settings, choose_recipe, parse_settings
from erlangen.experiments.user_code import user_code
from erlangen.records.runs import Job, JobResult, Precision
from erlangen.sweep.check_conclusions import check_claims
from erlangen.sweep.conclude import conclude
from erlangen.sweep.differences import changes, folder_name
from erlangen.sweep.load import LoadedRun, load
from erlangen.sweep.local import Done, Failed, execute
from erlangen.sweep.machine import cores
from erlangen.sweep.plan import Plan, prepare


class Progress(Protocol):
    """Shows how far a run is; `advance` is called for every job that ends."""

    def advance(self, job: Job) -> object: ...


ProgressFactory: TypeAlias = Callable[[Collection[Job], int], AbstractContextManager[Progress]]


def run(
    name: str,
    *,
    preset: str = "quick",
    seeds: int | None = None,
    settings: Settings | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    precision: str = "float32",
    device: str = "cpu",
    timeout: float | None = None,
    fresh: bool = False,
    force: bool = False,
    command: str = "",
    notify: Callable[[str], None] | None = None,
    progress: ProgressFactory | None = None,
) -> LoadedRun:
    """Run an experiment, or resume it: compute the jobs that have no result yet, judge all results, write the page.

        erlangen.run("padding", preset="standard", seeds=5, settings={"epochs": 20})

    name: an experiment of ours, or a package of your own. settings: changes to the preset's recipe, with the keys and values of
    `--set`. seeds: number of seeds, in place of the recipe's. out: result folder; default runs/NAME-PRESET, with the changed
    keys and their values behind it if there are any, so that a changed recipe replaces nothing. workers: number of processes;
    default one per core, or one for a GPU. timeout: seconds after which a job is ended and has failed. notify: called with each
    line of progress. progress: called with the jobs to compute and the number of workers; it returns a context manager
    whose object has `advance(job)`, which is called for every job that ends.

    fresh: recompute every job of this recipe. Use it after a data file has changed: a job's key covers the code that computes
    it, but not the files that this code reads.

    force: replace the verdicts and the page of another run. By default a folder is refused, before anything is computed, if it
    holds those of another recipe, preset, precision or device, so that nothing is overwritten by accident. More seeds of the same
    recipe are accepted, because they only add to it, and so are changed code and another recipe with the very same jobs, such as
    one that changes an edge. The results of single jobs are kept in any case
    (unless `fresh` recomputes them), so that returning to an earlier recipe computes nothing.

    Returns the finished run; its `failed` lists the jobs that failed. Raises ErlangenError for whatever you can fix, and
    UserCodeError for an exception in an experiment of your own.
    """
    say = notify or ignore
    if precision not in get_args(Precision):
        *others, last = get_args(Precision)
        raise ErlangenError(f"--precision {precision}: choose {', '.join(others)} or {last}")
    with user_code(module_name(name)):
        presets = load_experiment(name).PRESETS
        recipe = choose_recipe(presets, preset, settings, seeds)
        check_claims(name)
    if device == "auto":
        device = best_device_of(name)
        say(f"device: {device}")
    plain = Path("runs") / folder_name(name, preset, {})
    folder = Path(out) if out else Path("runs") / folder_name(name, preset, changes(presets[preset], recipe))
    plan = prepare(
        name, recipe, preset=preset, folder=folder, command=command or equivalent_command(name, preset, seeds, settings, out),
        workers=workers or (cores() if device == "cpu" else 1), precision=cast(Precision, precision), device=device, notify=say,
        fresh=fresh, force=force, beside=() if out or folder == plain else neighbors(folder, name),
    )  # fmt: skip
    with plan.lock:
        say(plan.announcement())
        failed = compute_missing(plan, timeout, say, progress or silent)
        conclude(plan, say)
        from erlangen.report.page import write_page  # templates and charts, so only where there is something to show

        write_page(folder)
    return replace(load(folder), failed=failed)


def neighbors(folder: Path, name: str) -> list[Path]:
    """The other default folders of an experiment: a changed recipe has some jobs in common with them, if not all."""
    return sorted(other for other in folder.parent.glob(f"{glob.escape(name)}-*") if other != folder)


def best_device_of(name: str) -> str:
    """The best device of this machine that the jobs of an experiment can use."""
    from erlangen.train.precision import best_device  # torch, so only where it is asked for

    best = best_device()
    return best if best in getattr(load_experiment(name), "DEVICES", ("cpu",)) else "cpu"


def compute_missing(
    plan: Plan, timeout: float | None, say: Callable[[str], None], progress: ProgressFactory
) -> tuple[Failed, ...]:
    """Compute the jobs that have no result, showing progress. Returns those that failed."""
    failed, keys = [], {id(job): key for key, job in plan.todo.items()}
    with closing(perform(plan, timeout)) as outcomes, progress(list(plan.todo.values()), plan.workers) as shown:
        for outcome in outcomes:
            if isinstance(outcome, Failed):
                failed.append(outcome)
                file = plan.store.failure(keys[id(outcome.job)])
                say(f"failed: {outcome.job.label()}: {outcome.reason}; details in {file}")
            shown.advance(outcome.job)
    return tuple(failed)


def perform(plan: Plan, timeout: float | None) -> Generator[Done | Failed, None, None]:
    """Compute the jobs that have no result. Each result, or the reason why there is none, is written before it is yielded."""
    keys = {id(job): key for key, job in plan.todo.items()}
    for outcome in execute(list(plan.todo.values()), plan.workers, timeout):
        job, key = outcome.job, keys[id(outcome.job)]
        if isinstance(outcome, Failed):
            plan.store.save_failure(key, f"{job.label()}\n{outcome.reason}\n\n{outcome.details}")
        else:
            plan.store.save(
                JobResult(
                    key=key, experiment=job.experiment, params=job.params, seed=job.seed, precision=job.precision,
                    device=job.device, measurements=tuple(outcome.measurements), seconds=round(outcome.seconds, 2),
                    machine=platform.node(),
                )
            )  # fmt: skip
        yield outcome


def equivalent_command(name: str, preset: str, seeds: int | None, settings: Settings | None, out: str | Path | None) -> str:
    """The command that does the same as a call from Python, for the record of the run."""
    options: list[Any] = ["--preset", preset]
    options += ["--seeds", seeds] if seeds is not None else []
    for key, value in parse_settings(settings or []).items():
        options += ["--set", f"{key}={value}"]
    options += ["--out", out] if out else []
    return shlex.join(["erlangen", "run", name, *map(str, options)])


class Silent:
    """Progress that is not shown."""

    def advance(self, job: Job) -> None:
        pass


def silent(jobs: Collection[Job], workers: int) -> AbstractContextManager[Progress]:
    return nullcontext(Silent())


def ignore(line: str) -> None:
    pass
