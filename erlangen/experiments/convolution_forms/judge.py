"""One graph convolution, three forms: verdicts and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from erlangen.experiments.convolution_forms import Recipe
from erlangen.experiments.convolution_forms.library_parts import library_parts
from erlangen.experiments.convolution_forms.matrix_parts import matrix_parts
from erlangen.experiments.convolution_forms.median_parts import median_parts
from erlangen.experiments.convolution_forms.message_parts import message_parts
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Answer, Verdict

INSTALL = "torch_geometric is not installed: pip install torch_geometric"
ASKING = ("torch_geometric", "torch_geometric's median and max", "our median and max")


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """Messages, matrices, medians; parts that ask torch_geometric say how to install it where it is missing."""
    parts = [*message_parts(evidence), *matrix_parts(evidence), *median_parts(recipe, evidence), *library_parts(recipe, evidence)]
    bare = any(result.params.get("torch_geometric", "") is None for result in evidence.results)
    return [
        replace(verdict, next_step=INSTALL) if bare and verdict.part in ASKING and verdict.verdict == "not measured" else verdict
        for verdict in decide(parts)
    ]


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """In how many comparisons the forms differ, how many rows of D⁻¹A add up to 1, and why a median has no matrix."""
    judged = {verdict.part: verdict for verdict in verdicts}

    def count(part: str) -> str:
        verdict = judged[part]
        return "an unknown number" if verdict.effect is None else f"{verdict.effect:.0f} of {verdict.n}"

    shares = [verdict.effect for verdict in verdicts if "fixed matrix, " in verdict.part and decided(verdict) and verdict.effect]
    share = f"at least {100 * min(shares):.0f} %" if shares else "an unknown share"
    messages = (
        "The layer is one message-passing network: index form, message form and a program that goes from node to node differ "
        f"beyond rounding in {count('message form')} comparisons, and each message is the neighbor's embedding h_u alone."
    )
    matrices = (
        f"The three forms differ from σ(D⁻¹AHW + HB) in dense matrices beyond rounding in {count('matrix form')} comparisons. Of "
        f"the rows of D⁻¹A, {count('row-normalized')} do not add up to 1, but {count('row-normalized, reached nodes')} of those "
        "of nodes that an edge reaches: elsewhere D⁻¹ does not exist."
    )
    linear, associative = judged["nonlinear"], judged["non-associative"]
    if linear.verdict == "supported" and associative.corrected:
        medians = (
            f"A median or maximum has no fixed matrix because it is not linear, and the best one leaves {share} of its variance. "
            f"{associative.corrected}"
        )
    else:
        medians = (
            f"Of aggregators, {count('nonlinear')} contradict that nonlinearity is the reason, and {count('non-associative')} "
            f"that non-associativity is. The best fixed matrix leaves {share} of the variance of a median or maximum."
        )
    return [
        answer("G4", verdicts, messages, figure="message-form"),
        answer("G5", verdicts, matrices, figure="matrix-form"),
        answer("G6", verdicts, medians, figure="residual"),
    ]


def decided(verdict: Verdict) -> bool:
    """Whether a verdict's number can be quoted."""
    return verdict.verdict in ("supported", "refuted")
