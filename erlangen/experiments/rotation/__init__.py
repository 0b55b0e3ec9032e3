"""Claims C9 and C10: what turning an image does to a CNN, and what training on turned images brings and costs.

The report's net learns CIFAR-10 and is tested on images turned by 0° to 330°: trained upright, inside a disk, or on turned images
for 10 and for 40 epochs; beside it the same net with a pooled head and group convolutions, at equal compute and at equal
parameters. `standard` takes about 85 minutes on two cores with `--precision bfloat16`, if the processor multiplies it in
hardware, and 180 without; a GPU (`--device cuda --workers 8`) needs minutes, and is what `full` is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from erlangen.experiments.rotation.claims import CLAIMS as CLAIMS, QUOTES as QUOTES
from erlangen.experiments.rotation.datasets import NAMED
from erlangen.experiments.rotation.plan import jobs as jobs
from erlangen.experiments.rotation.tasks import ARMS

TITLE = "Rotated images"
QUESTION = (
    "How well does a CNN that learned upright images recognize rotated ones, and what do training on rotated images and "
    "convolutions that rotate with the image change?"
)
MEMORY_MB = 1500
PRECISIONS = ("float32", "bfloat16")
SPEEDUP = {"bfloat16": 2.1}  # over float32, on two cores that multiply it in hardware
DEVICES = ("cpu", "cuda")

Rate = Annotated[float, Ge(1e-6), Le(1)]
Points = Annotated[float, Gt(0), Le(100)]
STANDARD_ARMS = ("plain", "disk", "augmented", "pooled", "pooled augmented", "C4 compute", "C4 parameters")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """data: generated (ten signs), cifar10, or a folder of class folders or of CIFAR-10's binary files.

    arms: plain (the report's net), disk (the same, trained and tested inside the inscribed disk), augmented (trained on images
    turned by random angles), pooled and "pooled augmented" (with a pooled head), and group convolutions with as much compute or
    as many parameters as the pooled net: "C4 compute", "C4 parameters", "C8 compute", "C8 parameters".
    seeds: number of seeds of every arm. more: number of further seeds of plain, disk and augmented, whose differences are small.
    epochs: passes over the training images. long: passes over the training images of the arms that `longer` names. longer: arms
    that train for `long` epochs; they are tested after `epochs` as well.
    train: number of training images, at most. validation: number of images held out for validation, at most. test: number of test
    images, at most. width: factor by which the channels of every layer are multiplied.
    rates: learning rates that are tried for the nets with a pooled head and the group convolutions; the others have the report's,
    0.001. trial: epochs for which each learning rate is tried.
    step: degrees between two angles of the test, a divisor of 90. interpolation: how a pixel of a rotated image is made of those
    of the original. fill: what fills the corners of rotated images.
    fit: validation accuracy, in percent, that a net must reach before a verdict compares it. Choose it well above chance, which
    is 50 for two classes.
    drop: points by which the accuracy must fall to be far lower. bump: points by which a peak must stand out from the angles
    around it. gain: points by which an accuracy must exceed another to be better. cost: points by which upright accuracy must
    fall to be a cost. flat: points from the mean of all angles within which an accuracy counts as the same. slope: points per
    epoch below which a change of the accuracy counts as leveled off.
    """

    data: str = "generated"
    seeds: Annotated[int, Ge(1), Le(1000)] = 3
    more: Annotated[int, Ge(0), Le(1000)] = 2
    arms: tuple[str, ...] = STANDARD_ARMS
    epochs: Annotated[int, Ge(1), Le(1000)] = 10
    long: Annotated[int, Ge(1), Le(1000)] = 40
    longer: tuple[str, ...] = ("augmented",)
    train: Annotated[int, Ge(100), Le(1_000_000)] = 45_000
    validation: Annotated[int, Ge(50), Le(100_000)] = 5_000
    test: Annotated[int, Ge(50), Le(100_000)] = 10_000
    width: Annotated[float, Gt(0), Le(16)] = 1.0
    rates: tuple[Rate, ...] = (3e-4, 1e-3, 3e-3, 9e-3)
    trial: Annotated[int, Ge(1), Le(100)] = 2
    step: Annotated[int, Ge(1), Le(45)] = 30
    interpolation: Literal["nearest", "bilinear"] = "nearest"
    fill: Literal["zeros", "mean", "reflect"] = "zeros"
    fit: Points = 40.0
    drop: Points = 20.0
    bump: Points = 2.0
    gain: Points = 2.0
    cost: Points = 3.0
    flat: Points = 3.0
    slope: Points = 0.2

    def __post_init__(self) -> None:
        for key in ("arms", "longer"):
            if unknown := [arm for arm in getattr(self, key) if arm not in ARMS]:
                raise ValueError(f"{key}: there is no {unknown[0]}; choose from {', '.join(ARMS)}")
        if not self.arms or len(set(self.arms)) < len(self.arms):
            raise ValueError("arms: name at least one, and none twice")
        if 90 % self.step:
            raise ValueError(f"step {self.step}: it must divide 90, as 5, 10, 15, 30 and 45 do")
        if not self.rates or list(self.rates) != sorted(set(self.rates)):
            raise ValueError("rates: name learning rates in rising order, as in rates=0.001,0.003,0.009")
        if self.longer and self.long < self.epochs:
            raise ValueError(f"long {self.long}: it must be at least the {self.epochs} epochs of every arm")


PRESETS = {
    "quick": Recipe(  # the pooled net is not among them: comparing with it takes learning rates that are tuned
        more=0, arms=("plain", "augmented", "C4 compute"), epochs=8, longer=(), train=3600, validation=400, test=600, width=0.5,
        rates=(3e-3,), fit=30.0,
    ),
    "standard": Recipe(data="cifar10"),
    "full": Recipe(data="cifar10", more=0, arms=tuple(ARMS), longer=tuple(ARMS), width=2.0),
}  # fmt: skip


def fetch(recipe: Recipe) -> None:
    """Have the images at hand before any job starts. Raises ErlangenError where they cannot be had."""
    if recipe.data not in NAMED or recipe.data == "cifar10":
        from erlangen.experiments.rotation.images import present

        present(recipe.data)
