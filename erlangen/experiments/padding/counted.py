"""Padding: the parts that count cases, C3 and C4."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.experiments.padding.tasks import PADDINGS, SPLITS, Data, Maps

FEATURES = dict.fromkeys(PADDINGS, 2304) | {"valid": 256, "sconv": 1024}  # 64 channels of 6×6, 2×2 and 4×4 pixels


def reader(evidence: Evidence, kind: type) -> tuple[Callable[[str], float], tuple[str, ...]]:
    """What reads a measurement of a task that runs once, NaN where there is none; and the job that is missing."""
    arm = evidence.arm(kind)
    result = arm.results.get(0)
    return result.value if result else lambda name: math.nan, arm.missing


def last_side(evidence: Evidence, name: str) -> float:
    """Pixels a side after the last layer, of a list of map sizes; NaN where it was not measured."""
    return next((result.values(name)[-1] for result in evidence.of(Maps) if result.values(name)), math.nan)


def images(evidence: Evidence) -> list[Exact]:
    """C3: what the images show, what order and height alone score, and which images also occur in training."""
    value, missing = reader(evidence, Data)
    size = {split: value(f"source_{split}_images") for split in SPLITS}
    new = size["validation"] + size["test"] - value("source_validation_in_training") - value("source_test_in_training")
    clean = value("leak-free_validation_in_training") + value("leak-free_test_in_training")
    solved = {("order", split): 100 for split in SPLITS} | {("place", split): 0 if split == "test" else 100 for split in SPLITS}
    unsolved = [abs(value(f"source_{split}_by_{cue}") - score) / 100 * size[split] for (cue, split), score in solved.items()]
    part = partial(Exact, claim="C3", missing=missing)
    return [
        part(
            part="classes",
            of="report",
            quote="Class 0 is red left of green, high; class 1 green left of red, low; the test set swaps the heights.",
            statement="Class 0 is red left of green, high; class 1 is green left of red, low; the test set swaps the heights.",
            cases=sum(size.values()),
            count=sum(size.values()) - sum(value(f"source_{split}_as_stated") for split in SPLITS),
            unit="images that differ",
            checks=(Check(name="mirrored images are seen to differ", passed=value("source_train_by_order_mirrored") == 0),),
            test="order, height and lit pixels of every image of every split",
        ),
        part(
            part="cues",
            of="control",
            statement="Order alone solves every split. Height alone solves training and validation, and fails the whole test.",
            cases=2 * sum(size.values()),
            count=sum(unsolved),
            unit="images that differ",
        ),
        part(
            part="copies",
            of="control",
            statement="Every validation image is also a training image, and every test image is one with its boxes moved.",
            cases=size["validation"] + size["test"],
            count=new,
            unit="images that are new to the net",
            checks=(Check(name="images of the leak-free splits are seen to be new", passed=clean == 0),),
            corrected=f"{new:.0f} of the images are new to the net.",
            note="The report seeds every split alike. Accuracies on leak-free splits are listed beside those of the table.",
        ),
    ]


def maps(evidence: Evidence) -> list[Exact]:
    """C4: the stated sizes, the formula as printed and with its floor, and the length of the flattened map."""
    value, missing = reader(evidence, Maps)
    printed = ", ".join(f"{last_side(evidence, f'map_sizes_printed_{padding}'):g}" for padding in ("valid", "sconv", "fconv"))
    part = partial(Exact, claim="C4", missing=missing, test="shapes that real modules return")
    return [
        part(
            part="sizes",
            of="report",
            quote="Maps after four layers are 2×2, 4×4, 6×6 … [64,6,6] flattens to 2304",
            statement="After four layers the maps are 2×2 (valid), 4×4 (sconv) and 6×6 (the paddings of two pixels), so that 64 "
            "channels flatten to 256, 1024 and 2304 features.",
            cases=len(FEATURES),
            count=sum(abs(64 * last_side(evidence, f"map_sizes_{padding}") ** 2 - n) for padding, n in FEATURES.items()),
            unit="features more or fewer",
        ),
        part(
            part="formula",
            of="report",
            quote="output size = (n + 2p − k)/s + 1",
            statement="The size of a map is (n + 2p - k) / s + 1.",
            cases=value("map_cases"),
            count=value("map_printed_wrong"),
            unit="nets whose maps differ",
            corrected=f"The floor is missing: ⌊(n + 2p - k) / s⌋ + 1. As printed, a side of 32 pixels becomes one of {printed}.",
        ),
        part(
            part="formula with the floor",
            of="extension",
            statement="The size of a map is ⌊(n + 2p - k) / s⌋ + 1; where this is 0, the module refuses the image.",
            cases=value("map_cases"),
            count=value("map_wrong"),
            unit="nets whose maps differ",
            checks=(Check(name="the formula without the floor is seen to fail", passed=value("map_printed_wrong") > 0),),
        ),
    ]
