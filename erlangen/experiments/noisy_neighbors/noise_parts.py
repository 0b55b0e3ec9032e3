"""Attention among noisy neighbors: G8's parts about noise on a graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from erlangen.experiments.kit.evidence import Arm, Effect, Evidence, difference
from erlangen.experiments.kit.graphs import GRAPHS, about, graph_title
from erlangen.experiments.kit.parts import Check, Part
from erlangen.experiments.kit.wording import Wording, wording
from erlangen.experiments.noisy_neighbors.claims import CLAIMS, COMPARED, KINDS, QUOTES, REGIMES
from erlangen.experiments.noisy_neighbors.evidence import ALL, Quantity, fitted, layer_arm, of_share, under
from erlangen.experiments.noisy_neighbors.recipe import Recipe
from erlangen.experiments.noisy_neighbors.tasks import LAYERS, Planted
from erlangen.statistics.intervals import Interval
from erlangen.statistics.regions import at_most, exceeds

Arms = Mapping[str, Arm]  # by layer, of one graph

EXACT = 1e-4  # how far uniform attention may be from the share, in float32
SEEN = 0.1  # of their share: what planted attention must leave at most to neighbors that it shuts out
POINTS = "a smaller difference does not matter"


def noise_parts(recipe: Recipe, evidence: Evidence, data: str) -> list[Part]:
    """What attention noisy neighbors get on one graph, who loses less accuracy than whom, and whose hidden states are better."""
    arms: Arms = {layer: layer_arm(evidence, data, layer) for layer in LAYERS}
    saved = partial(saving, recipe, arms, data)
    controls = {marked: planted(evidence, data, marked) for marked in ("features", "edges")}
    return [
        *(suppression(recipe, arms, data, kind, controls["edges" if kind == "edges" else "features"]) for kind in KINDS),
        *(saved(f"{name}, {where}", name, regime) for name in COMPARED for regime, where in REGIMES.items()),
        saved("robustness, shifted features", "robustness", "training", ("shifted",)),
        representations(recipe, arms, data),
    ]  # fmt: skip


def said(part: str, data: str) -> Wording:
    """The wording of a part about one graph. The report did not mean a graph of the user's: there it is an extension."""
    return about(wording(CLAIMS, QUOTES if data in GRAPHS else {}, part), data)


def known(name: str, value: float, passed: bool) -> Check:
    """A check on a value, which is open where the value was not measured."""
    return Check(name, None if math.isnan(value) else passed)


def short(recipe: Recipe, regime: str, kinds: Sequence[str], *arms: Arm) -> tuple[str, ...]:
    """The nets that fell short of the fit where they are compared."""
    trained = "trained without noise" if regime == "test" else "trained with noise"
    fit = fitted(regime, kinds)
    return tuple(seed for arm in arms for seed in replace(arm, name=f"{arm.name} {trained}").below(fit, recipe.fit))


def losing(recipe: Recipe, regime: str, kinds: Sequence[str], *arms: Arm) -> tuple[str, ...]:
    """The nets that fell short among those behind a loss: it is counted from the net without noise, in either regime."""
    with_noise = short(recipe, regime, kinds, *arms) if regime != "test" else ()
    return (*short(recipe, "test", kinds, *arms), *with_noise)


