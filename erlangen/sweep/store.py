"""A folder of results. Each job writes its own file atomically, so that an interrupted run resumes where it stopped.

run.json          the command, recipe, versions, machine
jobs/<key>.json   what one job measured, with a checksum
failures/         why jobs of this run failed, one file each; gone once they succeed
verdicts.json     a list of verdicts; the same for the same jobs, whenever and however often the run was interrupted
answers.json      a list of answers, one for each claim
figures.json      the figures of the page
report.html       the page
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from erlangen.errors import DamagedFileError, ErlangenError, OlderSchemaError
from erlangen.records.files import canonical, from_json, read_json, to_json, write_atomically
from erlangen.records.runs import Answer, Figures, JobResult, Run, Verdict
from erlangen.sweep.differences import differences, judges_only
from erlangen.sweep.lock import lock

REMEDY = "name another folder with --out, or replace what it holds with --force (in Python: out=..., force=True)"
CONCLUSIONS = ("verdicts.json", "answers.json", "figures.json", "report.html")


@dataclass(frozen=True)
class Store:
    """The results in `folder`."""

    folder: Path

    def open(self, run: Run, force: bool = False, notify: Callable[[str], None] = lambda line: None) -> IO[str]:
        """Make the folder and say in it what is being run; returns the lock that keeps other runs out while it is open.

        Raises ErlangenError where another run is using it, where it cannot be written, and, without `force`, where it holds what
        must not be replaced: another experiment, the conclusions of another recipe, or a folder of an older version. Another
        recipe with the very same jobs only judges them anew: that is accepted, and said through `notify`.
        """
        held = lock(self.folder / "run.lock")
        try:
            self.make_way(run, force, notify)
            write_atomically(self.folder / "run.json", pretty(to_json(run)))
        except BaseException:
            held.close()
            raise
        return held

    def make_way(self, run: Run, force: bool, notify: Callable[[str], None]) -> None:
        """Forget the conclusions that were drawn from other jobs than those of `run`. Raises ErlangenError as `open` does."""
        path = self.folder / "run.json"
        if not path.exists():
            return
        try:
            before = from_json(Run, read_json(path), str(path))
        except OlderSchemaError:
            if not force:
                raise OlderSchemaError(f"{self.folder} was written by an older version of erlangen; {REMEDY}") from None
        except DamagedFileError:
            pass  # no job depends on it: it is written anew
        else:
            if before.experiment != run.experiment and not force:
                raise ErlangenError(f"{self.folder} holds results of {before.experiment!r}; {REMEDY}")
            changes = differences(before, run)
            concluded = any((self.folder / name).exists() for name in CONCLUSIONS)
            if changes and concluded and judges_only(before, run):
                notify(f"{self.folder}: the same results are judged again, by a changed recipe ({', '.join(changes)})")
            elif changes and concluded and not force:
                raise ErlangenError(f"{self.folder} holds the verdicts of another recipe ({', '.join(changes)}); {REMEDY}")
            if set(before.jobs) == set(run.jobs):
                return
        self.forget_conclusions()

    def forget(self, keys: Iterable[str]) -> None:
        """Remove the results of some jobs, and the conclusions drawn from them: the jobs are computed again."""
        for key in keys:
            self.path(key).unlink(missing_ok=True)
        self.forget_conclusions()

    def forget_conclusions(self) -> None:
        """Other jobs were asked for before: what was concluded from them must not stand beside the new ones."""
        for name in CONCLUSIONS:
            (self.folder / name).unlink(missing_ok=True)

    def take_over(self, other: Path, keys: Iterable[str]) -> int:
        """Copy the results of these jobs that another folder has and this one lacks, and count them; damaged ones stay there."""
        copied = 0
        for key in keys:
            source = Store(other).path(key)
            if source.exists() and not self.path(key).exists():
                with contextlib.suppress(ErlangenError):
                    self.save(read_result(source, key))
                    copied += 1
        return copied

    def save(self, result: JobResult) -> None:
        """Write one job's file; a failure of its before is forgotten."""
        data = to_json(result)
        write_atomically(self.path(result.key), pretty({**data, "checksum": checksum(data)}))
        self.failure(result.key).unlink(missing_ok=True)

    def save_failure(self, key: str, text: str) -> None:
        """Write why a job failed, for people to read."""
        write_atomically(self.failure(key), text)

    def failure(self, key: str) -> Path:
        return self.folder / "failures" / f"{key}.txt"

    def keep_failures(self, keys: Collection[str]) -> None:
        """Remove the failure files of all other jobs: of those that have succeeded since, and of code that has changed since.

        A job whose code has been mended has another key, so that its success alone would leave the old file in place.
        """
        folder = self.folder / "failures"
        for path in folder.glob("*.txt"):
            if path.stem not in keys:
                path.unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def load(self, keys: Iterable[str], notify: Callable[[str], None]) -> dict[str, JobResult]:
        """The results that are there, by key. A file that is not as it was written is set aside and named through `notify`."""
        found = {}
        for key in keys:
            path = self.path(key)
            if not path.exists():
                continue
            try:
                found[key] = read_result(path, key)
            except DamagedFileError as error:
                aside = set_aside(path)
                notify(f"{error}; set aside as {aside.name}, the job runs again")
        return found

    def path(self, key: str) -> Path:
        return self.folder / "jobs" / f"{key}.json"

    def conclude(self, verdicts: list[Verdict], answers: list[Answer], figures: Figures) -> None:
        """Write the verdicts, the answers and the figures of the page."""
        write_atomically(self.folder / "verdicts.json", pretty([to_json(verdict) for verdict in verdicts]))
        write_atomically(self.folder / "answers.json", pretty([to_json(answer) for answer in answers]))
        write_atomically(self.folder / "figures.json", pretty(to_json(figures)))


def read_result(path: Path, key: str) -> JobResult:
    """One job's file. Raises DamagedFileError where it is truncated, edited, or another job's."""
    data = read_json(path)
    claimed = data.pop("checksum", None) if isinstance(data, dict) else None
    result = from_json(JobResult, data, str(path))
    if claimed != checksum(data):
        raise DamagedFileError(f"{path}: edited after it was written (checksum)")
    if result.key != key:
        raise DamagedFileError(f"{path}: holds job {result.key}")
    return result


def set_aside(path: Path) -> Path:
    """Rename a damaged file to the first free `<name>.damaged`, `.damaged-2`, ...: nothing is thrown away."""
    aside, count = path.with_suffix(".damaged"), 1
    while aside.exists():
        count += 1
        aside = path.with_suffix(f".damaged-{count}")
    try:
        path.rename(aside)
    except OSError as error:
        raise ErlangenError(f"cannot set {path} aside: {error.strerror}") from None
    return aside


def checksum(data: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(data).encode()).hexdigest()[:16]


def pretty(data: object) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
