"""Claim G3: what the self term B does in h' = σ(W·mean + B·h), and whether it prevents over-smoothing.

Known: GraphSAGE, which has B, falls to 31.9 % on Cora at 32 layers (Rong et al., "DropEdge", ICLR 2020, table of depths).
`standard` takes about half an hour on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from erlangen.experiments.kit.graphs import check_graphs, require_graphs
from erlangen.experiments.oversmoothing.claims import CLAIMS as CLAIMS, OF_NETS as OF_NETS, QUOTES as QUOTES
from erlangen.experiments.oversmoothing.plan import jobs as jobs
from erlangen.experiments.oversmoothing.tasks import KINDS

TITLE = "Depth, and the node itself"
QUESTION = "Does a graph convolution need B to see the node itself, and does B keep deep nets from over-smoothing?"
MEMORY_MB = 700

Depth = Annotated[int, Ge(1), Le(256)]
Rate = Annotated[float, Ge(1e-6), Le(1)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """data: cora, blocks (block models, a new one for each seed), or the path of a graph of yours (.pt, .npz).

    arms: nets to train. root has B, none does not. loops (self-loops), wide (as many parameters as root), normalized (LayerNorm),
    tanh and "tanh large" (with large first weights) lack B as well. residual has B = I. alone has no neighbors; every comparison
    of accuracies needs it as a control.
    depths: numbers of layers, rising; the first is called shallow. deep: the one of `depths` that is compared with the first; at
    all others, only root, none and residual are trained.
    rates: learning rates, rising; the nets of an arm and a depth are compared at the one that is best on the validation nodes.
    loss: training loss, in nats, at which a training ends. epochs: number of epochs after which a training ends at the latest.
    width: hidden features of a net; wide has √2 times as many. dropout: share of a net's input, and of its decoder's, that is
    dropped in training. nodes: size of a block model. large: factor of the convolutions' first weights in "tanh large".
    fit: training accuracy, in percent, that every net must reach at the depths compared.
    keep: share of the energy of shallow nets below which deep ones count as over-smoothed. tolerance: difference of two
    accuracies, in points, that does not matter. factor: ratio of two energies above which they count as different.
    """

    data: str = "cora"
    seeds: Annotated[int, Ge(1), Le(1000)] = 10
    arms: tuple[str, ...] = tuple(KINDS)
    depths: tuple[Depth, ...] = (2, 8, 16, 32)
    deep: Depth = 16
    rates: tuple[Rate, ...] = (5e-5, 5e-4, 3e-3, 2e-2)
    loss: Annotated[float, Gt(0), Le(10)] = 0.05
    epochs: Annotated[int, Ge(1), Le(10_000)] = 350
    width: Annotated[int, Ge(2), Le(1024)] = 32
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    nodes: Annotated[int, Ge(100), Le(20_000)] = 1000
    large: Annotated[float, Gt(1), Le(100)] = 4.0
    fit: Annotated[float, Ge(0), Le(100)] = 95.0
    keep: Annotated[float, Ge(0), Le(1)] = 0.5
    tolerance: Annotated[float, Ge(0), Le(100)] = 3.0
    factor: Annotated[float, Ge(1), Le(1000)] = 2.0

    def __post_init__(self) -> None:
        check_graphs([self.data])
        if unknown := [arm for arm in self.arms if arm not in KINDS]:
            raise ValueError(f"arms: {unknown[0]!r} is not one of {', '.join(KINDS)}")
        if len(set(self.arms)) < len(self.arms):
            raise ValueError("arms: name none twice")
        if len(self.depths) < 2 or list(self.depths) != sorted(set(self.depths)):
            raise ValueError("depths: name two or more in rising order, as in depths=2,8,32")
        if self.deep not in self.depths[1:]:
            raise ValueError(f"deep: choose one of the depths after the first, {', '.join(map(str, self.depths[1:]))}")
        if not self.rates or list(self.rates) != sorted(set(self.rates)):
            raise ValueError("rates: name learning rates in rising order, as in rates=0.001,0.003,0.01")


PRESETS = {
    "quick": Recipe(
        data="blocks", seeds=7, arms=("root", "none", "alone"), depths=(2, 8), deep=8, rates=(2e-5, 1e-3, 1e-2, 1e-1), epochs=250,
        nodes=400,
    ),
    "standard": Recipe(),
}  # fmt: skip


def fetch(recipe: Recipe) -> None:
    """Have the graph at hand before any job starts. Raises DataError where it cannot be had."""
    require_graphs([recipe.data])
