"""Padding: the verdicts that count cases, C1, C3 and C4."""

from __future__ import annotations

import math

from erlangen.experiments.kit.judging import counted, not_measured
from erlangen.experiments.padding import CLAIMS
from erlangen.experiments.padding.evidence import Evidence
from erlangen.records.runs import Verdict

STATEMENTS = {claim.id: claim.statement for claim in CLAIMS}
SPLITS = ("train", "validation", "test")


def border(evidence: Evidence) -> Verdict:
    """C1: the listed terms' sums against SciPy's."""
    result = evidence.exact.get("border")
    if result is None:
        return not_measured("C1", "terms", STATEMENTS["C1"])
    wrong, corner, edge, inside = (
        result.value(f"border_{name}") for name in ("wrong", "outside_at_corner", "outside_at_edge", "outside_inside")
    )
    return counted(
        "C1",
        "terms",
        STATEMENTS["C1"],
        cases=result.value("border_cases"),
        failures=wrong,
        holds=wrong == 0 and corner > 0 and inside == 0,
        test=f"sums of the listed terms against SciPy, |error| <= 1e-12; at one pixel of padding {corner:.0f} of 9 terms lie "
        f"outside at a corner, {edge:.0f} at an edge, {inside:.0f} inside",
        corrected="True where the output keeps its size or grows. Without padding no term lies outside: the output shrinks "
        "instead.",
    )


def classes(evidence: Evidence) -> Verdict:
    """C3: every image shows what its label and split say."""
    result = evidence.exact.get("data")
    if result is None:
        return not_measured("C3", "classes", STATEMENTS["C3"])
    images = sum(result.value(f"source_{split}_images") for split in SPLITS)
    odd = images - sum(result.value(f"source_{split}_as_stated") for split in SPLITS)
    test = "order, height and lit pixels of every image of every split"
    return counted("C3", "classes", STATEMENTS["C3"], cases=images, failures=odd, test=test)


def cues(evidence: Evidence) -> Verdict:
    """C3: order solves every split, place solves all but the test."""
    statement = "Order alone solves every split; place alone solves training and validation and fails the test."
    result = evidence.exact.get("data")
    if result is None:
        return not_measured("C3", "cues", statement)
    order, place = ([result.value(f"source_{split}_by_{cue}") for split in SPLITS] for cue in ("order", "place"))
    images = [result.value(f"source_{split}_images") for split in SPLITS]
    wrong = sum(
        abs(score - expected) / 100 * n
        for scores, stated in ((order, (100, 100, 100)), (place, (100, 100, 0)))
        for score, expected, n in zip(scores, stated, images, strict=True)
    )
    scored = [f"{cue} {' / '.join(f'{score:g}' for score in scores)} %" for cue, scores in (("order", order), ("place", place))]
    test = f"training / validation / test: {'; '.join(scored)}"
    return counted("C3", "cues", statement, cases=2 * sum(images), failures=wrong, test=test)


def splits(evidence: Evidence) -> Verdict:
    """C3: validation and test images against the training ones."""
    statement = "The images of validation and test are new to the net."
    result = evidence.exact.get("data")
    if result is None:
        return not_measured("C3", "splits", statement)
    held_out = SPLITS[1:]
    shared, clean = (
        [result.value(f"{protocol}_{split}_in_training") for split in held_out] for protocol in ("source", "leak-free")
    )
    return counted(
        "C3",
        "splits",
        statement,
        cases=sum(result.value(f"source_{split}_images") for split in held_out),
        failures=sum(shared),
        test=f"images that occur in training, the test's with their boxes moved back by 16 rows: validation {shared[0]:g}, test "
        f"{shared[1]:g}; in the leak-free splits {clean[0]:g} and {clean[1]:g}",
        corrected="The source seeds every split alike: its validation set is the beginning of its training set, and its test "
        "images are training images with the boxes moved by 16 rows. Accuracies on leak-free splits stand beside the table."
        if sum(shared)
        else None,
    )


def maps(evidence: Evidence) -> Verdict:
    """C4: the formula against the modules, and the stated sizes."""
    result = evidence.exact.get("maps")
    if result is None:
        return not_measured("C4", "maps", STATEMENTS["C4"])
    stated = {"valid": 2, "sconv": 4, "fconv": 6, "replicate": 6, "reflect": 6, "circular": 6}
    last = {name: (result.values(f"map_sizes_{name}") or (math.nan,))[-1] for name in stated}
    wrong, cases = result.value("map_wrong"), result.value("map_cases")
    shown = ", ".join(f"{name} {size:.0f}×{size:.0f}" for name, size in last.items())
    test = f"formula and module agree; last maps of a 32×32 image: {shown}"
    holds = wrong == 0 and last == stated
    return counted("C4", "maps", STATEMENTS["C4"], cases=cases, failures=wrong, holds=holds, test=test)
