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

    arms: of `arms.ARMS`. seeds: of each. epochs, patience: on the report's images. report_seeds, report_epochs: of fconv and
    replicate once more, trained for as long as the report did, because their accuracies are close; 0 for none. sizes: training
    images of further nets under reflect padding, which see them size_epochs times. control_images,
    control_epochs: of nets under fconv padding that must be seen to overfit. margins: least distances of the boxes from
    the border, in pixels. frame_epochs, frame_train: of the nets on images with a margin. train, validation, test: numbers of
    images.
    fit: validation accuracy, in percent, that a net must reach before a verdict compares it. step: points of test accuracy that
    a cause must move. overfit: points between training images and new ones from which a net counts as overfitted. reads: R² by
    which two arms must differ before one holds more. far: points of accuracy to be gained on boxes far apart. rank: least rank
    correlation, in size, of a cause with the accuracy.
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
