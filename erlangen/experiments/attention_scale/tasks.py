"""The tasks of `attention-scale`, and the cases over which products are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Arm: TypeAlias = Literal["scaled", "unscaled", "matched"]
Optimizer: TypeAlias = Literal["adam", "sgd"]
Positions: TypeAlias = Literal["rotary", "none"]
ARMS: tuple[Arm, ...] = ("scaled", "unscaled", "matched")
OPTIMIZERS: tuple[Optimizer, ...] = ("adam", "sgd")
POSITIONS: tuple[Positions, ...] = ("none", "rotary")

DISTRIBUTIONS = ("normal", "uniform", "two-point", "Laplace", "exponential")
SPREADS = (0.5, 1.0, 2.0)  # σ of entries whose mean is 0
MEANS = ((1.0, 0.5), (1.0, 1.0))  # σ and μ of entries whose mean is not 0
PLANTED = 1.1  # factor on the variance of the product in the positive control


@dataclass(frozen=True, kw_only=True)
class Products:
    """Draw queries and keys with independent entries and measure mean and variance of their products, case by case.

    pairs: of the widest queries; more of narrow ones.
    """

    widths: tuple[int, ...]
    pairs: int


@dataclass(frozen=True, kw_only=True)
class Start:
    """Draw `repeats` attention heads with `keys` queries and keys; measure entropy and gradients with the scale and without.

    values: the width of the values, the same for all widths of the queries, so that the gradient that arrives is the same.
    """

    widths: tuple[int, ...]
    keys: int
    values: int
    repeats: int


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Train one net to copy the token LAG places earlier, at one learning rate. learned: nats that count as having learned it."""

    arm: Arm
    optimizer: Optimizer
    width: int
    keys: int
    lr: float
    steps: int
    batch: int
    vocabulary: int
    learned: float


@dataclass(frozen=True, kw_only=True)
class Language:
    """Train a small GPT on a text and look at its queries and keys, head by head. digest: of a file, "" for our own texts."""

    positions: Positions
    corpus: str
    digest: str
    layers: int
    heads: int
    width: int
    block: int
    steps: int
    batch: int
    lr: float
