"""Word order: figures of the report's two sentences, as each net reads them."""

from __future__ import annotations

import math
from itertools import product

from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.panels import Row, cells, clipped, dots, significant
from erlangen.experiments.word_order.evidence import POSITION_TITLES
from erlangen.experiments.word_order.recipe import DEPTHS
from erlangen.experiments.word_order.statements import layers
from erlangen.experiments.word_order.tasks import FIRST, SECOND, STOP, Sentences
from erlangen.records.runs import Figure
from erlangen.statistics.intervals import Interval, mean_interval

READ = {"first": " ".join((*FIRST, STOP)), "second": " ".join((*SECOND, STOP))}
"""The report's two sentences as the nets read them."""
NETS = [f"{net}, {layers(depth)}" for net, depth in product(("encoder", "causal"), DEPTHS)]


def readers(evidence: Evidence) -> list[tuple[str, str, Arm]]:
    """The nets that read the two sentences: name, positions, arm; without those that a run does not have."""
    arms = [
        (
            f"{net}, {layers(depth)}",
            POSITION_TITLES[positions],
            evidence.arm(Sentences, net=net, depth=depth, positions=positions),
        )
        for positions, net, depth in product(POSITION_TITLES, ("encoder", "causal"), DEPTHS)
    ]
    return [(net, positions, arm) for net, positions, arm in arms if arm.results]


def finite_mean(arm: Arm, quantity: str, most: float = math.inf) -> Interval:
    """The mean over the seeds where it is a number, and its interval, which ends at 0 and `most`."""
    return clipped(mean_interval([value for value in arm.values(quantity).values() if math.isfinite(value)]), 0.0, most)


def sentences_figure(evidence: Evidence) -> Figure:
    """How likely each net takes either sentence for the first, once it was trained to tell them apart."""
    columns = ("net", "positions", "read", "probability", "low", "high")
    rows: list[Row] = [
        (net, positions, READ[name], *cells(interval))
        for net, positions, arm in readers(evidence)
        for name in READ
        if math.isfinite((interval := finite_mean(arm, f"{name}_taken_for_first", 1.0)).estimate)
    ]
    return Figure(
        name="sentences",
        title="“John sat on the couch” and “Couch on the sat John” to each net",
        caption="Every net was trained on nothing but these two sentences, to name the one that it reads. Shown: the probability "
        "that it gives to the first, after the full stop of either; mean and 95 % interval over seeds. Where both dots lie on "
        "0.5 the two sentences are one bag of words to the net. Their tokens are the same: words in lower case, and a full stop.",
        columns=columns,
        rows=tuple(rows),
        spec=dots(
            columns, rows, x="probability", y="net", order=NETS, color="read", colors=tuple(READ.values()),
            title="probability of “John sat on the couch”", domain=(-0.03, 1.03), panel="positions",
            panels=list(POSITION_TITLES.values()),
        ),
    )  # fmt: skip


def sentences_table(evidence: Evidence) -> Figure:
    """How far apart the two sentences are for each net."""
    names = ("random_stop", "trained_stop", "random_last_word")
    rows: list[Row] = [
        (net, positions, *(significant(finite_mean(arm, name).estimate, 2) for name in names))
        for net, positions, arm in readers(evidence)
    ]
    return Figure(
        name="distances",
        title="How far apart the two sentences are",
        caption="Distance of the two outputs (logits in float64) over the spread of the outputs of other sentences; mean over "
        "seeds. After the full stop, both sentences consist of the same words and end in the same token. Without it they end in "
        "different words, “couch” and “john”, and the output after the last word differs for every net, because it knows that "
        "word: this says nothing about order.",
        columns=("net", "positions", "after the full stop", "the same, trained", "after the last word"),
        rows=tuple(rows),
    )
