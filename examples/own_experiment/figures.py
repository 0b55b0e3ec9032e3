"""The figure that shows the answer."""

from erlangen.experiments.kit import Evidence, Figure, cells, clipped, dots

from . import Recipe
from .tasks import ORDERS, Train

SETS = {"train_accuracy": "of the training", "test_accuracy": "new"}


def figures(recipe: Recipe, evidence: Evidence) -> list[Figure]:
    arms = {order: evidence.arm(Train, order=order) for order in ORDERS}
    columns = ("numbers", "sets", "accuracy", "low", "high")
    rows = [(order, SETS[name], *cells(clipped(arms[order].mean(name)))) for order in ORDERS for name in SETS]
    spec = dots(columns, rows, x="accuracy", y="numbers", color="sets", colors=SETS.values(), title="accuracy, %")
    caption = "Mean and 95 % interval over seeds, on the sets of the training and on new ones."
    return [Figure(name="accuracy", title="Sorted or as drawn", caption=caption, columns=columns, rows=tuple(rows), spec=spec)]
