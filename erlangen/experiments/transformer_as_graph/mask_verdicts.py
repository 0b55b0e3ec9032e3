"""Transformers as graph networks: verdicts on the masks (G11)."""

from __future__ import annotations

import math

from erlangen.experiments.kit.judging import ends, not_measured
from erlangen.experiments.transformer_as_graph import CLAIMS
from erlangen.experiments.transformer_as_graph.evidence import (
    LISTENED,
    PAIRS,
    WORDS,
    Compared,
    Trained,
    comparisons,
    log_ratios,
)
from erlangen.records.runs import Outcome, Verdict
from erlangen.statistics.intervals import Interval, mean_interval

STATEMENT = CLAIMS[1].statement
MASKS = ("homophilous", "heterophilous", "uninformative")  # the edges against everyone: what `overall` is made of
LISTENING = {
    "dilution": "When every node is attended to, true edges get no more of the attention than their share.",
    "dilution/class": "When every node is attended to, a neighbor gets no more attention than another node of its class.",
    "dilution/eigenvectors": "Told the eigenvectors too, a neighbor gets no more attention than another node of its class.",
}


def masks(trained: Trained) -> list[Verdict]:
    """Attention on edges, then accuracies for each number of classes, then the claim as a whole."""
    found = comparisons(trained)
    judged = [attention(trained, part, found[part]) for part in LISTENED]
    pairs = {
        f"{part}/{classes}": pair(trained, part, classes, found[f"{part}/{classes}"])
        for classes in trained.recipe.classes
        for part in PAIRS
    }
    return [*judged, *pairs.values(), overall(trained, {verdict.part: verdict for verdict in [*judged, *pairs.values()]})]


def better(difference: Interval, p: float, margin: float) -> Outcome:
    """Whether the left arm is more accurate, p adjusted for the family: not so where at best it is by less than the margin."""
    if not math.isfinite(difference.low) or math.isnan(p):
        return "inconclusive"
    if p < 0.05:
        return "supported" if difference.estimate > 0 else "refuted"
    return "refuted" if difference.high < margin else "inconclusive"


def pair(trained: Trained, part: str, classes: int, compared: Compared) -> Verdict:
    """One arm against another at one homophily."""
    left, right, _ = PAIRS[part]
    difference, margin = compared.interval, trained.recipe.margin
    there = (
        f" and {100 * compared.places[0]:g} % of the edges within one" if len(compared.places) == 1 else ", whatever the edges"
    )
    statement = f"With {classes} classes{there}, {WORDS[left]} is more accurate than {WORDS[right].rstrip(',')}."
    name = f"{part}/{classes}"
    if not compared.complete or not math.isfinite(difference.estimate):
        return not_measured("G11", name, statement, "statistical")
    outcome = better(difference, compared.adjusted, margin)
    next_step, corrected = "", None
    if compared.unfit:
        outcome = "inconclusive"
        next_step = f"{', '.join(compared.unfit)} did not reach {trained.recipe.fit:g} % in training: more epochs"
    elif outcome == "inconclusive":
        next_step = f"more seeds, or a wider margin than {margin:g}"
    elif outcome == "refuted":
        if compared.adjusted < 0.05:
            corrected = f"It is less accurate there, by {-difference.estimate:.1f} points."
        elif difference.within(margin):
            corrected = f"The two are equally accurate there, to within {margin:g} points."
        else:
            corrected = f"It is more accurate there by less than {margin:g} points, if at all."
    return Verdict(
        claim="G11", part=name, kind="statistical", statement=statement, verdict=outcome, corrected=corrected,
        effect=difference.estimate, unit=f"points of test accuracy, {left} - {right}", interval=ends(difference), n=difference.n,
        test=f"paired t by seed, p = {compared.adjusted:.2g} after Holm over all of G11; {left} {compared.left:.1f} %, {right} "
        f"{compared.right:.1f} %",
        measured=difference.estimate, next_step=next_step,
    )  # fmt: skip


