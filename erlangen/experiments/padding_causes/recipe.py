"""Which arms `padding-causes` trains, for how long, and the edges of its verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from erlangen.experiments.padding_causes.arms import ARMS

Count = Annotated[int, Ge(2), Le(10_000)]
LARGEST_MARGIN = 9  # pixels: the image has no room for more


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Which arms are trained, for how long, and the edges of the verdicts.

    arms: nets to train, each with one thing changed. seeds: number of seeds of each arm. epochs: passes over the report's images.
    patience: epochs without a lower validation loss after which a training stops. report_seeds: number of seeds for which fconv
    and replicate, whose accuracies are close, are also trained for as long as in the report. With 0 these trainings are left out,
    and the two paddings are not compared. report_epochs: passes over the images in these longer trainings. sizes: numbers of
    training images for further nets under reflect padding. size_epochs: passes over the images in the trainings of these further
    nets. control_images: number of training images from which nets under fconv padding must be seen to overfit. control_epochs:
    passes over the images in the trainings of that control. margins: least distances of the boxes from the border, in pixels.
    frame_epochs: passes over the images whose boxes keep a margin. frame_train: number of training images whose boxes keep a
    margin. train: number of training images. validation: number of validation images. test: number of test images. fit:
    validation accuracy, in percent, that a net must reach before a verdict compares it. step: points by which a cause must change
    the test accuracy. overfit: points between training images and new ones above which a net overfits. reads: difference in R²
    above which one arm holds more than another. far: points by which the accuracy must rise on boxes that are too far apart for
    any unit of the last map. rank: size of a rank correlation above which a cause orders the nets by their accuracy.
    """

    arms: tuple[str, ...] = tuple(ARMS)
    seeds: Annotated[int, Ge(1), Le(1000)] = 5
    epochs: Annotated[int, Ge(1), Le(1000)] = 20
    patience: Annotated[int, Ge(1)] = 9
    report_seeds: Annotated[int, Ge(0), Le(1000)] = 10
    report_epochs: Annotated[int, Ge(1), Le(1000)] = 50
    sizes: tuple[Count, ...] = (250, 500, 1000)
    size_epochs: Annotated[int, Ge(1), Le(1000)] = 30
    control_images: Count = 250
    control_epochs: Annotated[int, Ge(1), Le(1000)] = 80
    margins: tuple[Annotated[int, Ge(0), Le(LARGEST_MARGIN)], ...] = (0, 1, 3, 6, 9)
    frame_epochs: Annotated[int, Ge(1), Le(1000)] = 8
    frame_train: Count = 1000
    train: Count = 2000
    validation: Annotated[int, Ge(2), Le(5_000)] = 1000
    test: Annotated[int, Ge(2), Le(5_000)] = 1000
    fit: Annotated[float, Ge(0), Le(100)] = 80.0
    step: Annotated[float, Gt(0), Le(100)] = 20.0
    overfit: Annotated[float, Gt(0), Le(100)] = 5.0
    reads: Annotated[float, Gt(0), Le(1)] = 0.1
    far: Annotated[float, Gt(0), Le(100)] = 10.0
    rank: Annotated[float, Gt(0), Le(1)] = 0.5

    def __post_init__(self) -> None:
        for name, known in (("arms", tuple(ARMS)), ("margins", ()), ("sizes", ())):
            values = getattr(self, name)
            if known and (unknown := [value for value in values if value not in known]):
                raise ValueError(f"{name}: there is no {unknown[0]}; choose from {', '.join(known)}")
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: one is named twice")
        if any(size >= self.train for size in (*self.sizes, self.control_images)):
            raise ValueError(f"sizes and control_images must be smaller than train, {self.train}")
        if not self.arms:
            raise ValueError("arms: name at least one, as in arms=valid,fconv")
