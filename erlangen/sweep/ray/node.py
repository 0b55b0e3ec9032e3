"""What a machine of a cluster does with the jobs that it is given: check that it may compute them, then compute them as locally.

Jobs run in a process of ours below the cluster's own, so that one that dies, hangs or exhausts the memory ends in the same words
as on one machine, and takes nothing else with it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from erlangen.data.files import VARIABLE
from erlangen.errors import ErlangenError
from erlangen.experiments import load, module_name
from erlangen.records.runs import Job
from erlangen.sweep.fingerprint import fingerprint
from erlangen.sweep.local import Done, Failed, Worker, pool

PACKAGES = ("torch", "numpy")  # they decide the numbers
_spare: list[Worker] = []  # at most one, from job to job


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What the jobs of an experiment find on the machine that plans the run, and must find wherever they run.

    versions: of Python and of packages. code: fingerprint of what computes the jobs. folder: the working directory. path: where
    modules are looked for. data: $ERLANGEN_DATA, or ''. files: files and folders that the jobs name, with their digests.
    """

    experiment: str
    versions: tuple[tuple[str, str], ...]
    code: str
    folder: str
    path: tuple[str, ...]
    data: str
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Refused:
    """Jobs that a machine may not compute: one line says why."""

    reason: str


def needs_of(experiment: str, jobs: Sequence[Job]) -> Needs:
    """What the jobs of an experiment need, as this machine has it."""
    reads = hasattr(load(experiment), "fetch")
    texts = {value for job in jobs if reads for value in job.params.values() if isinstance(value, str) and value}
    files = sorted(text for text in texts if Path(text).expanduser().exists())
    return Needs(
        experiment=experiment,
        versions=versions(),
        code=fingerprint(f"{module_name(experiment)}.run"),
        folder=os.getcwd(),
        path=tuple(map(os.path.abspath, sys.path)),
        data=os.path.abspath(Path(os.environ[VARIABLE]).expanduser()) if reads and os.environ.get(VARIABLE) else "",
        files=tuple((name, digest(name)) for name in files),
    )


def work(jobs: tuple[Job, ...], needs: Needs, timeout: float | None, fresh: bool) -> list[Done | Failed] | Refused:
    """The outcomes of jobs that belong together, computed here; with `fresh`, in a process of their own."""
    if reason := obstacle(needs):
        return Refused(f"{platform.node()} {reason}")
    return list(pool([jobs], 1, timeout, fresh, _spare))


@cache
def obstacle(needs: Needs) -> str:
    """Why this machine may not compute the jobs, beginning with a verb; '' where it may. Moves to their working directory."""
    for (name, theirs), (_, ours) in zip(needs.versions, versions(), strict=True):
        if ours != theirs:
            return f"has {name} {ours or 'not installed'}, and the machine that plans the run has {theirs}: install the same"
    if Path(needs.folder).is_dir():
        os.chdir(needs.folder)
    sys.path += [place for place in needs.path if place not in sys.path]  # where machines share folders; last, as a last resort
    try:
        code = fingerprint(f"{module_name(needs.experiment)}.run")
    except ErlangenError as error:
        return f"cannot load {needs.experiment}: {error}"
    if code != needs.code:
        shown = f"{code[:8]} here, {needs.code[:8]} on the machine that plans the run"
        return f"has other code of erlangen or {needs.experiment} (fingerprint {shown}): install the same on both"
    return missing_data(needs)


def missing_data(needs: Needs) -> str:
    """As `obstacle`, for the data that the jobs read; sets $ERLANGEN_DATA."""
    if needs.data:
        os.environ[VARIABLE] = needs.data
    for name, theirs in [(needs.data, "")] * bool(needs.data) + list(needs.files):
        place = Path(needs.folder, Path(name).expanduser())
        if not place.exists():
            return f"does not have {place}: put the data into a folder that all machines share"
        if theirs and digest(name) != theirs:
            return f"has another {place} than the machine that plans the run: share one folder"
    return ""


def versions() -> tuple[tuple[str, str], ...]:
    """Of Python, without the patch, and of the packages that decide the numbers; '' for one that is not installed."""
    return ("Python", ".".join(platform.python_version_tuple()[:2])), *((name, version(name)) for name in PACKAGES)


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def digest(name: str) -> str:
    """SHA-256 of a file, or of the names and sizes of a folder's files."""
    path = Path(name).expanduser()
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    listing = [f"{file.relative_to(path)} {file.stat().st_size}" for file in sorted(path.rglob("*")) if file.is_file()]
    return hashlib.sha256("\n".join(listing).encode()).hexdigest()
