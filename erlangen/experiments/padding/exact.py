"""Padding: the verdicts that count cases, C1, C3 and C4."""

from __future__ import annotations

import math

from erlangen.experiments.padding import CLAIMS
from erlangen.experiments.padding.evidence import Evidence, not_measured
from erlangen.results import Verdict

STATEMENTS = {claim.id: claim.statement for claim in CLAIMS}
SPLITS = ("train", "validation", "test")


def counted(
    claim: str,
    part: str,
    cases: float,
    failures: float,
    holds: bool,
    test: str,
    statement: str = "",
    corrected: str | None = None,
) -> Verdict:
    """Supported when it holds in every case; the effect is the number of cases in which it does not."""
    return Verdict(
        claim=claim,
        part=part,
        kind="exact",
        statement=statement or STATEMENTS[claim],
        verdict="supported" if holds else "refuted",
        corrected=corrected,
        effect=failures,
        unit="cases that differ",
        interval=(failures, failures),
        n=int(cases),
        test=test,
        measured=failures,
    )


def border(evidence: Evidence) -> Verdict:
    """C1: the listed terms' sums against SciPy's."""
    result = evidence.exact.get("border")
    if result is None:
        return not_measured("C1", "terms", "exact", STATEMENTS["C1"])
    wrong, corner, edge, inside = (
        result.value(f"border_{name}") for name in ("wrong", "outside_at_corner", "outside_at_edge", "outside_inside")
    )
    return counted(
        "C1",
        "terms",
        result.value("border_cases"),
        wrong,
        wrong == 0 and corner > 0 and inside == 0,
        f"sums of the listed terms against SciPy, |error| <= 1e-12; at one pixel of padding {corner:.0f} of 9 terms lie "
        f"outside at a corner, {edge:.0f} at an edge, {inside:.0f} inside",
        corrected="True where the output keeps its size or grows. Without padding no term lies outside: the output shrinks "
        "instead.",
    )


def classes(evidence: Evidence) -> Verdict:
    """C3: every image shows what its label and split say."""
    result = evidence.exact.get("data")
    if result is None:
        return not_measured("C3", "classes", "exact", STATEMENTS["C3"])
    images = sum(result.value(f"source_{split}_images") for split in SPLITS)
    odd = images - sum(result.value(f"source_{split}_as_stated") for split in SPLITS)
    return counted("C3", "classes", images, odd, odd == 0, "order, height and lit pixels of every image of every split")


def cues(evidence: Evidence) -> Verdict:
    """C3: order solves every split, place solves all but the test."""
    statement = "Order alone solves every split; place alone solves training and validation and fails the test."
    result = evidence.exact.get("data")
    if result is None:
        return not_measured("C3", "cues", "exact", statement)
    order, place = ([result.value(f"source_{split}_by_{cue}") for split in SPLITS] for cue in ("order", "place"))
    images = [result.value(f"source_{split}_images") for split in SPLITS]
    wrong = sum(
        abs(score - expected) / 100 * n
        for scores, stated in ((order, (100, 100, 100)), (place, (100, 100, 0)))
        for score, expected, n in zip(scores, stated, images, strict=True)
    )
    scored = [f"{cue} {' / '.join(f'{score:g}' for score in scores)} %" for cue, scores in (("order", order), ("place", place))]
    test = f"training / validation / test: {'; '.join(scored)}"
    return counted("C3", "cues", 2 * sum(images), wrong, wrong == 0, test, statement)


def splits(evidence: Evidence) -> Verdict:
    """C3: validation and test images against the training ones."""
    statement = "The images of validation and test are new to the net."
    result = evidence.exact.get("data")
    if result is None:
        return not_measured("C3", "splits", "exact", statement)
    held_out = SPLITS[1:]
    shared, clean = (
        [result.value(f"{protocol}_{split}_in_training") for split in held_out] for protocol in ("source", "leak-free")
    )
    return counted(
        "C3",
        "splits",
        sum(result.value(f"source_{split}_images") for split in held_out),
        sum(shared),
        sum(shared) == 0,
        f"images that occur in training, the test's with their boxes moved back by 16 rows: validation {shared[0]:g}, test "
        f"{shared[1]:g}; in the leak-free splits {clean[0]:g} and {clean[1]:g}",
        statement,
        "The source seeds every split alike: its validation set is the beginning of its training set, and its test images are "
        "training images with the boxes moved by 16 rows. Accuracies on leak-free splits stand beside the table."
        if sum(shared)
        else None,
    )


def maps(evidence: Evidence) -> Verdict:
    """C4: the formula against the modules, and the stated sizes."""
    result = evidence.exact.get("maps")
    if result is None:
        return not_measured("C4", "maps", "exact", STATEMENTS["C4"])
    stated = {"valid": 2, "sconv": 4, "fconv": 6, "replicate": 6, "reflect": 6, "circular": 6}
    last = {name: (result.values(f"map_sizes_{name}") or (math.nan,))[-1] for name in stated}
    wrong = result.value("map_wrong")
    shown = ", ".join(f"{name} {size:.0f}×{size:.0f}" for name, size in last.items())
    test = f"formula and module agree; last maps of a 32×32 image: {shown}"
    return counted("C4", "maps", result.value("map_cases"), wrong, wrong == 0 and last == stated, test)
