"""Claims C1-C4, C8 and the order of C5: what padding lets a CNN know of absolute place.

Net1 (pooled) and Net2 (flattened) × six paddings × ten seeds on red-green images whose test split swaps the heights.
Published means over ten seeds, pooled net, test accuracy: valid 0.1, sconv 6.4, fconv 88.9, replicate 93.8, reflect 0.0,
circular 82.6; flattened net: 0.0 throughout. `standard` takes about 45 minutes on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from erlangen.records.runs import Claim, Job

TITLE = "Padding and absolute place"
MEMORY_MB = 700  # one worker: torch, the images, one net in training

PADDING_NAMES = ("valid", "sconv", "fconv", "replicate", "reflect", "circular")
ROWS = tuple(f"{net}/{padding}" for net in ("Net1", "Net2") for padding in PADDING_NAMES)
_SECONDS_PER_EPOCH = {"valid": 0.55, "sconv": 0.7, "fconv": 1.1}  # of 3000 images, one core; the copying paddings take 1.25

Row = Literal[
    "Net1/valid", "Net1/sconv", "Net1/fconv", "Net1/replicate", "Net1/reflect", "Net1/circular",
    "Net2/valid", "Net2/sconv", "Net2/fconv", "Net2/replicate", "Net2/reflect", "Net2/circular",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which rows of the table to train, how often and how long.

    fit: validation accuracy, in percent, that a net must reach before a verdict compares it.
    tolerance: points of test accuracy within which a row counts as reproduced.
    """

    rows: tuple[Row, ...] = ROWS  # type: ignore[assignment]
    seeds: Annotated[int, Ge(1), Le(1000)] = 10
    protocol: Literal["source", "leak-free"] = "source"
    epochs: Annotated[int, Ge(1), Le(1000)] = 50
    patience: Annotated[int, Ge(1)] = 9
    train: Annotated[int, Ge(2), Le(10_000)] = 2000
    validation: Annotated[int, Ge(2), Le(5_000)] = 1000
    test: Annotated[int, Ge(2), Le(5_000)] = 1000
    fit: Annotated[float, Ge(0), Le(100)] = 85.0
    tolerance: Annotated[float, Ge(0), Le(100)] = 1.5

    def __post_init__(self) -> None:
        if not self.rows:
            raise ValueError("rows: name at least one, as in rows=Net1/valid")
        if len(set(self.rows)) < len(self.rows):
            raise ValueError("rows: one is named twice")


PRESETS = {
    "quick": Recipe(rows=("Net1/valid", "Net1/sconv", "Net1/fconv", "Net2/valid"), seeds=3, epochs=12, fit=75.0),
    "standard": Recipe(),
}

CLAIMS = (
    Claim(
        id="C1",
        statement="A convolution's output next to the border needs input pixels that do not exist; padding supplies them.",
        how="The terms of every output pixel are listed, for six paddings, four image sizes and both kernel directions, and "
        "their sums compared with SciPy's convolution and correlation.",
        parts={"terms": "which terms lie outside, and what each padding puts there"},
    ),
    Claim(
        id="C2",
        statement="The table: two nets under six paddings score as published.",
        how="Every row is trained with the source's protocol, ten seeds; test accuracy, paired with the published one seed by "
        "seed.",
        parts={"table": "all rows at once", **dict.fromkeys(ROWS, "test accuracy of this row")},
    ),
    Claim(
        id="C3",
        statement="Class 0 is red left of green, high; class 1 green left of red, low; the test set swaps the heights.",
        how="Every image of every split is checked; a classifier that sees only the place and one that sees only the order are "
        "scored; images that two splits share are counted.",
        parts={
            "classes": "order and height of every image",
            "cues": "what place alone and order alone score",
            "splits": "whether the splits share images",
        },
    ),
    Claim(
        id="C4",
        statement="Maps after four layers are 2×2, 4×4 and 6×6 for no padding, one pixel and two.",
        how="⌊(n + 2p - k) / s⌋ + 1, layer by layer, against the maps of the real modules: six paddings, every input side from "
        "3 to 64 pixels; where it gives 0, the modules must refuse.",
        parts={"maps": "the formula against the modules"},
    ),
    Claim(
        id="C5",
        statement="Test accuracy: valid < sconv < fconv, because larger maps keep more spatial information.",
        how="Order: paired differences between rows of C2. The cause is not judged here.",
        parts={"order": "valid < sconv < fconv"},
    ),
    Claim(
        id="C8",
        statement="With flatten in place of global pooling every padding scores 100 then 0, because flattening destroys spatial "
        "information.",
        how="Fact: Net2's rows of C2. Cause: a linear probe reads the boxes' height from the 64 features before the last "
        "layer, on images where height and class are independent; Net2 against Net1, same padding and seed. Audit: the boxes "
        "move by 1-16 rows.",
        parts={
            "fact": "100 in validation and 0 in test",
            "cause": "whether flattening destroys spatial information",
            "translation": "whether pooling, unlike flattening, leaves a net that ignores where the boxes are",
        },
    ),
)


def jobs(recipe: Recipe, precision: str = "float32", device: str = "cpu") -> list[Job]:
    """The exact checks, then one job for each net: the longest first, so that no core waits at the end."""
    sizes = {"train": recipe.train, "validation": recipe.validation, "test": recipe.test}
    exact = [
        Job(experiment="padding", params={"task": "border"}, seconds=4),
        Job(experiment="padding", params={"task": "maps"}, seconds=4),
        Job(experiment="padding", params={"task": "data", "protocol": recipe.protocol, **sizes}, seconds=2),
    ]
    nets = []
    for seed in range(recipe.seeds):
        for row in recipe.rows:
            net, padding = row.split("/")
            epoch = _SECONDS_PER_EPOCH.get(padding, 1.25) * (recipe.train + recipe.validation / 3) / 2333
            nets.append(
                Job(
                    experiment="padding",
                    params={
                        "task": "train", "net": net, "padding": padding, "protocol": recipe.protocol,
                        "epochs": recipe.epochs, "patience": recipe.patience, **sizes,
                    },
                    seed=seed,
                    precision=precision,  # type: ignore[arg-type]
                    device=device,
                    seconds=2 + recipe.epochs * epoch,
                )
            )  # fmt: skip
    return exact + sorted(nets, key=lambda job: -job.seconds)
