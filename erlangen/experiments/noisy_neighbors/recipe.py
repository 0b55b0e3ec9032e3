"""The recipe of `noisy-neighbors`, with its presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.experiments.kit.graphs import check_graphs

Share = Annotated[float, Ge(0.01), Le(0.5)]
Dropout = Annotated[float, Ge(0), Le(0.95)]
Distance = Annotated[float, Ge(0.01), Le(100)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """data: any of cora, blocks (block models, a new one for each seed), and paths of graphs of yours (.pt, .npz).

    share: of the nodes or edges, how many are noise where layers are compared. shares: amounts of noise at which accuracy is
    drawn, where only the test has noise. features: a graph with more of them is reduced to so many principal components. nodes:
    size of a block model. dropouts: each training is repeated with each of these, and the best net on the validation nodes is
    kept. epochs: the most that a training takes. patience: epochs without a better validation accuracy after which it stops.
    distances: how far the means of two classes lie apart, in √(log n) standard deviations of the features, rising. others:
    shares of a node's neighbors that are of the other of two classes, rising. two_class_nodes: size of a graph of two classes.
    fit: training accuracy, in percent, that a net must reach under the noise before it is compared: twice chance on block models.
    two_class_fit: the same for two classes, where chance is 50. margin: points of accuracy by which two layers must differ for
    it to matter. suppression: noise that gets this part of the attention of equal weights, or less, counts as suppressed.
    listened: noise that gets this part or more counts as not suppressed; what lies between the two decides nothing.
    """

    data: tuple[str, ...] = ("blocks", "cora")
    seeds: Annotated[int, Ge(1), Le(1000)] = 20
    share: Share = 0.3
    shares: tuple[Share, ...] = (0.1, 0.2, 0.3, 0.5)
    features: Annotated[int, Ge(2), Le(10_000)] = 64
    nodes: Annotated[int, Ge(100), Le(20_000)] = 1000
    dropouts: tuple[Dropout, ...] = (0.3, 0.6)
    epochs: Annotated[int, Ge(1), Le(10_000)] = 200
    patience: Annotated[int, Ge(1)] = 30
    distances: tuple[Distance, ...] = (0.25, 0.5, 1.0, 2.0, 4.0)
    others: tuple[Share, ...] = (0.2, 0.4)
    two_class_nodes: Annotated[int, Ge(100), Le(20_000)] = 400
    fit: Annotated[float, Ge(0), Le(100)] = 50.0
    two_class_fit: Annotated[float, Ge(0), Le(100)] = 65.0
    margin: Annotated[float, Ge(0), Le(10)] = 1.0
    suppression: Annotated[float, Ge(0), Le(1)] = 0.9
    listened: Annotated[float, Ge(0), Le(1)] = 0.97

    def __post_init__(self) -> None:
        check_graphs(self.data)
        for name, values in (("distances", self.distances), ("others", self.others)):
            if len(values) < 2 or list(values) != sorted(set(values)):
                raise ValueError(f"{name}: give two or more rising values, as in {name}=0.25,0.4")
        for name, values in (("shares", self.shares), ("dropouts", self.dropouts)):
            if not values or list(values) != sorted(set(values)):
                raise ValueError(f"{name}: give rising values, as in {name}=0.1,0.3")
        if self.listened < self.suppression:
            raise ValueError(f"listened: give {self.suppression:g} or more, which is what counts as suppressed")


PRESETS = {
    "quick": Recipe(
        data=("blocks",),
        seeds=6,
        shares=(0.1, 0.3, 0.5),
        nodes=400,
        dropouts=(0.3,),
        epochs=100,
        patience=20,
        distances=(0.25, 4.0),
    ),
    "standard": Recipe(),
}
