"""Measurements that are counted over the jobs of a task, rather than averaged over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.kit.evidence import Evidence, matches
from erlangen.records.runs import JobResult


def rows(results: Sequence[JobResult], name: str) -> list[tuple[float, ...]]:
    """A measurement of each result, numbers as tuples of one; [] where one lacks it or an entry is not finite."""
    entries = [result.values(name) or (result.value(name),) for result in results]
    return entries if all(math.isfinite(entry) for row in entries for entry in row) else []


def numbers(results: Sequence[JobResult], name: str) -> tuple[float, ...]:
    """All entries of a measurement, one result after the other; () where one lacks it or an entry is not finite."""
    return tuple(entry for row in rows(results, name) for entry in row)


def total(results: Sequence[JobResult], name: str) -> float:
    """The sum of all its entries; NaN where one result lacks it or an entry is not finite."""
    return math.fsum(numbers(results, name) or (math.nan,))


def sums(results: Sequence[JobResult], name: str) -> tuple[float, ...]:
    """A measurement added up over the results, entry by entry; () where one lacks it or an entry is not finite."""
    return tuple(math.fsum(column) for column in zip(*rows(results, name), strict=True))


def missing(evidence: Evidence, *kinds: type) -> tuple[str, ...]:
    """The jobs of these tasks that gave no result."""
    return tuple(job.label() for kind in kinds for job in evidence.missing if matches(job, kind, {}))
