"""Experiments, one a folder. A folder that is here is an experiment; nothing else knows how many there are.

    __init__.py   TITLE, CLAIMS, PRESETS (name -> frozen Recipe), MEMORY_MB a worker, jobs(recipe, precision, device) -> [Job].
                  No torch: listing is instant. Optional: fetch(recipe) has data files at hand before any job starts.
    run.py        run(job) -> [Measurement]. Its imports decide the jobs' keys: what it does not import recomputes nothing.
    judge.py      verdicts(recipe, results) -> [Verdict], findings(recipe, results, verdicts) -> Findings with figures.

A dotted name is a module of the user's own with the same three parts.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from erlangen.errors import ErlangenError
from erlangen.records.runs import Claim, Findings, Job, JobResult, Measurement, Verdict


class Experiment(Protocol):
    """What an experiment's `__init__.py` holds."""

    __name__: str
    TITLE: str
    CLAIMS: tuple[Claim, ...]
    PRESETS: Mapping[str, Any]
    MEMORY_MB: int

    def jobs(self, recipe: Any, precision: str, device: str) -> list[Job]: ...


class Runner(Protocol):
    """What its `run.py` holds."""

    def run(self, job: Job) -> list[Measurement]: ...


class Judge(Protocol):
    """What its `judge.py` holds. Both see the results of the jobs asked for, as many as there are."""

    def verdicts(self, recipe: Any, results: Sequence[JobResult]) -> list[Verdict]: ...

    def findings(self, recipe: Any, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings: ...


def names() -> list[str]:
    """The experiments of the package, as typed on the command line."""
    folders = (module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    return sorted(name.replace("_", "-") for name in folders if name != "kit")


def module_name(name: str) -> str:
    """The module behind an experiment's name. Raises ErlangenError, with a suggestion, where there is none."""
    if "." in name:
        try:
            found = importlib.util.find_spec(name) is not None
        except ImportError:
            found = False
        if not found:
            raise ErlangenError(f"no module {name!r} to import: is its folder on PYTHONPATH?")
        return name
    if name not in names():
        close = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names())}"
        raise ErlangenError(f"no experiment {name!r}; {hint}")
    return f"{__name__}.{name.replace('-', '_')}"


def load(name: str) -> Experiment:
    """The experiment's claims, presets and jobs, without torch."""
    module = importlib.import_module(module_name(name))
    missing = [part for part in ("TITLE", "CLAIMS", "PRESETS", "MEMORY_MB", "jobs") if not hasattr(module, part)]
    if missing:
        raise ErlangenError(f"{name} is no experiment: its __init__.py lacks {missing[0]}")
    return cast(Experiment, module)


def runner(name: str) -> Runner:
    """The part that computes; imports torch."""
    return cast(Runner, importlib.import_module(f"{module_name(name)}.run"))


def judge(name: str) -> Judge:
    """The part that concludes; needs results, not torch."""
    return cast(Judge, importlib.import_module(f"{module_name(name)}.judge"))
