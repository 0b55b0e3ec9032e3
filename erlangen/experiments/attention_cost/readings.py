"""What the jobs measured, by form and length: one job may have timed several of both."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from erlangen.experiments.attention_cost.tasks import Count, Memory, Pieces, Time
from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, by_seed, matches
from erlangen.experiments.kit.parts import Check
from erlangen.records.runs import Job, JobResult

PIECES = {"scores": "QKᵀ", "softmax": "softmax", "values": "weights · V"}
BYTES = {"float32": 4, "bfloat16": 2}
QUIET = "run it again on a quiet machine"


def arm(evidence: Evidence, kind: type, form: str, length: int, **fields: object) -> Arm:
    """The results, by seed, of the jobs of a task that measured a form at a length."""

    def covers(record: Job | JobResult) -> bool:
        return form in tuples(record, "forms") and length in tuples(record, "lengths")

    found = {result.seed: result for result in evidence.of(kind, **fields) if covers(result)}
    missing = [job.label() for job in evidence.missing if matches(job, kind, fields) and covers(job)]
    return Arm(f"{form}, {length:,} tokens", found, tuple(missing))


def tuples(record: Job | JobResult, name: str) -> tuple[object, ...]:
    """A parameter that is a list."""
    value = record.params.get(name)
    return tuple(value) if isinstance(value, list | tuple) else ()


def at(result: JobResult, form: str, name: str, length: int) -> float:
    """A form's measurement at a length; NaN where there is none."""
    values, lengths = result.values(f"{form} {name}"), tuples(result, "lengths")
    return values[lengths.index(length)] if length in lengths and len(values) == len(lengths) else math.nan


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The exponent: the slope of log(value) over log(size), by least squares; NaN where a value is not positive."""
    if len(values) != len(sizes) or not all(value > 0 and math.isfinite(value) for value in values):
        return math.nan
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def over_lengths(
    evidence: Evidence,
    kind: type,
    forms: Sequence[str],
    lengths: Sequence[int],
    value: Callable[[list[list[JobResult]]], float],
    **fields: object,
) -> Effect:
    """The mean over seeds of value(results of the first form by length, of the second, ...)."""
    arms = [arm(evidence, kind, form, length, **fields) for form in forms for length in lengths]
    n = len(lengths)
    effect = by_seed(lambda *results: value([list(results[i * n : (i + 1) * n]) for i in range(len(forms))]), *arms)
    names = f"{' and '.join(forms)}, {lengths[0]:,} to {lengths[-1]:,} tokens"
    seeds = tuple(f"{names}, seed{one.rpartition(' seed')[2]}" for one in effect.not_finite)
    return replace(effect, missing=tuple(dict.fromkeys(effect.missing)), not_finite=seeds)


def peak(evidence: Evidence, form: str, length: int, name: str = "both memory") -> float:
    """A form's memory at a length, or what else the memory jobs measured of it; NaN where none did."""
    results = list(arm(evidence, Memory, form, length).results.values())
    return at(results[0], form, name, length) if results else math.nan


def unheld(evidence: Evidence, forms: Sequence[str], lengths: Sequence[int]) -> tuple[str, ...]:
    """The memory jobs of these forms and lengths that gave no result."""
    labels = [label for form in forms for length in lengths for label in arm(evidence, Memory, form, length).missing]
    return tuple(dict.fromkeys(labels))


def mebibytes(evidence: Evidence, length: int) -> float:
    """What length × length numbers take, in MiB."""
    precision = next((result.precision for result in evidence.of(Time)), "float32")
    return length**2 * BYTES.get(precision, 4) / 2**20


def counted(evidence: Evidence, form: str, over: str) -> list[tuple[tuple[int, ...], JobResult]]:
    """(sizes, result) of each count of a form over a size."""
    found = []
    for result in evidence.of(Count, form=form, over=over):
        sizes = tuple(int(str(size)) for size in tuples(result, "sizes"))
        if len(sizes) == len(result.values("forward")) == len(result.values("both")):
            found.append((sizes, result))
    return found


def shaped(evidence: Evidence, form: str, over: str) -> list[tuple[int, int, int, float, float]]:
    """(n, w, d, multiply-adds forward, forward and backward) of each count of a form over a size."""
    found = []
    for sizes, result in counted(evidence, form, over):
        fixed = {name: int(str(result.params[name])) for name in ("length", "window", "features")}
        for size, forward, both in zip(sizes, result.values("forward"), result.values("both"), strict=True):
            shape = {**fixed, over: size}
            found.append((shape["length"], shape["window"], shape["features"], forward, both))
    return found


def constants(counts: Sequence[tuple[float, float]]) -> str:
    """The multiples of a unit that were counted, each once, to be written before it: '' for 1, '4·', '8 or 12 times '.

    counts: (multiply-adds, the unit).
    """
    multiples = sorted({count / unit for count, unit in counts})
    text = " or ".join(f"{multiple:g}" for multiple in multiples)
    return "" if text == "1" else f"{text} times " if len(multiples) > 1 else f"{text}·"


def blur(evidence: Evidence, *forms: str) -> float:
    """NaN, to be added to what is counted, where a count of these forms is not a finite number; else 0."""
    results = [result for form in forms for result in evidence.of(Count, form=form)]
    values = [value for result in results for name in ("forward", "both") for value in result.values(name) or (math.nan,)]
    return 0.0 if all(map(math.isfinite, values)) else math.nan


def uncounted(evidence: Evidence, *forms: str) -> tuple[str, ...]:
    """The counts of these forms that gave no result."""
    return tuple(job.label() for job in evidence.missing for form in forms if matches(job, Count, {"form": form}))


def steps(sizes: Sequence[int], values: Sequence[float]) -> list[tuple[int, int, float, float]]:
    """(smaller size, larger size, value at the smaller, value at the larger) for each two that follow."""
    pairs = zip(pairwise(sizes), pairwise(values), strict=True)
    return [(left, right, before, after) for (left, right), (before, after) in pairs]


def share(result: JobResult, features: int, pieces: Sequence[str] = tuple(PIECES)) -> float:
    """The share of the pieces' time that reads and writes take, in percent: what tiles in cache save."""
    return 100 * (1 - together(result, features, "tiled", pieces) / together(result, features, "whole", pieces))


def together(result: JobResult, features: int, way: str, pieces: Sequence[str] = tuple(PIECES)) -> float:
    """Seconds of the pieces, whole or tiled; NaN where one is not positive."""
    widths = tuples(result, "features")
    columns = [result.values(f"{piece} {way}") for piece in pieces]
    if features not in widths or not all(len(column) == len(widths) for column in columns):
        return math.nan
    seconds = [column[widths.index(features)] for column in columns]
    return math.fsum(seconds) if all(value > 0 for value in seconds) else math.nan


def device(evidence: Evidence) -> str:
    """Where the times were taken, in words."""
    timed = [result.device for result in evidence.of(Pieces)]
    return "one core of this CPU" if not timed or timed[0] == "cpu" else "this GPU"


def no_faults(faults: Sequence[float], most: int, evidence: Evidence) -> tuple[Check, ...]:
    """Whether no call of what was timed had more page faults than `most`; none on a GPU, which has no such pages."""
    if device(evidence) == "this GPU":
        return ()
    measured = bool(faults) and all(map(math.isfinite, faults))
    return (Check(f"at most {most:,} page faults a call", max(faults) <= most if measured else None),)
