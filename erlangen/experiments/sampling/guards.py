"""What must be true of nets before temperature and top-p are judged on them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from erlangen.experiments.kit.evidence import Arm
from erlangen.experiments.kit.parts import Check, reaches
from erlangen.experiments.kit.texts import TEXTS
from erlangen.experiments.sampling import EXTREMES, OUTCOMES, Recipe
from erlangen.experiments.sampling.evidence import HELD_OUT, TRAINING_LOSS, Largest, at_reference, published, tables
from erlangen.experiments.sampling.tasks import LOSS, Regime, Setting
from erlangen.experiments.sampling.unit import spread
from erlangen.statistics.regions import Region, within

WHOLE = 0.95  # prompts after which every net wrote, in every setting, a text that has the outcome


def untrained(recipe: Recipe, arm: Arm, regime: Regime) -> tuple[str, ...]:
    """Nets that fall short of the recipe's fit."""
    return arm.above(TRAINING_LOSS if regime == "memorizing" else "validation_loss", recipe.fit)


def check(name: str, passes: bool, *values: float) -> Check:
    """Whether what was measured is as it must be; unknown where one of the values is not a number."""
    return Check(name=name, passed=None if any(map(math.isnan, values)) else passes)


def varies(arm: Arm, settings: Sequence[Setting]) -> tuple[Check, ...]:
    """Without a spread between texts there is no telling which difference is small."""
    spreads = {outcome: spread(tables(arm, outcome, settings)) for outcome in OUTCOMES}
    return tuple(check(f"texts that differ in {OUTCOMES[name][0]}", value > 0, value) for name, value in spreads.items())


def covers(arm: Arm, settings: Sequence[Setting]) -> tuple[Check, ...]:
    """Pairs are left out where one text has no words, say. Were these many, what is left would hide the difference."""
    checks = []
    for outcome, (name, _) in OUTCOMES.items():
        texts = tables(arm, outcome, settings)
        alike = bool(texts) and all(table.size and table.shape == texts[0].shape for table in texts)
        share = float(np.isfinite(np.stack(texts)).all((0, 1)).mean()) if alike else math.nan
        checks.append(check(f"{name} of {100 * WHOLE:g} % of the prompts' texts at least", share >= WHOLE, share))
    return tuple(checks)


def sees(recipe: Recipe, arm: Arm) -> tuple[Check, ...]:
    """Positive controls: far settings change the loss under the net itself, by definition, and what a reader can see."""
    checks = []
    for where, pair in EXTREMES.items():
        for what, outcomes in (("the loss under the net itself", (LOSS,)), ("what is written", tuple(OUTCOMES))):
            gap = Largest(arm, pair, outcomes).interval().estimate if arm.results else math.nan
            checks.append(check(f"a change of {what}, {where}", gap > recipe.margin, gap))
    return tuple(checks)


def loss_of_the_report(recipe: Recipe) -> Region:
    """Training losses that count as those of the report's regime."""
    loss = published()["train_loss_of_the_last_epoch"]
    return within(recipe.near, around=loss, why=f"the published loss, give or take {recipe.near:g} nats per character")


def copying_of_the_report(recipe: Recipe) -> Region:
    """Copied shares that count as those of the report's regime."""
    share = published()["copied_20_characters"]
    why = f"that of the report's eight samples, give or take {recipe.copying:g}: so few samples tell no more"
    return within(recipe.copying, around=share, why=why)


def as_the_regime_needs(recipe: Recipe, arm: Arm, regime: Regime) -> tuple[Check, ...]:
    """Memorizing nets must be as the report's, and nets that were stopped early must write words."""
    if regime == "stopped":
        words, known = (arm.mean(at_reference("words", *where)).estimate for where in ((), (HELD_OUT,)))
        name = f"{100 * recipe.fluent:g} % as many words in the dictionary as held-out text has"
        return (check(name, 0 < recipe.fluent * known <= words, words, known),)
    if recipe.corpus not in TEXTS:
        return ()
    near, like = loss_of_the_report(recipe), copying_of_the_report(recipe)
    copied = f"copied strings within {recipe.copying:g} of the share in the report's samples"
    return (
        reaches(f"a training loss within {recipe.near:g} nats of the report's", arm, TRAINING_LOSS, near),
        reaches(copied, arm, at_reference("verbatim"), like),
    )
