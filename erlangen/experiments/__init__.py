"""Experiments, one folder each. A folder that is here is an experiment; nothing else knows how many there are.

    __init__.py   TITLE, QUESTION, CLAIMS, PRESETS (name -> frozen Recipe), MEMORY_MB of one worker, jobs(recipe) -> [Job].
                  No torch, so that listing is instant. Optional: PRECISIONS and DEVICES that its portable jobs honor (default
                  float32 on the CPU), SPEEDUP (precision -> how many times as fast as float32, for estimates), SEEDS_AT_ONCE,
                  and fetch(recipe), which has data at hand before any job starts.
    tasks.py      the parameters of each kind of job, as frozen records (`kit.tasks`)
    run.py        run(job) -> [Measurement]. What it imports decides the jobs' keys, so it imports no wording, claim or color:
                  nothing of `__init__`, `judge` or `figures`. With SEEDS_AT_ONCE also run_many(jobs), for a GPU: jobs that differ
                  in their seeds alone, at most that many -> for each its measurements, or the error that it ended in.
    judge.py      verdicts(recipe, evidence) -> [Verdict], answers(recipe, evidence, verdicts) -> [Answer]
    figures.py    figures(recipe, evidence) -> [Figure]

A user's own experiment is a package with the same parts, named as Python imports it; the working directory is searched too.
"""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast

from erlangen.errors import ErlangenError
from erlangen.experiments.modules import find, is_users
from erlangen.experiments.user_code import user_code
from erlangen.records.runs import Answer, Claim, Figure, Job, Measurement, Precision, Verdict

if TYPE_CHECKING:
    from erlangen.experiments.kit.evidence import Evidence

PARTS = ("TITLE", "QUESTION", "CLAIMS", "PRESETS", "MEMORY_MB", "jobs")


class Experiment(Protocol):
    """What an experiment's `__init__.py` defines."""

    __name__: str
    TITLE: str
    QUESTION: str
    CLAIMS: tuple[Claim, ...]
    PRESETS: Mapping[str, Any]
    MEMORY_MB: int

    def jobs(self, recipe: Any) -> list[Job]: ...


class Runner(Protocol):
    """What its `run.py` defines."""

    def run(self, job: Job) -> list[Measurement]: ...


class ManyRunner(Runner, Protocol):
    """What the `run.py` of an experiment with SEEDS_AT_ONCE defines."""

    def run_many(self, jobs: Sequence[Job]) -> Sequence[list[Measurement] | ErlangenError]: ...


class Judge(Protocol):
    """What its `judge.py` defines."""

    def verdicts(self, recipe: Any, evidence: Evidence) -> list[Verdict]: ...

    def answers(self, recipe: Any, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]: ...


class Illustrator(Protocol):
    """What its `figures.py` defines."""

    def figures(self, recipe: Any, evidence: Evidence) -> list[Figure]: ...


def names() -> list[str]:
    """The experiments of the package, as typed on the command line."""
    folders = (module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    return sorted(name.replace("_", "-") for name in folders if name != "kit")


def is_ours(name: str) -> bool:
    """Whether an experiment is the package's own; any other is the user's code."""
    return name in names()


def module_name(name: str) -> str:
    """The package behind an experiment's name. Raises ErlangenError, with a suggestion, where there is none."""
    if is_ours(name):
        return f"{__name__}.{name.replace('-', '_')}"
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last, so that no file of the user's hides an installed package
    module = find(name)
    if module is not None and ("." in name or is_users(module)):  # `json` is a package, but no experiment
        if module.file is None or not module.folders:
            raise ErlangenError(f"{name} is not an experiment: an experiment is a package, a folder with an __init__.py")
        return name
    close = difflib.get_close_matches(name, names(), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"choose one of: {', '.join(names())}"
    where = "; a package of your own must be in the working directory or on PYTHONPATH" if "." in name or not close else ""
    raise ErlangenError(f"there is no experiment {name!r}; {hint}{where}")


def load(name: str) -> Experiment:
    """The experiment's claims, presets and jobs, without torch. Raises ErlangenError where a part is missing."""
    module = imported(name)
    missing = [part for part in PARTS if not hasattr(module, part)]
    if missing:
        raise ErlangenError(f"{name} is not an experiment: its __init__.py does not define {missing[0]}")
    return cast(Experiment, module)


def runner(name: str) -> Runner:
    """The part that computes; imports torch."""
    return cast(Runner, imported(name, ".run"))


def judge(name: str) -> Judge:
    """The part that concludes; needs results, not torch."""
    return cast(Judge, imported(name, ".judge"))


def illustrator(name: str) -> Illustrator:
    """The part that draws; needs results, not torch."""
    return cast(Illustrator, imported(name, ".figures"))


def imported(name: str, part: str = "") -> Any:
    """A part of an experiment. Raises UserCodeError where a user's own cannot be imported."""
    module = module_name(name)
    with user_code(module):
        return importlib.import_module(module + part)


def planned_jobs(name: str, recipe: Any, precision: Precision = "float32", device: str = "cpu") -> list[Job]:
    """The jobs of a recipe, each with its experiment, and, where it is portable, in the precision and on the device asked for.

    Raises ErlangenError where the jobs do not honor them, since a run never claims what it did not do, and UserCodeError where
    a user's `jobs` fails.
    """
    experiment = load(name)
    for option, asked, where, honored in (
        ("--precision", precision, "in", getattr(experiment, "PRECISIONS", ("float32",))),
        ("--device", device.split(":")[0], "on", getattr(experiment, "DEVICES", ("cpu",))),
    ):
        if asked not in honored:
            raise ErlangenError(f"{option} {asked}: the jobs of {name} run {where} {' or '.join(honored)} only")
    with user_code(module_name(name)):
        jobs = list(experiment.jobs(recipe))
        if strange := [job for job in jobs if not isinstance(job, Job)]:
            raise TypeError(f"jobs(recipe) gives a {type(strange[0]).__name__}: make jobs with kit.tasks.job")
    if (precision, device) != ("float32", "cpu") and not any(job.portable for job in jobs):
        raise ErlangenError(f"{name}: no job of this recipe is portable; leave --precision and --device out")
    carried = [replace(job, precision=precision, device=device) if job.portable else job for job in jobs]
    return [replace(job, experiment=name) for job in carried]
