"""Depth, and the node itself: verdicts and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.graphs import GRAPHS, beyond_the_report, graph_title
from erlangen.experiments.kit.parts import AnyPart
from erlangen.experiments.oversmoothing import CLAIMS, OF_NETS, Recipe
from erlangen.experiments.oversmoothing.accuracy_parts import accuracy_parts
from erlangen.experiments.oversmoothing.counts import averaging, depth_alone, itself, of_all_nodes, relu_scale, small_components
from erlangen.experiments.oversmoothing.energy_parts import energy_parts, geometric
from erlangen.experiments.oversmoothing.evidence import fitted, kept_at_start, nets, starts, untrained
from erlangen.records.runs import Answer, Verdict

IN_WORDS = {"supported": ": B prevents over-smoothing there", "refuted": ": B does not prevent over-smoothing there"}


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """What is counted, the energy that depth leaves, and the accuracy of deep nets."""
    parts: list[AnyPart] = [
        *itself(recipe, evidence),
        *energy_parts(recipe, evidence),
        *accuracy_parts(recipe, evidence),
        averaging(recipe, evidence),
        *small_components(recipe, evidence),
        relu_scale(recipe, evidence),
        *depth_alone(recipe, evidence),
    ]
    order = list(CLAIMS[0].parts)
    return decide(sorted(parts, key=lambda part: order.index(part.part)))


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """What one layer sees, and what deep nets keep and score; of a graph of the user's only the latter decides."""
    seen = f"{of_all_nodes(evidence, 'none_1'):.0f} of {of_all_nodes(evidence, 'nodes'):.0f} nodes"
    before = next((verdict.verdict for verdict in verdicts if verdict.part == "energy before training"), "not measured")
    kept = f"{energies(recipe, evidence)}{IN_WORDS.get(before, '')}."
    sentence = f"One layer without B sees the node itself at {seen}. {kept} {scores(recipe, evidence)}"
    if deeper := did_not_train(recipe, evidence):
        sentence += f" {deeper}"
    deciding = [verdict for verdict in verdicts if recipe.data in GRAPHS or verdict.part in OF_NETS]
    return [answer("G3", deciding, sentence, figure="accuracy", beyond=beyond_the_report([recipe.data]))]


def energies(recipe: Recipe, evidence: Evidence) -> str:
    """What deep untrained nets keep of the energy."""
    root, none = (
        100 * geometric(starts(recipe, evidence, name), partial(kept_at_start, recipe)).interval(0.95).estimate
        for name in ("root", "none")
    )
    return (
        f"Before training, {recipe.deep} layers keep {root:.2g} % of the differences between neighbors (Dirichlet energy) of "
        f"{recipe.depths[0]} layers with B, and {none:.2g} % without"
    )


def scores(recipe: Recipe, evidence: Evidence) -> str:
    """The test accuracies of shallow and deep nets, or why they cannot be compared."""
    root, none, root_shallow, none_shallow = (
        nets(recipe, evidence, name, depth) for depth in (recipe.deep, recipe.depths[0]) for name in ("root", "none")
    )
    if untrained(recipe, root, none, root_shallow, none_shallow):
        counts = [learned(recipe, deep.arm, shallow.arm) for deep, shallow in ((root, root_shallow), (none, none_shallow))]
        return (
            f"The nets did not train well enough to tell whether B helps later: {counts[0]} nets with B and {counts[1]} without "
            f"learned {recipe.fit:g} % of their training nodes."
        )
    words = [f"{best.arm.mean('test_accuracy').estimate:.0f} %" for best in (root, none, root_shallow, none_shallow)]
    return (
        f"Trained to the same loss on {graph_title(recipe.data)}, nets with B score {words[2]} with {recipe.depths[0]} layers "
        f"and {words[0]} with {recipe.deep}, nets without B {words[3]} and {words[1]}."
    )


def did_not_train(recipe: Recipe, evidence: Evidence) -> str:
    """How many of the deepest nets learned their training nodes, where they are deeper than those compared and not all did."""
    depth = recipe.depths[-1]
    arms = {name: nets(recipe, evidence, name, depth).arm for name in ("root", "none")}
    if depth == recipe.deep or not all(arm.results for arm in arms.values()):
        return ""
    counts = [learned(recipe, arm) for arm in arms.values()]
    return f"With {depth} layers, {counts[0]} nets with B and {counts[1]} without learned their training nodes."


def learned(recipe: Recipe, *arms: Arm) -> str:
    """'7 of 10': the nets that learned their training nodes."""
    results = [result for arm in arms for result in arm.results.values()]
    return f"{sum(fitted(recipe, result) for result in results)} of {len(results)}"
