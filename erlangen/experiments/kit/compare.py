"""From evidence to verdicts: guards first, then the one rule of `erlangen.statistics.regions`.

The intervals of all statistical parts of a claim hold together at 95 % (Bonferroni), so that what is shown is what decides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from erlangen.experiments.kit.evidence import NO_JOB
from erlangen.experiments.kit.parts import AllOf, AnyPart, Check, Exact, Part
from erlangen.experiments.kit.wording import with_minus_signs
from erlangen.records.runs import Ends, Outcome, Verdict
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import Region, simultaneous_level, units_needed

AGAIN = ": run the same command again to compute it"  # the sweep names the failure file in its place where the job failed
NAMED = 3  # jobs, seeds or parts that a message names before it counts the rest
PRACTICAL = 1000  # seeds beyond which nobody would run them
SHOWN: dict[Outcome, str] = {
    "refuted": "the part that fails most clearly",
    "inconclusive": "the undecided part that comes closest to failing",
    "supported": "the part that comes closest to failing",
}
"""Which part's numbers stand for those of all, by the outcome of that part."""


def decide(parts: Sequence[AnyPart]) -> list[Verdict]:
    """A verdict for each part, in their order. Raises ValueError where two parts of a claim have one name, or one is missing."""
    names = Counter((part.claim, part.part) for part in parts)
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"two parts are called {' '.join(twice[0])}")
    family = Counter(part.claim for part in parts if isinstance(part, Part))
    decided = {}
    for part in parts:
        if isinstance(part, Part):
            decided[part.claim, part.part] = statistical(part, simultaneous_level(family[part.claim]))
        elif isinstance(part, Exact):
            decided[part.claim, part.part] = exact(part)
    for part in parts:
        if isinstance(part, AllOf):
            if unknown := [name for name in part.parts if (part.claim, name) not in decided]:
                known = [name for claim, name in decided if claim == part.claim]
                raise ValueError(f"{part.claim} {part.part}: all of {unknown[0]!r}, but the parts are {named(known) or 'none'}")
            decided[part.claim, part.part] = all_of(part, [decided[part.claim, name] for name in part.parts])
    return [in_words(decided[part.claim, part.part]) for part in parts]


def in_words(verdict: Verdict) -> Verdict:
    """The verdict with real minus signs in its sentences."""
    corrected = with_minus_signs(verdict.corrected) if verdict.corrected else verdict.corrected
    return replace(verdict, corrected=corrected, note=with_minus_signs(verdict.note))


def statistical(part: Part, level: float = 0.95) -> Verdict:
    """The verdict of one part, its interval at `level`."""
    blank = Verdict(
        claim=part.claim, part=part.part, of=part.of, kind="statistical", statement=part.statement, quote=part.quote,
        verdict="not measured", unit=part.unit, region=part.region.ends(), edge=part.region.why, groups=part.effect.groups,
        test=part.effect.test, note=part.note, published=part.published,
    )  # fmt: skip
    if part.effect.missing:
        return replace(blank, next_step=lacking(part.effect.missing))
    if part.effect.not_finite:
        return replace(blank, next_step=f"not a finite number: {named(part.effect.not_finite)}; {part.remedy}")
    interval = part.effect.interval(level)
    if not math.isfinite(interval.estimate):
        return replace(blank, next_step=f"nothing to estimate it from; {part.remedy}")
    judged = replace(
        blank, verdict="inconclusive", effect=interval.estimate, interval=known_ends(interval), level=level, n=interval.n,
        measured=interval.estimate if part.measured is None else part.measured,
    )  # fmt: skip
    if part.untrained:
        return replace(judged, next_step=f"not trained: {named(part.untrained)}; train for longer before comparing")
    if failed := failing(part.checks):
        return replace(judged, next_step=failed)
    outcome: Outcome = part.region.decide(interval)
    if outcome == "inconclusive":
        return replace(judged, next_step=undecided(part, interval, level))
    corrected = part.corrected(interval) if callable(part.corrected) else part.corrected
    return replace(
        judged, verdict=outcome, corrected=corrected if outcome == "refuted" and corrected else None,
        sensitive=sensitivity(part.region, interval, part.limits()),
    )  # fmt: skip


def exact(part: Exact) -> Verdict:
    """The verdict of one counted part."""
    blank = Verdict(
        claim=part.claim, part=part.part, of=part.of, kind="exact", statement=part.statement, quote=part.quote,
        verdict="not measured", unit=part.unit, region=part.region.ends(), edge=part.region.why, test=part.test, note=part.note,
        published=part.published,
    )  # fmt: skip
    if part.missing:
        return replace(blank, next_step=lacking(part.missing))
    if not (part.cases > 0 and math.isfinite(part.count)):
        return replace(blank, next_step="no case was counted")
    counted = replace(
        blank, verdict="inconclusive", effect=part.count, interval=(part.count, part.count), n=int(part.cases),
        measured=part.count,
    )  # fmt: skip
    if failed := failing(part.checks):
        return replace(counted, next_step=failed)
    outcome = part.region.decide(Interval(part.count, part.count, part.count, int(part.cases)))
    return replace(counted, verdict=outcome, corrected=part.corrected if outcome == "refuted" and part.corrected else None)


