"""Padding: from results to verdicts and to what the page shows."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.padding import PADDING_NAMES, Recipe, accuracy, exact, flatten
from erlangen.experiments.padding.evidence import Evidence, gather, mean
from erlangen.experiments.padding.figures import figures
from erlangen.records.runs import Findings, JobResult, Verdict

ASKED = (
    "A convolution does the same everywhere, so a pooled CNN should not know where things are. Does it learn place all the same, "
    "from the border that padding paints?"
)


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """One verdict for every part that the recipe's rows can show; parts whose jobs failed are `not measured`."""
    evidence = gather(recipe, results)
    rows = [str(row) for row in recipe.rows]
    pooled, flattened = ([row for row in rows if row.startswith(net)] for net in ("Net1", "Net2"))
    both = [padding for padding in PADDING_NAMES if f"Net1/{padding}" in pooled and f"Net2/{padding}" in flattened]
    found = [exact.border(evidence), accuracy.table(evidence)]
    if evidence.as_published():
        found += [accuracy.row(evidence, row) for row in rows]
    found += [exact.classes(evidence), exact.cues(evidence), exact.splits(evidence), exact.maps(evidence)]
    if set(accuracy.ORDER) <= set(rows):
        found.append(accuracy.order(evidence))
    if flattened:
        found.append(flatten.fact(evidence, flattened))
    if both:
        found.append(flatten.cause(evidence, both))
    if pooled:
        found.append(flatten.translation(evidence, pooled))
    return found


def findings(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings:
    """The page's question, its answer, its figures."""
    evidence = gather(recipe, results)
    return Findings(asked=ASKED, found=answer(evidence), figures=tuple(figures(evidence)))


def answer(evidence: Evidence) -> str:
    """What was found, in one sentence made of measured numbers."""
    scores = {row: mean(evidence.measured(row, "test_accuracy")) for row, seeds in evidence.nets.items() if seeds}
    if not scores:
        return "No net has been trained yet."
    place = {row: score for row, score in scores.items() if score < 50}
    order = {row: score for row, score in scores.items() if score >= 50}
    parts = [f"{grouped(place)} read place and lose the test"] if place else []
    parts += [f"{grouped(order)} read order and keep it"] if order else []
    return f"With the heights swapped, {'; '.join(parts)} (mean test accuracy, n = {evidence.recipe.seeds} seeds)."


def grouped(scores: dict[str, float]) -> str:
    """'Net1 under valid (0.1 %) and sconv (6.4 %), Net2 under all six paddings (0.0 %)'"""
    groups = []
    for net, kind in (("Net1", "pooled"), ("Net2", "flattened")):
        own = {row.split("/")[1]: f"{score:.1f} %" for row, score in scores.items() if row.startswith(net)}
        if len(own) == len(PADDING_NAMES) and len(set(own.values())) == 1:
            groups.append(f"the {kind} net under all six paddings ({next(iter(own.values()))})")
        elif own:
            names = [f"{padding} ({score})" for padding, score in own.items()]
            groups.append(f"the {kind} net under {' and '.join([', '.join(names[:-1]), names[-1]] if names[1:] else names)}")
    return ", ".join(groups)
