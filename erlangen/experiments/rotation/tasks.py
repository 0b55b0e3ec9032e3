"""The tasks of `rotation`: how each net is built, trained and shown its test images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Interpolation: TypeAlias = Literal["nearest", "bilinear"]
Fill: TypeAlias = Literal["zeros", "mean", "reflect"]
Net: TypeAlias = Literal["flat", "pooled", "C4", "C8"]
Match: TypeAlias = Literal["compute", "parameters"]

BATCH = 64
WORD = 48  # images whose correctness is packed into one number: all such numbers are exact in a float


@dataclass(frozen=True)
class Arm:
    """net: its architecture. match: what a group-convolution net has as many of as the pooled net, `compute` or `parameters`.

    augmented: trained on images turned by random angles. disk: trained and tested inside the inscribed disk. tuned: whether the
    learning rate is chosen by short trials; otherwise it is the report's.
    """

    net: Net = "flat"
    match: Match = "compute"
    augmented: bool = False
    disk: bool = False
    tuned: bool = False


ARMS = {
    "plain": Arm(),
    "disk": Arm(disk=True),
    "augmented": Arm(augmented=True),
    "pooled": Arm("pooled", tuned=True),
    "pooled augmented": Arm("pooled", augmented=True, tuned=True),
    "C4 compute": Arm("C4", tuned=True),
    "C4 parameters": Arm("C4", "parameters", tuned=True),
    "C8 compute": Arm("C8", tuned=True),
    "C8 parameters": Arm("C8", "parameters", tuned=True),
}


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train one net and show it its test images at every angle.

    arm: a name of ARMS. data, digest: see `datasets`. train, validation, test: numbers of images. epochs: after which it is
    tested, rising; training ends with the last. rates: learning rates, tried for `trial` epochs each where there are several.
    step: degrees between two angles. interpolation, fill: of the turned images, in training and test.
    """

    arm: str
    data: str
    digest: str
    train: int
    validation: int
    test: int
    epochs: tuple[int, ...]
    rates: tuple[float, ...]
    trial: int
    width: float
    step: int
    interpolation: Interpolation
    fill: Fill


@dataclass(frozen=True)
class View:
    """How test images are shown: turned with this interpolation and fill, then inside a disk, or turned back again."""

    interpolation: Interpolation
    fill: Fill
    disk: bool = False
    turned_back: bool = False


def views(task: Train) -> dict[str, View]:
    """The views of an arm by name; "turned" is that of its training, and the one that arms are compared by."""
    arm, other = ARMS[task.arm], "bilinear" if task.interpolation == "nearest" else "nearest"
    shown = {
        "turned": View(task.interpolation, task.fill, arm.disk),
        "other interpolation": View(other, task.fill, arm.disk),  # type: ignore[arg-type]
    }
    if task.arm in ("plain", "disk"):
        shown["turned back"] = View(task.interpolation, task.fill, arm.disk, turned_back=True)
    if task.arm == "plain":
        shown |= {f"{fill} fill": View(task.interpolation, fill) for fill in ("zeros", "mean", "reflect") if fill != task.fill}
        shown["disk in the test"] = View(task.interpolation, task.fill, disk=True)
    return shown


def angles(step: int) -> tuple[int, ...]:
    """The angles of the test, in degrees from 0 to below 360."""
    return tuple(range(0, 360, step))
