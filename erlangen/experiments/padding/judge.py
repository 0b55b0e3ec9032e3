"""Padding: from results to verdicts and to what the page shows."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.padding import PADDING_NAMES, Recipe, accuracy, exact, flatten
from erlangen.experiments.padding.evidence import Evidence, gather, mean
from erlangen.experiments.padding.figures import figures
from erlangen.results import Findings, JobResult, Verdict

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
    place, order = (
        ", ".join(f"{row} {score:.1f} %" for row, score in scores.items() if (score < 50) == reads_place)
        for reads_place in (True, False)
    )
    parts = [f"{place} read place and lose the test"] if place else []
    parts += [f"{order} read order and keep it"] if order else []
    return f"With the heights swapped, {'; '.join(parts)} (mean test accuracy, n = {evidence.recipe.seeds} seeds)."
