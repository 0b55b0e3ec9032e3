"""Depth, and the node itself: verdicts and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Arm, Evidence, difference, ratio
from erlangen.experiments.kit.graphs import GRAPHS, beyond_the_report, graph_title
from erlangen.experiments.kit.parts import Part
from erlangen.experiments.kit.published import published_numbers
from erlangen.experiments.kit.wording import Wording, wording
from erlangen.experiments.oversmoothing import CLAIMS, OF_NETS, QUOTES, Recipe
from erlangen.experiments.oversmoothing.counts import averaging, itself, of_all_nodes
from erlangen.experiments.oversmoothing.tasks import Train
from erlangen.records.runs import Answer, Of, Verdict
from erlangen.statistics.regions import at_least, at_most, exceeds

NAMES = {
    "root": "with B",
    "none": "without B",
    "loops": "self-loops",
    "wide": "wider without B",
    "alone": "no neighbors",
}
FLOOR = 1e-12  # what an energy of 0 counts as where its logarithm is taken

published = partial(published_numbers, "erlangen.experiments.oversmoothing")
"""Accuracies from the literature."""


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """What is counted, the energy that depth leaves, and the accuracy of deep nets."""
    energies = [energy(recipe, evidence, weights) for weights in ("random", "trained")]
    leads = [lead(recipe, evidence, rival) for rival in ("none", "loops", "wide")]
    kept = [accuracy_kept(recipe, evidence, arm) for arm in ("root", "alone")]
    return decide([*itself(evidence), averaging(recipe, evidence), *energies, kept[0], *leads, kept[1]])


def said(recipe: Recipe, part: str, of: Of = "extension") -> Wording:
    """The wording of a part. The report did not mean a graph of the user's: there its sentences are an extension."""
    return wording(CLAIMS, QUOTES if recipe.data in GRAPHS else {}, part, of)


def nets(recipe: Recipe, evidence: Evidence, arm: str) -> tuple[Arm, Arm]:
    """The nets of an arm at `deep` and at the first depth."""
    deep, first = (
        replace(evidence.arm(Train, arm=arm, depth=depth), name=f"{NAMES[arm]}, {depth} layers")
        for depth in (recipe.deep, recipe.depths[0])
    )
    return deep, first


def short_of_fit(recipe: Recipe, *arms: Arm) -> tuple[str, ...]:
    """The nets that fall short of the recipe's training accuracy at the depths that are compared."""
    return tuple(name for arm in arms for name in arm.below("train_accuracy", recipe.fit))


def setting(recipe: Recipe) -> str:
    """What deep and shallow mean."""
    return f"Here deep means {recipe.deep} layers and shallow {recipe.depths[0]}, on {graph_title(recipe.data)}."


def energy(recipe: Recipe, evidence: Evidence, weights: str) -> Part:
    """The energy of deep nets with B over that of shallow ones: as it is before training, and what training makes of it."""
    deep, first = nets(recipe, evidence, "root")
    trained, why = weights == "trained", "a net that keeps less of its energy counts as over-smoothed"
    return Part(
        **said(recipe, "energy after training" if trained else "energy with random weights"),
        effect=ratio(deep, first, lambda result: max(result.value(f"{weights}_energy"), FLOOR)),
        region=at_least(recipe.keep, why=why) if trained else at_most(recipe.keep, why=why),
        unit="of the energy",
        untrained=short_of_fit(recipe, deep, first) if trained else (),
        corrected=lambda kept: (
            f"{'After' if trained else 'Before'} training, deep nets with B have {kept.estimate:.2g} of shallow ones' energy."
        ),
        note=setting(recipe),
        remedy="the features are all 0 or not finite there; try a lower --set lr or a larger --set width",
    )


def accuracy_kept(recipe: Recipe, evidence: Evidence, arm: str) -> Part:
    """Points of accuracy from shallow to deep: in the test with B, and in training where there are no neighbors to average."""
    deep, first = nets(recipe, evidence, arm)
    part, quantity, unit = {
        "root": ("accuracy of deep nets", "test_accuracy", "points of test accuracy"),
        "alone": ("depth alone", "train_accuracy", "points of training accuracy"),
    }[arm]
    constant = list(deep.values("classes_predicted").values()).count(1)
    return Part(
        **said(recipe, part, "control" if arm == "alone" else "extension"),
        effect=difference(deep, first, quantity, unit="%"),
        region=at_least(-recipe.tolerance, why="a smaller loss of accuracy does not matter"),
        unit=unit,
        untrained=short_of_fit(recipe, deep, first),
        corrected=lambda change: f"Deep nets ({NAMES[arm]}) lose {-change.estimate:.1f} {unit}.",
        note=f"{setting(recipe)} Deep nets that predict one class for every node: {constant} of {len(deep.results)}.",
        published=published()["graphsage_cora"].get(str(recipe.deep)) if (recipe.data, arm) == ("cora", "root") else None,
        measured=deep.mean(quantity).estimate,
    )


def lead(recipe: Recipe, evidence: Evidence, rival: str) -> Part:
    """Points of test accuracy by which deep nets with B lead those with an alternative to it."""
    (root, _), (other, _) = (nets(recipe, evidence, arm) for arm in ("root", rival))
    against = {"none": "none", "loops": "self-loops", "wide": "parameters"}[rival]
    return Part(
        **said(recipe, f"deep, B against {against}", "control" if rival == "wide" else "extension"),
        effect=difference(root, other, "test_accuracy", unit="%"),
        region=exceeds(recipe.tolerance, why="a smaller lead does not matter"),
        unit="points of test accuracy",
        untrained=short_of_fit(recipe, root, other),
        corrected=lambda gain: f"Deep nets with B lead by {gain.high:.1f} points at most (rival: {NAMES[rival]}).",
        note=setting(recipe),
    )


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """What one layer sees, and how accurate shallow and deep nets are; of a graph of the user's only the latter decides."""
    arms = {name: nets(recipe, evidence, name) for name in ("root", "none")}

    def scores(split: str) -> list[str]:
        return [f"{arm.mean(f'{split}_accuracy').estimate:.0f} %" for pair in arms.values() for arm in pair]

    deep_root, root, deep_none, none = scores("test")
    sentence = (
        f"One layer without B sees the node itself at {of_all_nodes(evidence, 'none_1'):.0f} of "
        f"{of_all_nodes(evidence, 'nodes'):.0f} nodes. On {graph_title(recipe.data)}, nets with B score {root} with "
        f"{recipe.depths[0]} layers and {deep_root} with {recipe.deep}; nets without B score {none} and {deep_none}."
    )
    if short_of_fit(recipe, *(deep for deep, _ in arms.values())):
        fits = scores("train")
        sentence += (
            f" The deep nets did not train well enough to tell whether B helps: they fit {fits[0]} (with B) and {fits[2]} "
            f"(without) of their training nodes, and need {recipe.fit:g} %."
        )
    deciding = [verdict for verdict in verdicts if recipe.data in GRAPHS or verdict.part in OF_NETS]
    return [answer("G3", deciding, sentence, figure="accuracy", beyond=beyond_the_report([recipe.data]))]
