"""The tasks of `padding-causes`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Train one net on the report's images, test it with the heights swapped, and read what its features hold.

    arm: one of `arms.ARMS`. train, validation, test: numbers of images. curve: whether to test after every epoch.
    """

    arm: str
    epochs: int
    patience: int
    train: int
    validation: int
    test: int
    curve: bool = False


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The same on images whose boxes keep at least `margin` pixels from every border."""

    arm: str
    margin: int
    epochs: int
    patience: int
    train: int
    validation: int
    test: int


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Count what each padding copies of the boxes in the report's images, and where to."""

    images: int
