"""What the verdicts and figures of `fairytales` read from its results."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from erlangen.experiments.fairytales.tasks import CHARACTERS, WORDS, Book, Tales
from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, Quantity, by_seed, group, read
from erlangen.experiments.kit.published import published_numbers
from erlangen.records.runs import JobResult

PHRASE = 5  # words
SHORT_PHRASE = 3  # words: of five, even held-out text has hardly any in common with the training text
NATS = "nats per character"
TRAINING_LOSS = "train_loss_in_training"
LAST, BEST, HELD_OUT = "the net, last step", "the net, best step", "held-out text"

published = partial(published_numbers, "erlangen.experiments.fairytales")
"""What the report states of its net."""


def books(evidence: Evidence) -> Arm:
    """The nets that were trained on slices of the text."""
    return replace(evidence.arm(Book), name="text")


def tales(evidence: Evidence, arm: str) -> Arm:
    """The nets that were trained on few tales or on many."""
    return replace(evidence.arm(Tales, arm=arm), name=f"{arm} tales")


def copied(of: str, unit: str = "words", n: int = PHRASE) -> Callable[[JobResult], float]:
    """The share of n-grams found in the training text; of: held_out, last_published, ..."""
    place = {"characters": CHARACTERS, "words": WORDS}[unit].index(n)

    def share(result: JobResult) -> float:
        shares = result.values(f"{of}_verbatim_{unit}")
        return shares[place] if place < len(shares) else math.nan

    return share


COPIED_STRINGS = copied("last_published", "characters", 20)


def contrast(
    arm: Arm, left: tuple[str, Quantity], right: tuple[str, Quantity], unit: str = "of 1", *, times: float = 1.0
) -> Effect:
    """The mean over seeds of left - times · right, two quantities of the same net, each with a name for the record.

    Where it is 0, left is `times` as large as right: a ratio without a division, since right may be 0.
    """
    (_, mine), (_, theirs) = left, right
    return by_seed(
        lambda result: read(result, mine) - times * read(result, theirs),
        arm,
        test="t interval over seeds of paired differences",
        groups=[group(arm, quantity, unit, name) for name, quantity in (left, right)],
    )
