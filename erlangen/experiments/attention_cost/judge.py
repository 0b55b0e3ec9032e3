"""What attention costs: verdicts and answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from erlangen.experiments.attention_cost import Recipe
from erlangen.experiments.attention_cost.flash_parts import flash_parts
from erlangen.experiments.attention_cost.length_parts import length_parts
from erlangen.experiments.attention_cost.readings import arm, at, constants, device, peak, shaped
from erlangen.experiments.attention_cost.tasks import Time
from erlangen.experiments.attention_cost.window_parts import window_parts
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.records.runs import Answer, Verdict
from erlangen.statistics.intervals import mean_interval


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """Growth with the length and the width, windows, and the fused kernel."""
    return decide([*length_parts(recipe, evidence), *window_parts(recipe, evidence), *flash_parts(recipe, evidence)])


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """One sentence or two for each claim, in what was counted and timed."""
    judged = {(verdict.claim, verdict.part): verdict for verdict in verdicts}
    return [
        answer("T1", verdicts, of_length(recipe, evidence, judged), figure="cost"),
        answer("T2", verdicts, of_window(recipe, evidence, judged), figure="windows"),
        answer("T11", verdicts, of_flash(recipe, evidence, judged), figure="pieces"),
    ]


Judged = Mapping[tuple[str, str], Verdict]


def effect(judged: Judged, claim: str, part: str, form: str = "{:.2f}") -> str:
    """A part's effect in words."""
    value = judged[claim, part].effect
    return "an unknown number" if value is None or not math.isfinite(value) else form.format(value)


def of_length(recipe: Recipe, evidence: Evidence, judged: Judged) -> str:
    """The counts, then the exponents of the clock."""
    wrong = [judged["T1", part].effect for part in ("products, length", "products, width", "products, whole layer")]
    rows = [one for over in ("length", "features") for one in shaped(evidence, "scores", over)]
    forward = constants([(ahead, n * n * d) for n, _, d, ahead, _ in rows])
    backward = constants([(both - ahead, n * n * d) for n, _, d, ahead, both in rows])
    counts = (
        f"QKᵀ costs {forward}n²·d multiply-adds forward and {backward}n²·d backward: twice the tokens cost 4 times as much at "
        "every length, and twice the width costs twice as much. That is quadratic, not exponential."
        if wrong == [0, 0, 0] and judged["T1", "exponential"].verdict == "refuted"
        else "The counts of QKᵀ do not all follow n²·d."
    )
    return (
        f"{counts} From {recipe.settled:,} tokens on, the time of forward and backward on {device(evidence)} grows with the "
        f"exponent {effect(judged, 'T1', 'time, naive')} for naive and {effect(judged, 'T1', 'time, fused')} for fused attention."
    )


def of_window(recipe: Recipe, evidence: Evidence, judged: Judged) -> str:
    """The counts, equality with the mask, and time and memory beside fused and masked attention."""
    n = recipe.lengths[-1]
    rows = [one for over in ("length", "window", "features") for one in shaped(evidence, "local", over) if one[0] % one[1] == 0]
    forward = constants([(ahead, n * w * d) for n, w, d, ahead, _ in rows])
    backward = constants([(both - ahead, n * w * d) for n, w, d, ahead, both in rows])
    counts = (
        f"With a window of w tokens, attention in blocks costs {forward}n·w·d multiply-adds forward and {backward}n·w·d "
        "backward: linear in n and in w."
        if judged["T2", "products"].effect == 0
        else "The counts do not all follow n·w."
    )
    return (
        f"{counts} At {n:,} tokens and w = {recipe.window}, forward and backward take {milliseconds(evidence, 'local', n)} on "
        f"{device(evidence)} (full fused attention: {milliseconds(evidence, 'fused', n)}) and {held(evidence, 'local', n)}; a "
        f"window that is given as a mask takes {held(evidence, 'masked', n)}, because the mask alone is an n × n matrix."
    )


def of_flash(recipe: Recipe, evidence: Evidence, judged: Judged) -> str:
    """What is saved, what is computed again, and what binds."""
    n, reads = recipe.lengths[-1], judged["T11", "reads and writes"]
    more = {"supported": "they take longer than arithmetic", "refuted": "arithmetic takes longer"}.get(
        reads.verdict, "whether that is more than arithmetic takes is not decided"
    )
    again = ", although it computes 7 products for 6" if judged["T11", "recomputes instead of storing"].effect == 0 else ""
    return (
        f"At {n:,} tokens fused attention holds {held(evidence, 'fused', n)} where naive attention holds "
        f"{held(evidence, 'naive', n)}, and on {device(evidence)} it takes {effect(judged, 'T11', 'saves time')} times as long"
        f"{again}. Reads and writes take "
        f"{effect(judged, 'T11', 'reads and writes', '{:.0f} %')} of naive attention's forward pass at "
        f"d = {recipe.features}: {more}."
    )


def milliseconds(evidence: Evidence, form: str, length: int) -> str:
    """A form's time, forward and backward, its mean over seeds."""
    results = arm(evidence, Time, form, length, kept=True).results.values()
    mean = mean_interval([at(result, form, "both seconds", length) for result in results]).estimate
    return f"{1e3 * mean:.3g} ms" if math.isfinite(mean) else "an unknown time"


def held(evidence: Evidence, form: str, length: int) -> str:
    """A form's memory, forward and backward."""
    mebibytes = peak(evidence, form, length)
    return f"{mebibytes:.3g} MiB" if math.isfinite(mebibytes) else "unknown memory"
