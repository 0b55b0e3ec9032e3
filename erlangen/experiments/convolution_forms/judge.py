"""One graph convolution, three forms: from results to verdicts and to what the page shows."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.convolution_forms import Recipe, matrix_verdicts, median_verdicts, message_verdicts
from erlangen.experiments.convolution_forms.evidence import task
from erlangen.experiments.convolution_forms.figures import figures
from erlangen.experiments.convolution_forms.library_verdict import library
from erlangen.records.runs import Findings, JobResult, Verdict

ASKED = (
    "Are indices, messages and matrices one and the same graph convolution? What must a message know, and why is a median "
    "no matrix?"
)


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """One for each of fourteen parts; those whose jobs failed, or that lack torch_geometric, are `not measured`."""
    message, matrix, median = message_verdicts, matrix_verdicts, median_verdicts
    return [
        message.mpnn(recipe, results),
        message.edge_free(recipe, results),
        message.degree(recipe, results),
        matrix.matrix(recipe, results),
        matrix.direction(recipe, results),
        matrix.visibility(recipe, results),
        matrix.transposes(recipe, results),
        matrix.pyg(recipe, results),
        *median.additivity(recipe, results),
        median.residual(recipe, results),
        median.selection(recipe, results),
        median.reason(recipe, results),
        library(recipe, results),
    ]


def findings(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings:
    """The page's question, its answer, its figures."""
    return Findings(asked=ASKED, found=answer(recipe, results, verdicts), figures=tuple(figures(recipe, results)))


def answer(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> str:
    """What was found, in sentences made of verdicts and measured numbers."""
    outcome = {f"{verdict.claim} {verdict.part}": verdict.verdict for verdict in verdicts}
    said = []
    forms = {outcome.get("G4 mpnn"), outcome.get("G5 matrix")}
    if forms == {"supported"}:
        said.append("The three forms are one layer.")
    elif "refuted" in forms:
        said.append("The forms are not one layer.")
    pair = task(recipe, results, "pair")
    if pair and outcome.get("G4 mpnn") == "supported" and outcome.get("G4 edge-free") == "refuted":
        needed = [pair[0].value(f"message_{number}") for number in (1, 2)]
        said.append(
            "Where the aggregation is a mean a message needs nothing of the edge; under a sum and the same update the same two "
            f"features need {needed[0]:.3g} on an edge of one graph and {needed[1]:.3g} in another."
        )
    if any(verdict.part == "degree" and verdict.effect == 0 for verdict in verdicts):  # no graph on which the update fails
        said.append("A message (h_u, 1) and an update that divides do without either.")
    if outcome.get("G6 additivity") == "supported" and outcome.get("G6 selection") == "supported":
        said.append("A median has no fixed matrix, for it is not additive; it does have one that depends on X.")
    refuted = ", ".join(part for part, verdict in outcome.items() if verdict == "refuted")
    return " ".join([*said, f"{len(outcome)} parts were judged; refuted as stated: {refuted or 'none'}."])