def attention(trained: Trained, part: str, compared: Compared) -> Verdict:
    """Attention on true edges over their share, or over what others of the same classes get."""
    arm, base = LISTENED[part]
    if not compared.complete or not math.isfinite(compared.interval.estimate):
        return not_measured("G11", part, LISTENING[part], "statistical")
    limit = math.log1p(trained.recipe.tolerance)
    ratio = compared.interval.exp()
    outcome: Outcome = "inconclusive"
    if compared.interval.high <= limit:
        outcome = "supported"
    elif compared.adjusted < 0.05 and compared.interval.estimate > 0:
        outcome = "refuted"
    next_step, corrected = "more seeds" if outcome == "inconclusive" else "", None
    if compared.unfit:
        outcome = "inconclusive"
        next_step = f"{', '.join(compared.unfit)} did not reach {trained.recipe.fit:g} % in training: more epochs"
    elif outcome == "refuted":
        corrected = f"It gets {ratio.estimate:.2f} times as much."
    share = mean_interval(log_ratios(trained, arm, "share_of_edges")).exp()
    return Verdict(
        claim="G11", part=part, kind="statistical", statement=LISTENING[part], verdict=outcome, corrected=corrected,
        effect=ratio.estimate, unit=f"attention on edges / {'share' if base == 'share_of_edges' else 'same classes'}",
        interval=ends(ratio), n=ratio.n,
        test=f"t interval over seeds of the mean log ratio, over layers and block models; no more: at most "
        f"{1 + trained.recipe.tolerance:g} times; p of a difference {compared.adjusted:.2g} after Holm over all of G11; {arm}, "
        f"over the share {share.estimate:.3f} [{share.low:.3f}, {share.high:.3f}]",
        measured=ratio.estimate, next_step=next_step,
    )  # fmt: skip


def overall(trained: Trained, judged: dict[str, Verdict]) -> Verdict:
    """The claim as made: better on graphs, whatever the graph."""
    parts = {name: verdict for name, verdict in judged.items() if name.split("/")[0] in MASKS}
    measured = {name: verdict.effect for name, verdict in parts.items() if verdict.effect is not None}
    if not parts or len(measured) < len(parts):
        return not_measured("G11", "overall", STATEMENT, "statistical")
    outcomes = [verdict.verdict for verdict in parts.values()]
    least = parts[min(measured, key=lambda name: measured[name])]
    outcome: Outcome = "inconclusive"
    if "refuted" in outcomes:
        outcome = "refuted"
    elif all(one == "supported" for one in outcomes):
        outcome = "supported"
    listed = ", ".join(f"{name} {verdict.effect:+.1f} {verdict.verdict}" for name, verdict in parts.items())
    return Verdict(
        claim="G11", part="overall", kind="statistical", statement=STATEMENT, verdict=outcome,
        corrected=corrected(trained, judged) if outcome == "refuted" else None,
        effect=least.effect, unit=f"points, the least of its parts ({least.part})", interval=least.interval, n=least.n,
        test=f"edges against everyone, part by part: {listed}. The layer is a Transformer's under every mask: judged is whom it "
        "attends to, not how GAT scores",
        measured=least.effect, next_step="see its parts" if outcome == "inconclusive" else "",
    )  # fmt: skip


def where(judged: dict[str, Verdict]) -> str:
    """Where the edges are better than everyone, and where not, in a sentence."""
    listed = {
        outcome: ", ".join(
            f"{verdict.effect:+.1f} points ({name})"
            for name, verdict in judged.items()
            if name.split("/")[0] in MASKS and verdict.verdict == outcome and verdict.effect is not None
        )
        for outcome in ("supported", "refuted", "inconclusive")
    }
    words = {"supported": "better here", "refuted": "not here", "inconclusive": "undecided here"}
    said = "; ".join(f"{words[outcome]}: {names}" for outcome, names in listed.items() if names)
    return f"Attention along the edges, against attention to every node, is {said}." if said else ""


def corrected(trained: Trained, judged: dict[str, Verdict]) -> str:
    """The claim as it should read, from whatever was found."""
    sentences = [where(judged)]
    heard = judged["dilution"]
    if heard.verdict == "supported" and heard.effect is not None:
        sentences.append(
            f"When every node is attended to, true edges get {heard.effect:.2f} times their share: nothing tells which they are."
        )
    for classes in trained.recipe.classes:
        diluted, told, gap, listening = (judged[f"{part}/{classes}"] for part in ("diluted", "eigenvectors", "gap", "listening"))
        if diluted.verdict == "supported":
            sentences.append(f"With {classes} classes, three random edges beside each true one cost {diluted.effect:.1f} points.")
        if told.verdict == "supported" and gap.effect is not None:
            left = f"{gap.effect:.1f} short of the edges" if gap.effect >= 0 else f"{-gap.effect:.1f} beyond the edges"
            used = "; attention to oneself alone makes no less of them" if listening.verdict == "refuted" else ""
            sentences.append(
                f"With {classes} classes, told Laplacian eigenvectors, attention to every node gains {told.effect:.1f} points, "
                f"{left}{used}."
            )
    return " ".join(sentences)
