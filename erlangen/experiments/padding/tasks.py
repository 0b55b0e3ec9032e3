"""The tasks of `padding`, and the nets, paddings and shifts that they range over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Net: TypeAlias = Literal["Net1", "Net2"]  # pooled, flattened
Protocol: TypeAlias = Literal["source", "leak-free"]

NETS: tuple[Net, ...] = ("Net1", "Net2")
PADDINGS = ("valid", "sconv", "fconv", "replicate", "reflect", "circular")
ROWS = {f"{net}/{padding}": (net, padding) for net in NETS for padding in PADDINGS}
SPLITS = ("train", "validation", "test")
SHIFTS = (1, 2, 4, 8, 16)  # rows by which the boxes move; the nets' strides multiply to 8


@dataclass(frozen=True, kw_only=True)
class Border:
    """List the terms of every output pixel."""


@dataclass(frozen=True, kw_only=True)
class Maps:
    """Compare the sizes of feature maps with the formula's."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Inspect the images of every split. The fields are numbers of images."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train one net, then test, probe and shift it. train, validation, test: numbers of images."""

    net: Net
    padding: str
    protocol: Protocol
    epochs: int
    patience: int
    train: int
    validation: int
    test: int
