"""Attention among noisy neighbors: verdicts and figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.kit.judging import counted, ends, not_measured
from erlangen.experiments.noisy_neighbors import CLAIMS, KINDS, REGIMES, Recipe
from erlangen.experiments.noisy_neighbors.evidence import Arms, arms, fitted, log_ratio, losses
from erlangen.experiments.noisy_neighbors.figures import attention_figure, line_figure, map_figure, node_figure, weights_figure
from erlangen.records.runs import Figure, Findings, JobResult, Outcome, Verdict
from erlangen.statistics.intervals import Interval, holm, mean_interval, paired_interval, paired_p_value

STATEMENTS = {claim.id: claim.statement for claim in CLAIMS}
ASKED = "Does attention keep a graph network from listening to noisy neighbors, and does that make it more robust?"
CONDITIONS = [(kind, regime) for kind in KINDS for regime in REGIMES]
WORDS = {"nodes": "features of nodes replaced", "edges": "edges moved", "both": "both at once"}
MET = {"test": "met in the test alone", "training": "met in training too"}


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """G7's exact parts, then G8's for every data set asked for; those whose jobs failed are `not measured`."""
    judged = weights([result for result in results if result.params["task"] == "weights"])
    for data in recipe.data:
        found = arms(results, data)
        judged += robustness(recipe, found) + [suppression(recipe, found, kind) for kind in ("nodes", "edges")]
        judged += [pooled(recipe, found, "cause"), pooled(recipe, found, "gatv2")]
    return judged


def weights(found: list[JobResult]) -> list[Verdict]:
    """G7: counted over every job."""

    def total(name: str) -> float:
        return sum(result.value(name) for result in found) if found else math.nan

    by_layer = {name: (total(f"{name}_nodes"), total(f"{name}_unequal")) for name in ("mean", "gcn")}
    degree = (
        "Kipf and Welling's weights are 1 / √(d_u d_v): fixed by the graph and not learned, but they favor neighbors of low "
        "degree. Only the mean form treats them equally."
    )
    felt = f"both graphs of {len(found)} seeds, node by node, weights felt by raising one neighbor's feature"
    changed = {name: total(f"{name}_changed") for name in ("gcn", "gat", "gatv2")}
    edges = total("gat_edges")
    judged = [
        counted(
            "G7", f"equal/{name}", f"A graph convolution in {form} gives all neighbors of a node the same weight.",
            cases=cases, failures=failures, test=felt, corrected=degree if name == "gcn" and failures else None,
        )
        for (name, (cases, failures)), form in zip(by_layer.items(), ("mean form", "Kipf and Welling's form"), strict=True)
    ]  # fmt: skip
    judged.append(
        counted(
            "G7", "features", "When features are permuted among the nodes, GCN's weights stay, GAT's and GATv2's change.",
            cases=edges, failures=changed["gcn"] + sum(edges - changed[name] for name in ("gat", "gatv2")),
            test=f"edges whose weight changes: gcn {changed['gcn']:.0f}, gat {changed['gat']:.0f}, gatv2 {changed['gatv2']:.0f}, "
            f"of {edges:.0f}",
        )
    )  # fmt: skip
    for name, title, turns in (("gat", "GAT", False), ("gatv2", "GATv2", True)):
        cases, turned = total(f"{name}_pairs"), total(f"{name}_turned")
        judged.append(
            counted(
                "G7", f"query/{name}",
                f"Which of two neighbors {title} favors {'depends' if turns else 'does not depend'} on the node that asks.",
                cases=cases, failures=turned, holds=(turned > 0) == turns,
                test=f"complete graphs of 12 nodes: pairs of neighbors × pairs of nodes that ask; they disagree in {turned:.0f}",
            )
        )  # fmt: skip
    return judged


def more_robust(difference: Interval, p: float, margin: float) -> Outcome:
    """Whether an arm loses less: `difference` is what it saves, in points per 10 % of noise, p adjusted for the family."""
    if not math.isfinite(difference.low) or math.isnan(p):
        return "inconclusive"
    if p < 0.05:
        return "supported" if difference.estimate > 0 else "refuted"
    return "refuted" if difference.within(margin) else "inconclusive"


def robustness(recipe: Recipe, found: Arms) -> list[Verdict]:
    """G8: what GAT saves against GCN, kind by kind and regime by regime, Holm over the six of a data set."""
    saved = []
    for kind, regime in CONDITIONS:
        gcn, gat = (losses(found, layer, recipe, regime, kind) for layer in ("gcn", "gat"))
        saved.append((paired_interval(gcn, gat), paired_p_value(gcn, gat), mean_interval(gcn), mean_interval(gat)))
    adjusted = holm([p for _, p, _, _ in saved])
    judged = []
    for (kind, regime), (difference, _, gcn_loss, gat_loss), p in zip(CONDITIONS, saved, adjusted, strict=True):
        part = f"{found.data}/{kind}/{regime}"
        statement = f"With {WORDS[kind]}, {MET[regime]}, GAT loses less accuracy than GCN."
        detail = f"GCN loses {gcn_loss.estimate:.2f}, GAT {gat_loss.estimate:.2f} points per 10 % of noise"
        outcome = more_robust(difference, p, recipe.margin)
        corrected = None
        if outcome == "refuted":
            corrected = (
                f"GAT loses more than GCN here, by {-difference.estimate:.2f} points per 10 % of noise."
                if difference.excludes() and difference.estimate < 0
                else f"The two lose the same, to within {recipe.margin:g} points per 10 % of noise."
            )
        judged.append(statistical(recipe, found, part, statement, difference, outcome, detail, p, corrected))
    return judged


def statistical(
    recipe: Recipe,
    found: Arms,
    part: str,
    statement: str,
    saved: Interval,
    outcome: Outcome,
    detail: str,
    p: float,
    corrected: str | None,
) -> Verdict:
    """A verdict on what one arm saves against another; `inconclusive` where an arm was not fitted."""
    if len(found.seeds) < recipe.seeds or not math.isfinite(saved.estimate):
        return not_measured("G8", part, statement, "statistical")
    weak = fitted(found, recipe)
    if weak:
        outcome, corrected = "inconclusive", None
    next_step = ""
    if outcome == "inconclusive":
        short = f"{', '.join(weak)} did not reach {recipe.fit:g} % in training: more epochs"
        next_step = short if weak else f"more seeds, or a wider margin than {recipe.margin:g}"
    return Verdict(
        claim="G8", part=part, kind="statistical", statement=statement, verdict=outcome, corrected=corrected,
        effect=saved.estimate, unit="points per 10 % of noise saved", interval=ends(saved), n=saved.n,
        test=f"paired t by seed, p = {p:.2g}{' after Holm over six' if part.count('/') == 2 else ''}; {detail}",
        measured=saved.estimate, next_step=next_step,
    )  # fmt: skip


def pooled(recipe: Recipe, found: Arms, part: str) -> Verdict:
    """G8: the mean over the six conditions, GAT against its frozen twin (the cause), or GATv2 against GCN."""
    better, worse = {"cause": ("gat", "uniform"), "gatv2": ("gatv2", "gcn")}[part]
    lost = {
        layer: [
            sum(values) / len(values)
            for values in zip(*(losses(found, layer, recipe, regime, kind) for kind, regime in CONDITIONS), strict=True)
        ]
        for layer in (better, worse)
    }
    difference, p = paired_interval(lost[worse], lost[better]), paired_p_value(lost[worse], lost[better])
    statement = {
        "cause": "Learned attention is what makes GAT robust: frozen uniform, it loses more.",
        "gatv2": "GATv2, whose attention depends on the node that asks, loses less than GCN.",
    }[part]
    outcome = more_robust(difference, p, recipe.margin)
    corrected = None
    if outcome == "refuted":
        tail = "loses less" if difference.excludes() and difference.estimate < 0 else "loses no more"
        other = {"cause": "The same layer with its attention frozen uniform", "gatv2": "GCN"}[part]
        corrected = f"{other} {tail}, averaged over the six kinds of noise."
    detail = ", ".join(f"{layer} loses {mean_interval(values).estimate:.2f}" for layer, values in lost.items())
    return statistical(
        recipe, found, f"{found.data}/{part}", statement, difference, outcome, f"mean of six conditions: {detail}", p, corrected
    )


def suppression(recipe: Recipe, found: Arms, kind: str) -> Verdict:
    """G8: whether trained attention listens less to noisy neighbors than their share, noise met in the test alone."""
    part, what = f"{found.data}/attention/{kind}", {"nodes": "whose features are noise", "edges": "whose edge is noise"}[kind]
    statement = f"GAT gives neighbors {what} less attention than their share."
    logs = {regime: [log_ratio(result, regime, kind) for result in found.by_layer["gat"]] for regime in REGIMES}
    other = [log_ratio(result, "test", kind) for result in found.by_layer["gatv2"]]
    interval = mean_interval(logs["test"])
    if len(found.seeds) < recipe.seeds or not math.isfinite(interval.estimate):
        return not_measured("G8", part, statement, "statistical")
    as_ratio, trained, v2 = (mean_interval(values).exp() for values in (logs["test"], logs["training"], other))
    outcome: Outcome = "inconclusive"
    if interval.excludes():
        outcome = "supported" if interval.estimate < 0 else "refuted"
    elif interval.within(0.01):
        outcome = "refuted"
    corrected = None
    if outcome == "refuted":
        corrected = f"They get {as_ratio.estimate:.3f} times their share: {'more' if interval.excludes() else 'no less'}."
    elif outcome == "supported" and as_ratio.estimate > 0.9:
        corrected = f"They get less, but hardly: {as_ratio.estimate:.3f} times their share."
    return Verdict(
        claim="G8", part=part, kind="statistical", statement=statement, verdict=outcome, corrected=corrected,
        effect=as_ratio.estimate, unit="attention / share of the neighbors", interval=ends(as_ratio), n=as_ratio.n,
        test="t interval over seeds of the mean log ratio, over shares and layers, at clean nodes with both kinds of neighbors; "
        f"trained with the noise {trained.estimate:.3f} [{trained.low:.3f}, {trained.high:.3f}], GATv2 {v2.estimate:.3f}",
        measured=as_ratio.estimate, next_step="more seeds" if outcome == "inconclusive" else "",
    )  # fmt: skip


def findings(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings:
    """The page's question, its answer, its figures."""
    shown: list[Figure] = []
    sentences = []
    for data in recipe.data:
        found = arms(results, data)
        if not found.seeds:
            continue
        shown += [map_figure(recipe, found, regime) for regime in REGIMES]
        shown += [line_figure(recipe, found), attention_figure(recipe, found)]
        node = node_figure(found)
        shown += [node] if node else []
        mine = [v for v in verdicts if v.claim == "G8" and v.part.startswith(f"{data}/") and v.part.count("/") == 2]
        robust = [v for v in mine if "attention" not in v.part]
        outcomes = {o: sum(v.verdict == o for v in robust) for o in ("supported", "refuted", "inconclusive")}
        heard = {v.part.rsplit("/", 1)[1]: v.effect for v in mine if "attention" in v.part and v.effect is not None}
        listened = ", ".join(f"{effect:.2f} times their share on noisy {kind}" for kind, effect in heard.items())
        sentences.append(
            f"{data}: GAT loses less than GCN in {outcomes['supported']} of {len(robust)} kinds of noise, not less in "
            f"{outcomes['refuted']}, undecided in {outcomes['inconclusive']}; its attention is {listened or 'not measured'}."
        )
    exact = [result for result in results if result.params["task"] == "weights"]
    if exact:
        shown.append(weights_figure(exact))
    return Findings(asked=ASKED, found=" ".join(sentences) or "Nothing was measured.", figures=tuple(shown))
