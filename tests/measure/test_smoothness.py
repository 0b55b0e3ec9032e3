"""Smoothness against plainer programs, on graphs small enough to do by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from erlangen.data.graphs import karate_club, right_graph
from erlangen.measure.smoothness import dirichlet_energy, mean_average_distance
from erlangen.nn.graph.algebra import laplacian


def test_energy_is_the_quadratic_form_of_the_laplacian() -> None:
    graph = karate_club()
    h = torch.randn(34, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    form = torch.trace(h.T @ laplacian(graph.edge_index, 34).double() @ h) / h.square().sum()
    assert dirichlet_energy(h, graph.edge_index) == pytest.approx(float(form), rel=1e-12)


def test_energy_of_an_eigenvector_is_its_eigenvalue() -> None:
    graph = right_graph()
    values, vectors = torch.linalg.eigh(laplacian(graph.edge_index, 6).double())
    for value, vector in zip(values, vectors.T, strict=True):
        assert dirichlet_energy(vector[:, None], graph.edge_index) == pytest.approx(float(value), abs=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1.0, 1e30])
def test_neither_depends_on_the_scale(scale: float) -> None:
    graph = karate_club()
    h = torch.randn(34, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert dirichlet_energy(scale * h, graph.edge_index) == pytest.approx(dirichlet_energy(h, graph.edge_index), rel=1e-9)
    assert mean_average_distance(scale * h) == pytest.approx(mean_average_distance(h), rel=1e-9)


def test_distance_is_the_mean_over_all_pairs() -> None:
    h = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    cosines = F.cosine_similarity(h[:, None], h[None], dim=2)
    pairs = ~torch.eye(9, dtype=torch.bool)
    assert mean_average_distance(h) == pytest.approx(float((1 - cosines)[pairs].mean()), rel=1e-12)


def test_equal_features_have_neither() -> None:
    graph = karate_club()
    h = torch.tensor([[1.0, -2.0, 3.0]]).expand(34, 3)
    assert dirichlet_energy(h, graph.edge_index) == 0
    assert mean_average_distance(h) == pytest.approx(0, abs=1e-12)


def test_nodes_at_zero_point_nowhere() -> None:
    h = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0]])
    assert mean_average_distance(h) == pytest.approx(1.0)
    assert math.isnan(mean_average_distance(h[:2]))


@pytest.mark.parametrize("h", [torch.zeros(34, 2), torch.full((34, 2), math.nan), torch.full((34, 2), math.inf)])
def test_nothing_is_measured_of_nothing(h: torch.Tensor) -> None:
    assert math.isnan(dirichlet_energy(h, karate_club().edge_index))
    assert math.isnan(mean_average_distance(h))