def all_of(part: AllOf, verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict over several; its numbers are those of the part that decides it."""
    if not verdicts:
        raise ValueError(f"{part.claim} {part.part}: all of no parts")
    order: tuple[Outcome, ...] = ("refuted", "not measured", "inconclusive", "supported")
    weakest = min(verdicts, key=lambda verdict: (order.index(verdict.verdict), tightness(verdict)))
    outcome = weakest.verdict
    against = [verdict.part for verdict in verdicts if verdict.verdict == outcome]
    next_step = "" if outcome == "supported" else because(outcome, against)
    shown = f" Shown: {weakest.part}, {SHOWN[outcome]}." if outcome in SHOWN else ""
    if outcome in ("supported", "refuted") and (failed := failing(part.checks)):
        outcome, next_step = "inconclusive", failed
    return replace(
        weakest, part=part.part, of=part.of, statement=part.statement, quote=part.quote, verdict=outcome, next_step=next_step,
        corrected=part.corrected if outcome == "refuted" and part.corrected else None, sensitive="",
        kind="statistical" if any(verdict.kind == "statistical" for verdict in verdicts) else "exact",
        note=part.note or f"All {len(verdicts)} parts must hold.{shown}",
    )  # fmt: skip


def tightness(verdict: Verdict) -> float:
    """How far the interval is inside its region, over its own width: first the clearest failure, last the clearest support."""
    if verdict.interval is None or verdict.region is None or None in verdict.interval:
        return math.inf
    low, high = (float(end or 0.0) for end in verdict.interval)
    left, right = verdict.region
    room = min(math.inf if left is None else low - left, math.inf if right is None else right - high)
    return room / (high - low) if high > low else math.copysign(math.inf, room)  # a count has no width


def failing(checks: Sequence[Check]) -> str:
    """Which checks did not pass, in words; '' where all did."""
    failed = [check.name for check in checks if check.passed is False]
    unknown = [check.name for check in checks if check.passed is None]
    texts = [f"a check failed: {', '.join(failed)}"] if failed else []
    texts += [f"a check was not measured: {', '.join(unknown)}"] if unknown else []
    return "; ".join(texts)


def sensitivity(region: Region, interval: Interval, bounds: tuple[float, float] = (-math.inf, math.inf)) -> str:
    """How the verdict changes when the edge is halved or doubled; '' where it stays.

    bounds: the least and the most that the quantity can be. An edge on them or beyond is left out, because the data have no
    part in what it decides: no share exceeds 180 %, whatever is measured.
    """
    outcome = region.decide(interval)
    changed = []
    for factor, word in ((0.5, "half as large"), (2.0, "twice as large")):
        scaled = region.scaled(factor)
        possible = all(bounds[0] < end < bounds[1] for end in scaled.ends() if end is not None)
        if possible and (there := scaled.decide(interval)) != outcome:
            changed.append(f"{there} with an edge {word}")
    return ", ".join(changed)


def undecided(part: Part, interval: Interval, level: float) -> str:
    """What would decide a part that is inconclusive."""
    units = f"{part.effect.per}s"
    if interval.n < 2:
        return f"one {part.effect.per} shows no spread: use more {units}"
    if math.isnan(interval.low):
        return f"all {interval.n} {units} gave the same value, which says nothing about the spread"
    if math.isinf(interval.high - interval.low):
        return f"more {units} are needed; this run cannot tell how many"
    needed = units_needed(part.region, interval, level)
    if needed is None or needed > PRACTICAL:
        return f"the effect is too close to the edge for any practical number of {units}"
    return f"about {needed} {units} would decide"


def lacking(jobs: Sequence[str]) -> str:
    """Which jobs gave no result, and what to do about it."""
    return f"no result of {named(jobs)}{'' if jobs[0].endswith(NO_JOB) else AGAIN}"


def because(outcome: Outcome, parts: Sequence[str]) -> str:
    """'refuted because “a” is', 'not measured because “a”, “b”, “c” and 2 more are not'"""
    shown = [f"“{part}”" for part in parts[:NAMED]] + [f"{len(parts) - NAMED} more"] * (len(parts) > NAMED)
    subject = " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
    return f"{outcome} because {subject} {'are' if len(parts) > 1 else 'is'}{' not' * (outcome == 'not measured')}"


def named(names: Sequence[str]) -> str:
    """'a; b; c and 4 more': names may have commas of their own."""
    rest = len(names) - NAMED
    return "; ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def known_ends(interval: Interval) -> Ends:
    """An interval's ends for a record; None where they are unknown."""
    low, high = (end if math.isfinite(end) else None for end in (interval.low, interval.high))
    return low, high
