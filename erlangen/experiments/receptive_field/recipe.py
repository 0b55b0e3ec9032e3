"""How the nets of `receptive-field` are measured and trained, and the edges of its verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

Rate = Annotated[float, Ge(1e-6), Le(1)]
Depth = Annotated[int, Ge(1), Le(64)]
DISTANCES = (6, 10, 12, 14, 16, 18, 20, 22, 24, 28)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the nets are trained, and the edges of the verdicts.

    depths: numbers of layers of the untrained CNNs whose effective field is measured, rising. images: number of noise images over
    which an effective field is averaged. distances: numbers of columns between the two marks that nets learn to tell apart.
    columns: number of columns of the torus. steps: updates in a training, at most. rates: learning rates that are tried for CNNs,
    rising; each net counts at its best learning rate and pool. attention_lr: learning rate of attention. exponent: distance from
    1/2 within which the exponent of the growth with depth must lie. most: share of the trainings above which a net learns a
    distance. wider: ratio above which one field is wider than another. even: ratio of what is far to what is near above which a
    field is even. more: number of distances, of two, by which a spread start must be ahead. plateau: nats by which the loss of a
    net that has not learned may still fall in the last third of its training.
    """

    seeds: Annotated[int, Ge(1), Le(1000)] = 16
    depths: tuple[Depth, ...] = (2, 4, 8, 16, 32)
    images: Annotated[int, Ge(1), Le(1000)] = 16
    distances: tuple[int, ...] = DISTANCES
    columns: Annotated[int, Ge(16), Le(1024)] = 64
    steps: Annotated[int, Ge(10), Le(100_000)] = 1200
    rates: tuple[Rate, ...] = (1.25e-4, 2.5e-4, 5e-4, 1e-3)
    attention_lr: Rate = 2e-3
    exponent: Annotated[float, Gt(0), Le(0.5)] = 0.1
    most: Annotated[float, Gt(0), Le(1)] = 0.5
    wider: Annotated[float, Ge(1), Le(10)] = 1.1
    even: Annotated[float, Gt(0), Le(1)] = 0.5
    more: Annotated[float, Ge(0), Le(2)] = 0.25
    plateau: Annotated[float, Ge(0), Le(1)] = 0.02

    def __post_init__(self) -> None:
        if len(self.depths) < 2 or list(self.depths) != sorted(set(self.depths)):
            raise ValueError("depths: name two or more, rising, as in depths=2,8,32")
        if [distance for distance in DISTANCES if distance in self.distances] != list(self.distances):
            raise ValueError(f"distances: {', '.join(map(str, DISTANCES))}, or some of them, rising, each once")
        if self.distances and 2 * (self.distances[-1] + 2) > self.columns:
            least = 2 * (self.distances[-1] + 2)
            raise ValueError(f"columns: {least} or more, or marks {least // 2} columns apart are nearer the other way round")
        if not self.rates or list(self.rates) != sorted(set(self.rates)):
            raise ValueError("rates: name learning rates in rising order, as in rates=0.0005,0.001,0.002")
