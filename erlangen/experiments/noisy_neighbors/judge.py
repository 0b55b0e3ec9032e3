"""Attention among noisy neighbors: the verdicts, G8's parts and the answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence, difference, mean, spread_interval
from erlangen.experiments.kit.graphs import GRAPHS, about, beyond_the_report, graph_slug, graph_title
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.kit.wording import Wording, wording
from erlangen.experiments.noisy_neighbors import ALL, CLAIMS, COMPARED, KINDS, QUOTES, REGIMES, Recipe
from erlangen.experiments.noisy_neighbors.evidence import attention_ratio, layer_arm, loss, training_fit
from erlangen.experiments.noisy_neighbors.weight_parts import weight_parts, weight_sentence
from erlangen.records.runs import Answer, Verdict
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import at_most, exceeds

HEARD = ("nodes", "edges")  # the kinds of noise of which attention is measured
EXACT = 1e-6  # how far uniform attention may be from the share, in float32


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """G7's exact parts, then for each graph what is saved under noise, and what attention noise gets."""
    parts: list[Part] = []
    for data in recipe.data:
        parts += [saving(recipe, evidence, data, name, regime) for name in COMPARED for regime in REGIMES]
        parts += [suppression(recipe, evidence, data, kind) for kind in HEARD]
    return decide([*weight_parts(evidence), *parts])


def said(part: str, data: str) -> Wording:
    """The wording of a part about one graph. The report did not mean a graph of the user's: there it is an extension."""
    return about(wording(CLAIMS, QUOTES if data in GRAPHS else {}, part), data)


def known(name: str, value: float, passed: bool) -> Check:
    """A check on a value, which is open where the value was not measured."""
    return Check(name, None if math.isnan(value) else passed)


def saving(recipe: Recipe, evidence: Evidence, data: str, name: str, regime: str) -> Part:
    """Points of accuracy per 10 % of noise that one layer saves against another."""
    better, worse, kinds = COMPARED[name]
    ours, theirs = (layer_arm(evidence, data, layer) for layer in (better, worse))
    lost, fit = loss(recipe, kinds, regime), training_fit(recipe, kinds, regime)
    trained = "trained without noise" if regime == "test" else "trained with noise"
    short = [seed for arm in (ours, theirs) for seed in replace(arm, name=f"{arm.name} {trained}").below(fit, recipe.fit)]
    cost = theirs.mean(lost).estimate

    def corrected(saved: Interval) -> str:
        if saved.high > 0:
            return f"On {graph_title(data)}, {ours.name} saves {saved.high:.2f} points per 10 % of noise at most."
        loses = f"On {graph_title(data)}, {ours.name} loses at least {-saved.high:.2f} points more per 10 % of noise"
        return f"{loses} than {theirs.name}."

    return Part(
        **said(f"{name}, {REGIMES[regime]}", data),
        effect=difference(theirs, ours, lost, unit="points lost"),
        region=exceeds(recipe.margin, why="a smaller saving does not matter"),
        unit="points saved per 10 % of noise",
        untrained=tuple(short),
        checks=(known(f"noise costs {theirs.name} at least {recipe.margin:g} points per 10 %", cost, cost >= recipe.margin),),
        corrected=corrected,
    )


def geometric(ratios: Sequence[float], level: float) -> Interval:
    """The geometric mean of ratios and its interval."""
    return spread_interval([math.log(ratio) for ratio in ratios], level).exp()


def suppression(recipe: Recipe, evidence: Evidence, data: str, kind: str) -> Part:
    """Attention of GAT, trained without noise, on noisy neighbors, over their share of the neighbors."""
    gat, v2, uniform = (layer_arm(evidence, data, layer) for layer in ("gat", "gatv2", "uniform"))
    ratio = attention_ratio(kind, "test")
    frozen = uniform.mean(ratio).estimate
    return Part(
        **said(f"attention on {KINDS[kind]}", data),
        effect=mean(gat, ratio, unit="of their share", estimator=geometric),
        region=at_most(recipe.suppression, center=1.0, why="noise that keeps more of its share is hardly suppressed"),
        unit="of their share",
        bounds=(0.0, math.inf),
        untrained=gat.below("train_accuracy", recipe.fit),
        checks=(known("uniform attention gives them exactly their share", frozen, abs(frozen - 1) < EXACT),),
        corrected=lambda given: (
            f"On {graph_title(data)}, they get {100 * given.estimate:.0f} % of what equal weights would give them."
        ),
        note=f"GAT trained with the noise gives them {100 * gat.mean(attention_ratio(kind, 'training')).estimate:.0f} %; GATv2, "
        f"trained without, {100 * v2.mean(ratio).estimate:.0f} %.",
    )


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """What was counted of the weights; and for each graph what noise costs, and what attention noisy neighbors get."""
    stated = [verdict for verdict in verdicts if "GATv2" not in verdict.part]  # beside the claim, on a graph of the user's too
    sentence = " ".join(graph_sentence(recipe, evidence, data) for data in recipe.data)
    figure = f"losses-{graph_slug(recipe.data[0])}"
    return [
        answer("G7", verdicts, weight_sentence(evidence), figure="weights"),
        answer("G8", stated, sentence, figure=figure, beyond=beyond_the_report(recipe.data)),
    ]


def graph_sentence(recipe: Recipe, evidence: Evidence, data: str) -> str:
    """What noise costs GCN and GAT on one graph, and what attention GAT gives to it."""
    lost = loss(recipe, ALL, "test")
    gcn, gat = (layer_arm(evidence, data, layer) for layer in ("gcn", "gat"))
    features, edges = (100 * gat.mean(attention_ratio(kind, "test")).estimate for kind in HEARD)
    return (
        f"On {graph_title(data)}, 10 % of noise in the test costs GCN {gcn.mean(lost).estimate:.1f} points of accuracy and GAT "
        f"{gat.mean(lost).estimate:.1f}; GAT gives neighbors with noisy features {features:.0f} % of the attention that equal "
        f"weights would, and those by noisy edges {edges:.0f} %."
    )
