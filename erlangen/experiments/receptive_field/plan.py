"""Which nets learn which distances, and which learning rates and pools are tried for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erlangen.experiments.receptive_field.tasks import Learn, NetName, Pool

if TYPE_CHECKING:
    from erlangen.experiments.receptive_field.recipe import Recipe

POOLS: tuple[Pool, ...] = ("mean", "max")
SHALLOW, DEEP, DEEPEST = 6, 10, 16  # layers of the plain nets that are compared
EASY, MIDDLE, FAR, FARTHEST = 6, 14, 20, 28  # columns


@dataclass(frozen=True)
class Cell:
    """A net and the distance that it is to learn."""

    net: NetName
    layers: int
    distance: int

    @property
    def title(self) -> str:
        """What figures and statements call the net."""
        return net_title(self.net, self.layers)

    @property
    def field(self) -> int | None:
        """The columns of its theoretical field; None where it is the whole torus."""
        if self.net in ("relative", "unordered"):
            return None
        gaps = [2 ** (layer // 2) if self.net == "dilated" else 1 for layer in range(self.layers)]
        return 2 * sum(gaps) + 1

    @property
    def outside(self) -> bool:
        """Whether no place of a convolutional net sees both marks."""
        return self.field is not None and self.distance >= self.field


def net_title(net: str, layers: int) -> str:
    """'plain CNN, 6 layers'"""
    kinds = {
        "plain": "plain CNN", "residual": "residual CNN", "dilated": "dilated CNN", "spread": "spread-start CNN",
        "relative": "attention", "unordered": "attention without positions",
    }  # fmt: skip
    return f"{kinds[net]}, {layers} layer{'s' * (layers > 1)}"


CELLS = (
    *(Cell("plain", 4, distance) for distance in (6,)),
    *(Cell("plain", SHALLOW, distance) for distance in (6, 12, 14)),
    *(Cell("plain", DEEP, distance) for distance in (6, 10, 14, 16, 18, 20, 22)),
    *(Cell("plain", DEEPEST, distance) for distance in (6, 20, 24, 28)),
    *(Cell("residual", DEEP, distance) for distance in (6, 10, 16)),
    *(Cell("dilated", SHALLOW, distance) for distance in (14, 20, 24)),
    *(Cell("spread", DEEP, distance) for distance in (18, 20)),
    *(Cell("relative", 1, distance) for distance in (6, 14, 20, 28)),
    Cell("unordered", 1, EASY),
)


def cells(recipe: Recipe) -> list[Cell]:
    """Those with a distance of the recipe."""
    return [cell for cell in CELLS if cell.distance in recipe.distances]


def rates(recipe: Recipe, cell: Cell, pool: Pool) -> tuple[float, ...]:
    """All of the recipe's for a CNN with the mean of its features and a distance that it might learn at some rates alone.

    Else the middle one: a near distance is learned at any, and one that no place sees at none. Attention has a rate of its own.
    """
    if cell.field is None:
        return (recipe.attention_lr,)
    tuned = pool == "mean" and cell.distance not in (EASY, MIDDLE) and not cell.outside
    return recipe.rates if tuned else (recipe.rates[len(recipe.rates) // 2],)


def trainings(recipe: Recipe, cell: Cell) -> list[Learn]:
    """Every pool and learning rate that is tried."""
    return [
        Learn(
            net=cell.net, layers=cell.layers, distance=cell.distance, pool=pool, lr=lr, steps=recipe.steps, columns=recipe.columns
        )
        for pool in POOLS
        for lr in rates(recipe, cell, pool)
    ]


def seconds(task: Learn) -> float:
    """Of one training on one core: most nets stop early at a short distance, and few do at a long one."""
    width, cell = task.columns / 64, Cell(task.net, task.layers, task.distance)
    if task.net in ("relative", "unordered"):
        used = 1.0 if task.net == "unordered" else 0.15 if task.pool == "max" else 0.7
        return 0.2 + used * task.steps * task.layers * width**2 * (0.006 if task.net == "relative" else 0.0026)
    used = 1.0 if cell.outside else 0.1 if task.distance <= MIDDLE or task.net == "dilated" else 0.6
    return 0.2 + used * task.steps * task.layers * width * 0.0004
