"""Claims C1-C4, C8 and the order of C5: what padding tells a CNN about absolute place.

Net1 (pooled) and Net2 (flattened) × six paddings × ten seeds on red-green images whose test split swaps the heights.
Published means over ten seeds, pooled net, test accuracy: valid 0.1, sconv 6.4, fconv 88.9, replicate 93.8, reflect 0.0,
circular 82.6; flattened net: 0.0 throughout. `standard` takes about an hour on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from erlangen.claims import statement_of
from erlangen.experiments.kit.tasks import job
from erlangen.experiments.padding.tasks import ROWS, Border, Data, Maps, Train
from erlangen.records.runs import Claim, Job

TITLE = "Padding and absolute place"
QUESTION = (
    "A convolution treats every place alike, so a pooled CNN should not know where things are. Does it learn absolute place "
    "all the same, from the padding at the border?"
)
TERMS = (
    "Net1 is the pooled net (global max pooling), Net2 the flattened one. Paddings: valid has none; sconv adds one pixel of "
    "zeros, fconv two; replicate, reflect and circular add two pixels, copied from the edge, mirrored or from the opposite side."
)
MEMORY_MB = 700  # one worker: torch, the images, one net in training
PRECISIONS = ("float32", "tf32", "bfloat16")
DEVICES = ("cpu", "cuda")
SEEDS_AT_ONCE = 40  # nets whose steps a GPU takes together: 0.5 GB each

_SECONDS_PER_EPOCH = {"valid": 0.55, "sconv": 0.7, "fconv": 1.1}  # of 3000 images, one core; the copying paddings take 1.25


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which rows of the table to train, how often and how long.

    rows: of the table, as in Net1/valid; Net1 is the pooled net, Net2 the flattened one.
    protocol: source, the report's images, whose splits overlap, or leak-free ones.
    fit: validation accuracy, in percent, that a net must reach before a verdict compares it.
    tolerance: points within which an accuracy, or its standard deviation over seeds, counts as the one stated.
    loss: R² that a probe must lose before information counts as destroyed; a tenth of the variance.
    flips: percent of predictions that must flip when the boxes move before a net counts as following them.
    """

    rows: tuple[str, ...] = tuple(ROWS)
    seeds: Annotated[int, Ge(1), Le(1000)] = 10
    protocol: Literal["source", "leak-free"] = "source"
    epochs: Annotated[int, Ge(1), Le(1000)] = 50
    patience: Annotated[int, Ge(1)] = 9
    train: Annotated[int, Ge(2), Le(10_000)] = 2000
    validation: Annotated[int, Ge(2), Le(5_000)] = 1000
    test: Annotated[int, Ge(2), Le(5_000)] = 1000
    fit: Annotated[float, Ge(0), Le(100)] = 85.0
    tolerance: Annotated[float, Ge(0), Le(100)] = 1.5
    loss: Annotated[float, Ge(0), Le(1)] = 0.1
    flips: Annotated[float, Ge(0), Le(100)] = 50.0

    def __post_init__(self) -> None:
        if not self.rows:
            raise ValueError("rows: name at least one, as in rows=Net1/valid")
        if unknown := [row for row in self.rows if row not in ROWS]:
            raise ValueError(f"rows: there is no {unknown[0]}; choose from {', '.join(ROWS)}")
        if len(set(self.rows)) < len(self.rows):
            raise ValueError("rows: one is named twice")


PRESETS = {
    "quick": Recipe(rows=("Net1/valid", "Net1/sconv", "Net1/fconv", "Net2/valid"), seeds=3, epochs=12, fit=75.0),
    "standard": Recipe(),
}

CLAIMS = (
    Claim(
        id="C1",
        statement=statement_of("C1"),
        how="The terms of every output pixel are listed, for six paddings, four image sizes and both kernel directions, and "
        "their sums are compared with SciPy's convolution and correlation. The pixels that the report names and its example of a "
        "padded image are compared entry by entry.",
        parts={
            "terms": "which terms lie outside the image, and what each padding supplies there",
            "missing pixels": "the five pixels that the report names",
            "reflect example": "the report's padded image",
        },
    ),
    Claim(
        id="C2",
        statement=statement_of("C2"),
        how="Each row is trained with the report's protocol. Mean and standard deviation over seeds, in validation and test, are "
        "compared with the published ones; up to ten seeds, means are paired seed by seed.",
        parts={"table": "all rows", "pooled, valid": "one row of the table; the others are named alike"},
    ),
    Claim(
        id="C3",
        statement=statement_of("C3"),
        how="Every image of every split is checked. A classifier that sees only the height and one that sees only the order are "
        "scored. Images that two splits share are counted.",
        parts={
            "classes": "order and height of the boxes in every image",
            "cues": "accuracy of height alone and of order alone",
            "copies": "validation and test images that also occur in training",
        },
    ),
    Claim(
        id="C4",
        statement=statement_of("C4"),
        how="The maps of real modules: six paddings, every input side from 3 to 64 pixels, against the formula as printed and "
        "with the floor.",
        parts={
            "sizes": "the last maps of a 32×32 image, and their lengths when flattened",
            "formula": "the formula as printed",
            "formula with the floor": "⌊(n + 2p - k) / s⌋ + 1",
        },
    ),
    Claim(
        id="C5",
        statement=statement_of("C5"),
        how="Order: paired differences between the pooled nets. The experiment padding-causes judges the cause.",
        parts={"order": "both steps", "valid < sconv": "the first step", "sconv < fconv": "the second step"},
    ),
    Claim(
        id="C8",
        statement=statement_of("C8"),
        how="Cause: linear probes read the boxes' height and their order from the 64 features before the last layer, on images "
        "where one says nothing about the other; flattened against pooled nets of the same padding and seed. Translation: the "
        "boxes move by 1 to 16 rows.",
        parts={
            "fact": "100 in validation and 0 in test",
            "decrease": "the change of the test accuracy, flattened minus pooled: each padding",
            "cause": "whether flattening destroys spatial information: each padding, height and order",
            "translation": "whether the predictions of pooled nets follow the boxes",
        },
    ),
)


def jobs(recipe: Recipe) -> list[Job]:
    """The exact checks, then one job for each net: the longest first, so that no core waits at the end."""
    sizes = {"train": recipe.train, "validation": recipe.validation, "test": recipe.test}
    epochs = recipe.epochs * (recipe.train + recipe.validation / 3) / 2333  # of 3000 images
    nets = [
        job(
            Train(net=net, padding=padding, protocol=recipe.protocol, epochs=recipe.epochs, patience=recipe.patience, **sizes),
            seed=seed,
            seconds=2 + epochs * _SECONDS_PER_EPOCH.get(padding, 1.25),
            portable=True,
        )
        for seed in range(recipe.seeds)
        for net, padding in (ROWS[row] for row in recipe.rows)
    ]
    exact = [job(Border(), seconds=4), job(Maps(), seconds=4), job(Data(**sizes), seconds=2)]
    return exact + sorted(nets, key=lambda net: -net.seconds)
