"""The parts of T5 that a clock decides, and the sizes that are counted."""

from __future__ import annotations

import math

from erlangen.experiments.kit.counts import missing
from erlangen.experiments.kit.evidence import Arm, Evidence, by_seed
from erlangen.experiments.kit.parts import Check, Exact, Part
from erlangen.experiments.mlp_shape import DEEP, DEPTHS, WIDE, Recipe
from erlangen.experiments.mlp_shape.evidence import TOLERANCE, unequal
from erlangen.experiments.mlp_shape.net_parts import said
from erlangen.experiments.mlp_shape.tasks import Learn, Speed, inner_width
from erlangen.records.runs import Group, JobResult
from erlangen.statistics.regions import exceeds

JUDGED = (1, 2)  # numbers of threads of which a part speaks


def speeds(recipe: Recipe, evidence: Evidence) -> list[Part]:
    """On each number of threads that was timed; of wider nets on one."""
    parts = [
        speed(recipe, evidence, f"speed, {threads} thread{'s' * (threads > 1)}", threads, recipe.width) for threads in JUDGED
    ]
    kept = [part for part, threads in zip(parts, JUDGED, strict=True) if threads in recipe.threads]
    return [*kept, speed(recipe, evidence, "speed, wider nets", 1, recipe.wider)]


def speed(recipe: Recipe, evidence: Evidence, part: str, threads: int, width: int) -> Part:
    """The ratio of tokens per second of the wide and the deep shape, each process a pair."""
    arm = evidence.arm(Speed, threads=threads, width=width)
    effect = by_seed(
        lambda result: log_ratio(result),
        arm,
        test="t interval over processes of log ratios",
        groups=[rate_group(arm, depth, width) for depth in (WIDE, DEEP)],
    ).exp()
    return Part(
        **said(recipe, part),
        effect=effect,
        region=exceeds(recipe.faster - 1, than=1.0, why="a smaller gain of speed does not matter"),
        unit="times the deep shape's tokens per second",
        checks=(quiet(recipe, arm), threaded(arm, threads)),
        corrected=lambda gain: f"The wide shape's speed is {gain.estimate:.2f} times the deep one's.",
        note=f"Whole training steps, width {width}, {WIDE} × {inner_width(width, WIDE)} and {DEEP} × {inner_width(width, DEEP)}.",
        remedy="run it again on a quiet machine",
    )


def tokens_per_second(result: JobResult, depth: int) -> float:
    """NaN where it was not timed."""
    rates = result.values("tokens_per_second")
    return rates[DEPTHS.index(depth)] if len(rates) == len(DEPTHS) else math.nan


def log_ratio(result: JobResult) -> float:
    """log(wide / deep); NaN where one was not timed."""
    wide, deep = (tokens_per_second(result, depth) for depth in (WIDE, DEEP))
    return math.log(wide / deep) if wide > 0 and deep > 0 else math.nan


def rate_group(arm: Arm, depth: int, width: int) -> Group:
    """A shape's mean for the record of a verdict."""
    mean = arm.mean(lambda result: tokens_per_second(result, depth))
    known = None if math.isnan(mean.estimate) else mean.estimate
    ends = tuple(None if math.isnan(end) else end for end in (mean.low, mean.high))
    return Group(name=f"{depth} × {inner_width(width, depth)}", mean=known, interval=(ends[0], ends[1]), unit="tokens per second")


def quiet(recipe: Recipe, arm: Arm) -> Check:
    """Whether the machine left the steps alone: typical times near the least."""
    slowdowns = list(arm.values("slowdown").values())
    passed = all(slowdown <= recipe.slowdown for slowdown in slowdowns) if slowdowns else None
    return Check("a quiet machine (typical times near the least)", passed)


def threaded(arm: Arm, threads: int) -> Check:
    """Whether torch had the threads that it was to have."""
    used = set(arm.values("threads").values())
    return Check(f"{threads} of torch's threads", used == {threads} if used else None)


def equal_sizes(recipe: Recipe, evidence: Evidence) -> Exact:
    """Nets of another size; that of an MLP with as many layers and no narrower would be seen."""
    wrong, of = unequal(evidence)
    unequal_width = inner_width(recipe.width, WIDE)
    grown = (DEEP - 1) * unequal_width**2  # what the deep MLP would have more, were it as wide
    sizes = [result.value("parameters") for result in evidence.of(Learn)]
    seen = bool(sizes) and recipe.layers * grown > TOLERANCE * sizes[0]
    return Exact(
        **said(recipe, "equal size", "control"),
        cases=of,
        count=wrong,
        missing=missing(evidence, Learn),
        checks=(Check("a deep MLP that is as wide would differ", seen),),
        unit="nets that differ",
        test=f"parameters, within {100 * TOLERANCE:g} %",
        note="As many parameters are as many multiply-adds in the MLPs; attention is the same in all nets.",
    )
