"""Attention among noisy neighbors: the verdicts and the answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.graphs import beyond_the_report, graph_slug, graph_title
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.noisy_neighbors.claims import FAR, HEARD, KINDS, QUOTES, REGIMES
from erlangen.experiments.noisy_neighbors.noise_parts import noise_parts
from erlangen.experiments.noisy_neighbors.recipe import Recipe
from erlangen.experiments.noisy_neighbors.separation_parts import separation_parts
from erlangen.experiments.noisy_neighbors.weight_parts import weight_parts, weight_sentence
from erlangen.records.runs import Answer, Verdict
from erlangen.statistics.regions import simultaneous_level

Found: TypeAlias = Mapping[str, Verdict]


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
    """What was counted of the weights; which noise attention suppresses, and what noise costs."""
    stated = [verdict for verdict in verdicts if verdict.part.endswith(tuple(QUOTES))]  # of a graph of the user's too
    found = {graph_title(data): on_graph(graph_title(data), verdicts) for data in recipe.data}
    sentence = " ".join(filter(None, (suppressed(found), robust(recipe, found))))
    figure = f"attention-{graph_slug(recipe.data[0])}"
    return [
        answer("G7", stated, weight_sentence(evidence), figure="weights"),
        answer("G8", stated, sentence, figure=figure, beyond=beyond_the_report(recipe.data)),
    ]


def on_graph(title: str, verdicts: Sequence[Verdict]) -> Found:
    """G8's verdicts about one graph, by part: the answer shows their effects and no other numbers."""
    prefix = f"{title}, "
    return {verdict.part.removeprefix(prefix): verdict for verdict in verdicts if verdict.part.startswith(prefix)}


def suppressed(found: Mapping[str, Found]) -> str:
    """Which kinds of noise a GAT suppresses that was trained with them; '' where none was decided."""
    counts = [text for title, parts in found.items() if (text := suppressed_on(title, parts))]
    return f"Of {len(KINDS)} kinds of noise met in training, GAT clearly suppresses {' and '.join(counts)}." if counts else ""


def suppressed_on(title: str, parts: Found) -> str:
    """'1 on Cora (shifted features: 51 % of their share of attention; 1 is undecided)'"""
    judged = {name: parts[f"attention on {name}"] for name in KINDS.values() if f"attention on {name}" in parts}
    outcomes = Counter(verdict.verdict for verdict in judged.values())
    if not outcomes["supported"] + outcomes["refuted"]:
        return ""
    held = [
        f"{name}: {100 * verdict.effect:.0f} %"
        for name, verdict in judged.items()
        if verdict.verdict == "supported" and verdict.effect
    ]
    remarks = [f"{', '.join(held)} of their share of attention"] if held else []
    if still_open := len(KINDS) - outcomes["supported"] - outcomes["refuted"]:
        remarks.append(f"{still_open} {'is' if still_open == 1 else 'are'} undecided")
    return f"{len(held)} on {title}" + (f" ({'; '.join(remarks)})" if remarks else "")


def robust(recipe: Recipe, found: Mapping[str, Found]) -> str:
    """What is decided of GAT's robustness, by how many points of accuracy it saves against GCN; '' where none was measured."""
    regimes = [text for where in REGIMES.values() if (text := saved(found, where))]
    least = f"{recipe.margin:g} point{'' if recipe.margin == 1 else 's'}"
    return f"That noise costs GAT less accuracy than GCN, by more than {least}, is {' and '.join(regimes)}." if regimes else ""


def saved(found: Mapping[str, Found], where: str) -> str:
    """'refuted with noise in the test alone (−1.3 points on block models and −2.0 points on Cora)'; '' if not measured."""
    part = f"robustness, {where}"
    judged = {title: parts[part] for title, parts in found.items() if part in parts and parts[part].effect is not None}
    if not judged:
        return ""
    points = " and ".join(f"{saving(verdict)} on {title}" for title, verdict in judged.items())
    outcomes = {title: "undecided" if verdict.verdict == "inconclusive" else verdict.verdict for title, verdict in judged.items()}
    same = len(set(outcomes.values())) == 1
    told = next(iter(outcomes.values())) if same else ", ".join(f"{word} on {title}" for title, word in outcomes.items())
    return f"{told} with {where} ({points})"


def saving(verdict: Verdict) -> str:
    """'-1.3 points'; of nets that did not train no number is worth a sentence."""
    if verdict.next_step.startswith("not trained"):
        return "not trained"
    return f"{verdict.effect:+.1f} points"
