"""One run, or several as one pool of jobs: plan, compute what is missing, judge. The command line and Python call this."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import replace
from pathlib import Path

from erlangen.experiments.kit.recipe import Settings
from erlangen.records.runs import Job
from erlangen.sweep.compute import Progress, ProgressFactory, compute_missing
from erlangen.sweep.conclude import conclude
from erlangen.sweep.executor import Executor, Local
from erlangen.sweep.load import LoadedRun, load
from erlangen.sweep.local import Failed
from erlangen.sweep.plan import Plan, announcement
from erlangen.sweep.request import Request, planned


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
    executor: Executor | None = None,
    notify: Callable[[str], None] | None = None,
    progress: ProgressFactory | None = None,
) -> LoadedRun:
    """Run an experiment, or resume it: compute the jobs that have no result yet, judge all results, write the page.

        erlangen.run("padding", preset="standard", seeds=5, settings={"epochs": 20})

    name: an experiment of ours, or a package of your own. settings: changes to the preset's recipe, with the keys and values of
    `--set`. seeds: number of seeds, in place of the recipe's. out: result folder; default runs/NAME-PRESET, with the changed
    keys and their values behind it if there are any, so that a changed recipe replaces nothing. workers: number of processes;
    default one per core, or one for a GPU. timeout: seconds after which a job is ended and has failed. executor: what runs the
    jobs; default this machine, see `erlangen.sweep.ray` for a cluster. notify: called with each line of progress. progress:
    called with the jobs to compute and the number of workers; it returns a context manager whose object has `advance(job)`, which
    is called for every job that ends.

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
    request = Request(
        preset=preset, seeds=seeds, settings=settings, out=out, workers=workers, precision=precision, device=device,
        timeout=timeout, fresh=fresh, force=force, command=command,
    )  # fmt: skip
    result = run_all([name], request, executor=executor, notify=notify, progress=progress)[name]
    if isinstance(result, Exception):
        raise result
    return result


def run_all(
    names: Sequence[str],
    request: Request,
    *,
    executor: Executor | None = None,
    notify: Callable[[str], None] | None = None,
    progress: ProgressFactory | None = None,
) -> dict[str, LoadedRun | Exception]:
    """Run several experiments as one pool of jobs. Returns for each its finished run, or the error that it ended in.

    An experiment is judged as soon as its last job has ended. What ends one (its data are missing, its folder is in use, its
    judge raises an error) ends no other. `request.out` serves a single experiment only.
    """
    executor, say = executor or Local(), notify or ignore
    results: dict[str, LoadedRun | Exception] = {}
    with ExitStack() as locks:
        plans: list[Plan] = []
        for name in names:
            try:
                plans.append(planned(name, request, executor, say))
            except Exception as error:
                results[name] = error
            else:
                locks.enter_context(plans[-1].lock)
        for device in dict.fromkeys(plan.device for plan in plans):  # cores and a GPU are not filled alike
            pool = [plan for plan in plans if plan.device == device]
            workers = max(1, min(request.workers or executor.workers(device), sum(len(plan.todo) for plan in pool)))
            say(announcement(pool, workers))
            with closing(compute_missing(pool, executor, workers, request.timeout, say, progress or silent)) as ended:
                for plan, failed in ended:
                    results[plan.name] = finish(plan, failed, say)
                    if len(plans) > 1:
                        say(f"{plan.name}: {'not judged' if isinstance(results[plan.name], Exception) else 'judged'}")
    return {name: results[name] for name in names}


def finish(plan: Plan, failed: tuple[Failed, ...], say: Callable[[str], None]) -> LoadedRun | Exception:
    """Judge a run whose jobs have ended and write its page; the error in which that ended, if it did."""
    try:
        conclude(plan, say)
        from erlangen.report.page import write_page  # templates and charts, so only where there is something to show

        write_page(plan.store.folder)
        return replace(load(plan.store.folder), failed=failed)
    except Exception as error:
        return error


class Silent:
    """Progress that is not shown."""

    def advance(self, job: Job) -> None:
        pass


def silent(jobs: Collection[Job], workers: int) -> AbstractContextManager[Progress]:
    return nullcontext(Silent())


def ignore(line: str) -> None:
    pass
