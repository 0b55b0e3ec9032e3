"""From the results of fairytales to the numbers that verdicts and figures share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.fairytales import ARMS, CHARACTERS, PHRASE, WORDS
from erlangen.records.runs import JobResult


def books(results: Sequence[JobResult]) -> list[JobResult]:
    """Nets of the book, by seed."""
    return sorted((r for r in results if r.params["task"] == "book"), key=lambda r: r.seed)


def tales(results: Sequence[JobResult]) -> dict[str, list[JobResult]]:
    """Nets of few and of many tales, of the seeds that have both."""
    found = {arm: {r.seed: r for r in results if r.params.get("arm") == arm} for arm in ARMS}
    shared = sorted(set.intersection(*(set(by_seed) for by_seed in found.values())))
    return {arm: [by_seed[seed] for seed in shared] for arm, by_seed in found.items()}


def verbatim(result: JobResult, of: str, unit: str, n: int) -> float:
    """The share of n-grams found in the training text; of: held_out, last_published, ..."""
    lengths = {"characters": CHARACTERS, "words": WORDS}[unit]
    shares = result.values(f"{of}_verbatim_{unit}")
    return shares[lengths.index(n)] if len(shares) == len(lengths) else math.nan


def phrases(found: Sequence[JobResult], of: str) -> list[float]:
    return [verbatim(result, of, "words", PHRASE) for result in found]


def values(found: Sequence[JobResult], name: str) -> list[float]:
    return [result.value(name) for result in found]
