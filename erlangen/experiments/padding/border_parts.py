"""Padding: the parts on what a convolution reads at the border, C1, against SciPy and against what the report prints."""

from __future__ import annotations

import math
from functools import partial
from itertools import chain

from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.experiments.padding.accuracies import published
from erlangen.experiments.padding.counted import reader
from erlangen.experiments.padding.tasks import Border

TERMS = "f₁₁ is a sum of nine terms; the pixels g₂₀ g₁₀ g₀₂ g₀₁ g₀₀ do not exist; padding supplies them."


def border(evidence: Evidence) -> list[Exact]:
    """The sums of the listed terms, the pixels that the report says are missing, and its example of a padded image."""
    value, missing = reader(evidence, Border)
    cases = value("border_cases")
    part = partial(Exact, claim="C1", of="report", missing=missing)
    stated = {(float(row), float(column)) for row, column in published()["border"]["pixels that do not exist"]}
    return [
        part(
            part="terms",
            quote=TERMS,
            statement="Each output pixel is a sum of nine terms. At a corner five of them read pixels that do not exist, and "
            "padding supplies these; in the interior all nine exist.",
            cases=cases,
            count=value("border_wrong") + abs(value("border_outside_at_corner") - 5) + value("border_outside_inside"),
            unit="output pixels that differ",
            checks=(
                Check(
                    name="terms of the other kernel direction are seen to differ", passed=value("border_told_apart") > cases / 2
                ),
            ),
            test="sums of the listed terms against SciPy's convolution and correlation, |error| ≤ 1e-12",
            note="Without padding no term lies outside: the output shrinks instead.",
        ),
        part(
            part="missing pixels",
            quote=TERMS,
            statement="Of the nine pixels in the sum f₁₁, those that do not exist are g₂₀, g₁₀, g₀₂, g₀₁ and g₀₀.",
            cases=value("first_pixel_terms"),
            count=abs(value("first_pixel_terms") - 9) + differing(evidence, "first", stated),
            unit="pixels named and not missing, or missing and not named",
            checks=(
                Check(name="the missing pixels of f₁₂ are seen to differ", passed=differing(evidence, "second", stated) > 0),
            ),
            test="the listed terms of the true convolution, rows and columns counted from 1",
        ),
        example(evidence, part),
    ]


def differing(evidence: Evidence, pixel: str, stated: set[tuple[float, float]]) -> float:
    """Positions outside the image that the report does not name, and the other way round; NaN where nothing was listed."""
    listed = next((result.values(f"{pixel}_pixel_outside") for result in evidence.of(Border)), ())
    return len(set(zip(listed[::2], listed[1::2], strict=True)) ^ stated) if listed else math.nan


def example(evidence: Evidence, part: partial[Exact]) -> Exact:
    """The report's reflected image, as far as it prints it, against what our padding returns."""
    stated = list(chain(*published()["border"]["first rows of the 3×3 image 1 ... 9 under reflect padding"]))

    def wrong(mode: str) -> float:
        padded = next((result.values(f"{mode}_example") for result in evidence.of(Border)), ())
        return sum(a != b for a, b in zip(padded, stated, strict=False)) if len(padded) == 25 else math.nan

    return part(
        part="reflect example",
        quote=TERMS,
        statement="Reflect padding turns the 3×3 image 1 … 9 into a 5×5 image whose first rows are 5 4 5 6 5 and 2 1 2 3 2.",
        cases=len(stated),
        count=wrong("reflect"),
        unit="pixels that differ",
        checks=(Check(name="replicate padding is seen to differ", passed=wrong("replicate") > 0),),
        test="one pixel of padding on each side",
    )
