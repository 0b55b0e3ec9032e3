"""Finished runs, read back from their folders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erlangen.records.rows import Rows
from erlangen.records.runs import Answer, Figure, JobResult, Run, Verdict
from erlangen.report.folder import read_answers, read_figures, read_run, read_verdicts
from erlangen.sweep.store import Store, read_result

if TYPE_CHECKING:
    from erlangen.sweep.local import Failed

COLUMNS = ("experiment", "seed", "precision", "device", "name", "value", "unit")  # beside a task's parameters


@dataclass(frozen=True, kw_only=True, repr=False)
class LoadedRun:
    """A finished run: its record, its verdicts, answers and figures, and what each of its jobs measured.

    results: one for each job that was measured. failed: the jobs that failed, if `erlangen.run` returned this object. Empty for
    a loaded folder, where `failures/` has one file for each failed job.
    """

    folder: Path
    run: Run
    verdicts: tuple[Verdict, ...]
    answers: tuple[Answer, ...]
    figures: tuple[Figure, ...]
    results: tuple[JobResult, ...]
    failed: tuple[Failed, ...] = ()

    def __repr__(self) -> str:
        counts = f"{len(self.verdicts)} verdicts, {len(self.results)} of {len(self.run.jobs)} jobs measured"
        return f"<{self.run.experiment}, preset {self.run.preset}, in {self.folder}: {counts}>"

    @cached_property
    def measurements(self) -> Rows:
        """One row per measurement: experiment, the task's parameters, seed, precision, device, name, value, unit.

        A measurement with several numbers (one per epoch, for example) is one row whose value is a tuple. Parameters that a task
        does not have are None. A parameter with the name of another column is prefixed with `task_`.
        """
        return measurement_rows(self.results)

    @cached_property
    def verdict_rows(self) -> Rows:
        """One row per verdict, its fields as columns: the ends of intervals and regions apart, the means of the arms as text."""
        return verdict_rows(self.run, self.verdicts)


def load(folder: str | Path) -> LoadedRun:
    """Load the finished run in a folder.

        erlangen.load("runs/padding-quick").measurements.to_pandas()

    Raises ErlangenError if the folder has none, OlderSchemaError or NewerSchemaError if another version of erlangen wrote it, and
    DamagedFileError if a file was truncated or edited.
    """
    folder = Path(folder)
    run = read_run(folder)
    store = Store(folder)
    return LoadedRun(
        folder=folder,
        run=run,
        verdicts=tuple(read_verdicts(folder)),
        answers=tuple(read_answers(folder)),
        figures=read_figures(folder).figures,
        results=tuple(read_result(store.path(key), key) for key in run.jobs if store.path(key).exists()),
    )


def measurement_rows(results: Iterable[JobResult]) -> Rows:
    """See `LoadedRun.measurements`."""
    results = list(results)
    blank = {column_of(name): None for result in results for name in result.params}
    return Rows(
        {
            "experiment": result.experiment,
            **blank,
            **{column_of(name): value for name, value in result.params.items()},
            "seed": result.seed,
            "precision": result.precision,
            "device": result.device,
            "name": measurement.name,
            "value": measurement.value,
            "unit": measurement.unit,
        }
        for result in results
        for measurement in result.measurements
    )


def column_of(parameter: str) -> str:
    return f"task_{parameter}" if parameter in COLUMNS else parameter


def verdict_rows(run: Run, verdicts: Iterable[Verdict]) -> Rows:
    """See `LoadedRun.verdict_rows`."""
    return Rows({"experiment": run.experiment, "preset": run.preset, **flat(verdict)} for verdict in verdicts)


def flat(verdict: Verdict) -> dict[str, Any]:
    """A verdict's fields, each a single value."""
    row: dict[str, Any] = {}
    for name, value in asdict(verdict).items():
        if name == "interval":
            row["low"], row["high"] = value or (None, None)
        elif name == "region":
            row["region_low"], row["region_high"] = value or (None, None)
        elif name == "groups":
            row[name] = "; ".join(mean_in_words(**group) for group in value)
        else:
            row[name] = value
    return row


def mean_in_words(name: str, mean: float | None, unit: str, interval: object) -> str:
    """'GCN 81.5 %'"""
    return f"{name} {'not measured' if mean is None else f'{mean:.4g} {unit}'}".rstrip()
