"""Attention among noisy neighbors: the verdicts and the answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.graphs import beyond_the_report, graph_slug, graph_title
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.noisy_neighbors.claims import FAR, HEARD, KINDS, QUOTES, REGIMES
from erlangen.experiments.noisy_neighbors.evidence import layer_arm, under
from erlangen.experiments.noisy_neighbors.noise_parts import noise_parts
from erlangen.experiments.noisy_neighbors.recipe import Recipe
from erlangen.experiments.noisy_neighbors.separation_parts import described, separation_parts
from erlangen.experiments.noisy_neighbors.weight_parts import weight_parts, weight_sentence
from erlangen.records.runs import Answer, Verdict
from erlangen.statistics.regions import simultaneous_level


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """G7's exact parts; then for each graph the attention on noise and what noise costs; then two classes at a distance."""
    parts = [part for data in recipe.data for part in noise_parts(recipe, evidence, data)]
    parts += separation_parts(recipe, evidence)
    level = simultaneous_level(len(parts))
    return decide([*weight_parts(evidence), *(graded(recipe, part, level) for part in parts)])


def graded(recipe: Recipe, part: Part, level: float) -> Part:
    """A part about suppression, open where the attention is known to lie above its edge but not above `listened`.

    Noise that keeps 0.9 of its share or less is suppressed, noise that keeps 0.97 or more is not; what lies between is neither.
    """
    if not (part.part.endswith(tuple(HEARD)) or part.part.startswith(FAR)) or part.effect.missing or part.effect.not_finite:
        return part
    interval = part.effect.interval(level)
    weak = part.region.decide(interval) == "refuted" and interval.low < recipe.listened
    name = f"attention is known to be {recipe.suppression:g} of the share or less, or {recipe.listened:g} or more"
    return replace(part, checks=(*part.checks, Check(name, not weak)))


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """What was counted of the weights; which noise attention suppresses, what noise costs, and where attention helps."""
    stated = [verdict for verdict in verdicts if verdict.part.endswith(tuple(QUOTES))]  # of a graph of the user's too
    sentences = [graph_sentence(evidence, data, verdicts) for data in recipe.data]
    sentence = " ".join(filter(None, (*sentences, described(recipe, evidence))))
    figure = f"attention-{graph_slug(recipe.data[0])}"
    return [
        answer("G7", stated, weight_sentence(evidence), figure="weights"),
        answer("G8", stated, sentence, figure=figure, beyond=beyond_the_report(recipe.data)),
    ]


def graph_sentence(evidence: Evidence, data: str, verdicts: Sequence[Verdict]) -> str:
    """Which kinds of noise a trained GAT suppresses on one graph, whether it is more robust, and what noise does to accuracy."""
    title = graph_title(data)
    outcome = {verdict.part.removeprefix(f"{title}, "): verdict.verdict for verdict in verdicts if verdict.part.startswith(title)}
    gcn, gat = (layer_arm(evidence, data, layer) for layer in ("gcn", "gat"))
    given = {name: 100 * gat.mean(under("attention", "training", (kind,))).estimate for kind, name in KINDS.items()}
    held = {name: given[name] for name in given if outcome.get(f"attention on {name}") == "supported"}
    rest = [given[name] for name in given if name not in held] or [math.nan]
    named = [f"{name} {percent:.0f} %" for name, percent in held.items()]
    named += [f"{'the others' if held else 'each'} {min(rest):.0f}-{max(rest):.0f} %"] if len(held) < len(given) else []
    return (
        f"On {title}, GAT clearly suppresses {len(held)} of {len(given)} kinds of noise that it was trained with "
        f"({', '.join(named)} of their share of attention) and is {robust(outcome)}: noise takes its accuracy {fall(gat)}, "
        f"GCN's {fall(gcn)}."
    )


def robust(outcome: Mapping[str, str]) -> str:
    """Whether GAT is more robust than GCN, by the outcomes of the parts."""
    words = {"supported": "more robust than GCN", "refuted": "not more robust than GCN"}
    found = {
        regime: words.get(outcome.get(f"robustness, {regime}", ""), "not shown to be more robust than GCN")
        for regime in REGIMES.values()
    }
    same = len(set(found.values())) == 1
    return next(iter(found.values())) if same else " and ".join(f"{what} with {regime}" for regime, what in found.items())


def fall(arm: Arm) -> str:
    """'from 82.1 to 70.3 %': without noise and with it in training, a mean over kinds of noise."""
    reached, lost = (arm.mean(under(what, "training")).estimate for what in ("accuracy", "lost"))
    return f"from {reached + lost:.1f} to {reached:.1f} %"