def suppression(recipe: Recipe, arms: Arms, data: str, kind: str, control: Check) -> Part:
    """Attention of a GAT that was trained with the noise, on the neighbors that bring it, over their share."""
    gat, v2, uniform = (arms[layer] for layer in ("gat", "gatv2", "uniform"))
    ratio, met = (under("attention", regime, (kind,)) for regime in ("training", "test"))
    astray = [abs(value - 1) for value in uniform.values(ratio).values()] or [math.nan]
    frozen = math.nan if any(map(math.isnan, astray)) else max(astray)
    elsewhere = [100 * of_share(arm, values).interval(0.95).estimate for arm, values in ((v2, ratio), (gat, met))]
    title = graph_title(data)
    return Part(
        **said(f"attention on {KINDS[kind]}", data),
        effect=of_share(gat, ratio),
        region=at_most(
            recipe.suppression, center=1.0,
            why=f"noise that keeps more of its share is hardly suppressed; refuted from {recipe.listened:g} on",
        ),
        unit="of their share",
        bounds=(0.0, math.inf),
        untrained=short(recipe, "training", (kind,), gat),
        checks=(
            known("uniform attention gives them exactly their share", frozen, frozen < EXACT),
            control,
        ),
        corrected=lambda given: f"On {title}, they get {100 * given.estimate:.0f} % of what equal weights would give them.",
        note=f"GATv2 gives them {elsewhere[0]:.0f} %; a GAT that was trained without the noise, {elsewhere[1]:.0f} %.",
    )  # fmt: skip


def planted(evidence: Evidence, data: str, marked: str) -> Check:
    """The positive control: attention that is planted to ignore noise is measured as such, with every seed."""
    left = evidence.arm(Planted, data=data).values(f"attention_on_{marked}").values()
    most = max(left, default=math.nan)
    seen = all(math.isfinite(value) for value in left)
    name = f"attention planted to ignore noise is seen to leave it {SEEN:g} of its share at most"
    return known(name, most if seen else math.nan, most <= SEEN)


def saving(recipe: Recipe, arms: Arms, data: str, part: str, name: str, regime: str, kinds: Sequence[str] = ALL) -> Part:
    """Points of accuracy that noise costs one layer less than another."""
    ours, theirs = (arms[layer] for layer in COMPARED[name])
    lost = under("lost", regime, kinds)
    cost = theirs.mean(lost).estimate
    return compared(
        recipe, said(part, data), difference(theirs, ours, lost, unit="points lost"), "points saved",
        losing(recipe, regime, kinds, ours, theirs),
        (known(f"noise costs {theirs.name} at least {recipe.margin:g} points", cost, cost >= recipe.margin),),
        corrected(graph_title(data), ours.name, theirs.name),
    )  # fmt: skip


def representations(recipe: Recipe, arms: Arms, data: str) -> Part:
    """Accuracy of linear classifiers of hidden states, GAT less GCN, with noise in training."""
    gat, gcn = arms["gat"], arms["gcn"]
    probe: Quantity = under("probe", "training")
    read, reached = (gcn.mean(under(what, "training")).estimate for what in ("probe", "accuracy"))
    title = graph_title(data)
    return compared(
        recipe, said("representations", data), difference(gat, gcn, probe, unit="%"), "points",
        short(recipe, "training", ALL, gat, gcn),
        (known("hidden states of GCN are classified at least half as well as by GCN itself", read, read >= reached / 2),),
        lambda led: f"On {title}, hidden states of GAT are classified at most {led.high:.1f} points better than those of GCN."
        if led.high > 0
        else f"On {title}, hidden states of GAT are classified at least {-led.high:.1f} points worse than those of GCN.",
    )  # fmt: skip


def compared(
    recipe: Recipe, words: Wording, effect: Effect, unit: str, untrained: tuple[str, ...], checks: tuple[Check, ...],
    corrected: Callable[[Interval], str],
) -> Part:  # fmt: skip
    """A part about two layers, whose difference must exceed the margin."""
    return Part(
        **words, effect=effect, region=exceeds(recipe.margin, why=POINTS), unit=unit, untrained=untrained, checks=checks,
        corrected=corrected,
    )  # fmt: skip


def corrected(title: str, ours: str, theirs: str) -> Callable[[Interval], str]:
    """What is true of a saving that was refuted."""

    def text(saved: Interval) -> str:
        if saved.high > 0:
            return f"On {title}, {ours} saves {saved.high:.1f} points at most."
        return f"On {title}, {ours} loses at least {-saved.high:.1f} points more than {theirs}."

    return text
