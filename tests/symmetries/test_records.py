"""What every symmetry of texts, graphs, points and series must keep to."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from support.records import graph, noise, padded, points, series, text, used

from erlangen.symmetries.causality import Causality
from erlangen.symmetries.duplicate_edges import DuplicateEdges
from erlangen.symmetries.edge_order import EdgeOrder
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.isolated_node import IsolatedNode
from erlangen.symmetries.left_padding import LeftPadding
from erlangen.symmetries.point_permutation import PointPermutation
from erlangen.symmetries.point_rotation import PointRotation
from erlangen.symmetries.point_translation import PointTranslation
from erlangen.symmetries.prefix_shift import PositionShift, PrefixShift
from erlangen.symmetries.relabeling import Relabeling
from erlangen.symmetries.series_causality import SeriesCausality
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text
from erlangen.symmetries.time_shift import TimeShift
from erlangen.symmetries.token_permutation import TokenPermutation
from erlangen.testing import check_symmetry

TEXTS = (TokenPermutation(), Causality(), LeftPadding(), LeftPadding(positions=True), PrefixShift(), PositionShift())
GRAPHS = (Relabeling(), EdgeOrder(), IsolatedNode(), DuplicateEdges())
POINTS = (PointPermutation(), PointRotation(), PointRotation("vector"), PointTranslation())
SERIES = (TimeShift(), TimeShift("zeros"), SeriesCausality())
INPUTS = {
    TEXTS: (text(), padded(), replace(text(), positions=torch.arange(12) + 2), Text(torch.tensor([1, 0, 1]), 2), text(40)),
    GRAPHS: (graph(), graph(2, 2), replace(graph(), nodes={}, edges={})),
    POINTS: (points(), points(2), points(7, 2)),
    SERIES: (series(), series(1, 5)),
}
cases = pytest.mark.parametrize(
    ("symmetry", "x"),
    [
        pytest.param(symmetry, x, id=f"{symmetry.name}-{place}")
        for symmetries, inputs in INPUTS.items()
        for symmetry in symmetries
        for place, x in enumerate(inputs)
    ],
)
TINY = {
    TEXTS: (text(0), Text(torch.zeros(4, dtype=torch.int64), 1, torch.zeros(4))),
    GRAPHS: (Graph(torch.zeros(0, 3), torch.zeros(2, 0, dtype=torch.int64)),),
    POINTS: (torch.zeros(0, 3), torch.zeros(0, 2)),
    SERIES: (torch.zeros(2, 0), torch.zeros(2, 1)),
}


def test_names_differ() -> None:
    for symmetries in INPUTS:  # in one domain: texts and series both have a causality
        names = [symmetry.name for symmetry in symmetries]
        assert all(names)
        assert len(set(names)) == len(names)


@cases
def test_the_laws(symmetry: Symmetry, x: Any) -> None:
    check_symmetry(symmetry, x)
    assert all(symmetry.loss(x, g) == 0 for g in used(symmetry, x))


@cases
def test_outputs_of_a_strange_shape_have_no_action(symmetry: Symmetry, x: Any) -> None:
    """One row more than there are sites: neither rows nor a vector."""
    if isinstance(symmetry, (PointTranslation, TimeShift, SeriesCausality)) or symmetry == PointRotation():
        return
    y = noise(len(x) + 1, 5)
    for g in used(symmetry, x):
        assert symmetry.align(y, y, g, x) is None


@pytest.mark.parametrize(
    ("symmetry", "x"), [(symmetry, x) for symmetries, inputs in TINY.items() for symmetry in symmetries for x in inputs]
)
def test_what_is_too_small_has_no_elements(symmetry: Symmetry, x: Any) -> None:
    assert not len(symmetry.generators(x))
    assert not len(symmetry.elements(x, 5, np.random.default_rng(0)))


def test_one_thing_has_no_order() -> None:
    one = Graph(torch.ones(1, 3), torch.zeros(2, 1, dtype=torch.int64))
    for symmetry, x in (
        (Relabeling(), one),
        (EdgeOrder(), one),
        (PointPermutation(), points(1)),
        (TokenPermutation(), text(1)),
        (Causality(), text(1)),
    ):
        assert not used(symmetry, x)
    assert not used(DuplicateEdges(), one.with_edges(torch.zeros(0, dtype=torch.int64)))
    assert not used(TokenPermutation(), Text(torch.full((6,), 3), 9)), "equal tokens cannot be told apart"


@cases
def test_elements_act_on_other_inputs_too(symmetry: Symmetry, x: Any) -> None:
    """Where a symmetry is lost is looked up on several inputs, with the element of one: graphs of other sizes among them."""
    other = next(inputs for symmetries, inputs in INPUTS.items() if symmetry in symmetries)
    for g in used(symmetry, x):
        for z in other if isinstance(x, Graph) else ():
            symmetry.align(noise(len(z), 5), noise(len(symmetry.act(z, g)), 5), g, z)
