"""Oracles: plain Python loops, numpy.quantile, finite differences. PyG's own faults stand beside, each in a test."""

import math
import statistics
from types import ModuleType
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from support.graphs import Drawn, assert_near, directed_graphs
from torch import Tensor

from erlangen.nn.graph.aggregate import Aggregation, aggregate
from erlangen.nn.graph.algebra import in_degree

NAMES = get_args(Aggregation)
by_name = pytest.mark.parametrize("how", NAMES)


@pytest.fixture(scope="module")
def pyg_aggr() -> ModuleType:
    return pytest.importorskip("torch_geometric.nn.aggr", reason="torch_geometric is not installed")


def in_python(values: list[float], how: str, q: float, temperature: float) -> float:
    if not values:
        return 1.0 if how == "mul" else 0.0
    if how == "softmax":
        weights = [math.exp((v - max(values)) / temperature) for v in values]
        return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    plain = {
        "sum": math.fsum,
        "mean": statistics.fmean,
        "max": max,
        "min": min,
        "mul": math.prod,
        "var": statistics.pvariance,
        "std": statistics.pstdev,
        "median": statistics.median_low,
        "midpoint": statistics.median,
        "quantile": lambda values: float(np.quantile(values, q)),
    }
    return plain[how](values)


@by_name
@given(directed_graphs(), st.sampled_from([0.0, 0.1, 0.5, 0.77, 1.0]), st.booleans())
def test_aggregators_equal_plain_python(how: Aggregation, graph: Drawn, q: float, ties: bool) -> None:
    messages = graph.randn(graph.num_edges, 2)
    messages = messages.round() if ties else messages
    target = graph.edge_index[1]
    ours = aggregate(messages, target, graph.n, how, q=q, temperature=0.7)
    expected = [[in_python(messages[target == v, f].tolist(), how, q, 0.7) for f in range(2)] for v in range(graph.n)]
    assert_near(ours, torch.tensor(expected, dtype=torch.float64), 1e-12)


@by_name
def test_gradients_equal_finite_differences(how: Aggregation, rng: torch.Generator) -> None:
    target = torch.tensor([0, 3, 3, 1, 3, 1, 0, 3, 3])  # node 2 and 4 get nothing
    messages = torch.randn(9, 2, dtype=torch.float64, generator=rng, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m: aggregate(m, target, 5, how, q=0.3), messages)
    assert torch.autograd.gradgradcheck(lambda m: aggregate(m, target, 5, how, q=0.3).square(), messages)


def gradient(values: list[float], how: Aggregation, dtype: torch.dtype = torch.float64) -> list[float]:
    messages = torch.tensor(values, dtype=dtype)[:, None].requires_grad_()
    aggregate(messages, torch.zeros(len(values), dtype=torch.int64), 1, how).sum().backward()
    return messages.grad.flatten().tolist()


@pytest.mark.parametrize(
    ("how", "values", "expected"),
    [
        ("max", [0.0, -1.0], [1, 0]),
        ("max", [-1.0, 0.0, 0.0], [0, 0.5, 0.5]),
        ("max", [2.0, 2.0, 1.0, 2.0, 2.0], [0.25, 0.25, 0, 0.25, 0.25]),
        ("min", [0.0, 3.0], [1, 0]),
        ("min", [0.0, 3.0, 0.0], [0.5, 0, 0.5]),
        ("median", [0.0, -1.0, 1.0], [1, 0, 0]),
        ("median", [0.0, 5.0, 0.0, -5.0], [0.5, 0, 0.5, 0]),
        ("midpoint", [1.0, 3.0], [0.5, 0.5]),
        ("midpoint", [1.0, 1.0, 3.0, 4.0], [0.25, 0.25, 0.5, 0]),
        ("midpoint", [1.0, 1.0, 1.0, 4.0], [1 / 3, 1 / 3, 1 / 3, 0]),
        ("std", [0.1, 0.1, 0.1], [0, 0, 0]),
        ("std", [0.0], [0]),
    ],
)
def test_gradients_at_ties_and_at_zero(how: Aggregation, values: list[float], expected: list[float]) -> None:
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        assert gradient(values, how, dtype) == pytest.approx(expected, abs=2e-3 if dtype == torch.bfloat16 else 1e-6)


@pytest.mark.parametrize("value", [0.1, -1 / 3, 1e4 / 7])
def test_std_of_equal_messages_has_no_slope(value: float) -> None:
    """Whatever their number, though their mean may be rounded away from them."""
    for n in range(1, 60):
        assert gradient([value] * n, "std", torch.float32) == [0] * n


@by_name
def test_nothing_arrives_and_no_edges_at_all(how: Aggregation) -> None:
    messages = torch.zeros(0, 3, requires_grad=True)
    out, empty = aggregate(messages, torch.zeros(0, dtype=torch.int64), 4, how), in_python([], how, 0.5, 1.0)
    assert torch.equal(out, torch.full((4, 3), empty))
    assert torch.autograd.grad(out.sum(), messages, allow_unused=True, materialize_grads=True)[0].shape == (0, 3)
    lonely = torch.tensor([[-5.0], [-7.0]], requires_grad=True)
    out = aggregate(lonely, torch.tensor([1, 1]), 3, how)
    out.sum().backward()
    assert out[[0, 2]].tolist() == [[empty], [empty]]
    assert lonely.grad.isfinite().all()


@by_name
def test_bfloat16_is_the_rounded_float64_answer(how: Aggregation, rng: torch.Generator) -> None:
    """300 messages a node: ranks and counts past 256, where bfloat16 no longer counts."""
    messages = torch.randn(900, 2, generator=rng).bfloat16()
    target = torch.arange(900) % 3
    ours = aggregate(messages, target, 3, how, q=0.9)
    exact = aggregate(messages.double(), target, 3, how, q=0.9)
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.double(), exact, rtol=2**-8, atol=1e-5)


@by_name
def test_messages_of_any_shape_are_aggregated_value_by_value(how: Aggregation, rng: torch.Generator) -> None:
    messages, target = torch.randn(9, 2, 3, generator=rng), torch.tensor([0, 1, 1, 0, 3, 1, 1, 3, 3])
    flat = aggregate(messages.flatten(1), target, 4, how)
    assert torch.equal(aggregate(messages, target, 4, how), flat.view(4, 2, 3))
    one = aggregate(messages[:, 0, 0], target, 4, how)
    torch.testing.assert_close(one, flat[:, 0])


@by_name
@given(directed_graphs())
def test_order_of_the_messages_does_not_matter(how: Aggregation, graph: Drawn) -> None:
    messages, target = graph.randn(graph.num_edges, 2).round(), graph.edge_index[1]
    shuffled = torch.randperm(graph.num_edges, generator=torch.Generator().manual_seed(graph.seed))
    ours = aggregate(messages, target, graph.n, how)
    assert_near(aggregate(messages[shuffled], target[shuffled], graph.n, how), ours, 1e-12)


def test_softmax_and_std_survive_large_values() -> None:
    target = torch.zeros(3, dtype=torch.int64)
    large = torch.tensor([[1000.0], [1000.0], [-1000.0]], requires_grad=True)
    out = aggregate(large, target, 1, "softmax")
    out.sum().backward()
    assert out.item() == 1000
    assert large.grad.isfinite().all()
    far = torch.tensor([[1e4], [1e4 + 1], [1e4 + 2]])
    assert aggregate(far, target, 1, "std").item() == pytest.approx(math.sqrt(2 / 3), rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"how": "middle"}, "'middle' is unknown: choose one of sum, mean"),
        ({"target": torch.tensor([0, 1, 3])}, "target 3 at edge 2, but there are 3 nodes"),
        ({"target": torch.tensor([0, 1])}, r"must be torch.int64 \(3,\), .* but is torch.int64 \(2,\)"),
        ({"target": torch.zeros(3, dtype=torch.int32)}, "torch.int32"),
        ({"messages": torch.ones(3, 2, dtype=torch.int64)}, "floating-point"),
        ({"how": "quantile", "q": 1.5}, r"q = 1\.5"),
        ({"how": "softmax", "temperature": 0.0}, r"temperature = 0\.0"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, message: str) -> None:
    good = {"messages": torch.ones(3, 2), "target": torch.tensor([0, 1, 2]), "num_nodes": 3, "how": "sum"}
    with pytest.raises(ValueError, match=message):
        aggregate(**(good | arguments))


# What PyG 2.8.1 does. Where one of these fails, PyG was mended: the comparison may then become an equality.


@given(directed_graphs())
def test_where_pyg_is_right_we_are_equal(pyg_aggr: ModuleType, graph: Drawn) -> None:
    messages, target = graph.randn(graph.num_edges, 2), graph.edge_index[1]
    theirs = {
        "sum": pyg_aggr.SumAggregation(),
        "mean": pyg_aggr.MeanAggregation(),
        "max": pyg_aggr.MaxAggregation(),
        "min": pyg_aggr.MinAggregation(),
        "softmax": pyg_aggr.SoftmaxAggregation(),
    }
    if in_degree(graph.edge_index, graph.n).all():
        theirs |= {"median": pyg_aggr.MedianAggregation(), "midpoint": pyg_aggr.QuantileAggregation(0.5, "midpoint")}
    for how, other in theirs.items():
        assert_near(aggregate(messages, target, graph.n, how), other(messages, target, dim_size=graph.n), 1e-12)


def test_pyg_median_raises_without_edges(pyg_aggr: ModuleType) -> None:
    nothing, target = torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="should be positive"):
        pyg_aggr.MedianAggregation()(nothing, target, dim_size=4)
    assert torch.equal(aggregate(nothing, target, 4, "median"), torch.zeros(4, 3))


def test_pyg_median_raises_where_the_first_node_has_no_neighbors(pyg_aggr: ModuleType) -> None:
    """Rank 0.5 · (0 - 1) + 0, rounded down, is position -1."""
    messages, target = torch.tensor([[3.0], [4.0]]), torch.tensor([1, 1])
    with pytest.raises(IndexError, match="out of range"):
        pyg_aggr.MedianAggregation()(messages, target, dim_size=2)
    assert aggregate(messages, target, 2, "median").tolist() == [[0.0], [3.0]]


def test_pyg_median_is_wrong_in_bfloat16(pyg_aggr: ModuleType) -> None:
    """Cast to bfloat16 as a part of a model is, it computes positions among the edges in 8 bits."""
    messages, target = (torch.arange(400) % 4).bfloat16()[:, None], torch.arange(400) // 4  # 0, 1, 2, 3 at each of 100 nodes
    theirs = pyg_aggr.MedianAggregation().bfloat16()(messages, target, dim_size=100)
    assert theirs[:30].eq(1).all()
    assert theirs[65:].ne(1).all()
    assert aggregate(messages, target, 100, "median").eq(1).all()


@pytest.mark.slow
def test_pyg_median_loses_its_place_past_2_to_the_24_edges(pyg_aggr: ModuleType) -> None:
    """Positions in float32: the last node's messages 1, 2, 3 start at 2**24, its median at 2**24 + 1, which is rounded away."""
    messages = torch.zeros(2**24 + 3, 1)
    messages[-3:, 0] = torch.tensor([1.0, 2.0, 3.0])
    target = torch.zeros(2**24 + 3, dtype=torch.int64)
    target[-3:] = 1
    assert pyg_aggr.MedianAggregation()(messages, target, dim_size=2)[1].item() != 2
    assert aggregate(messages, target, 2, "median")[1].item() == 2


@pytest.mark.parametrize("how", ["max", "min"])
def test_pyg_extremes_lose_gradient_at_zero(pyg_aggr: ModuleType, how: Aggregation) -> None:
    """The one largest message is 0 and should get all; torch's scatter_reduce counts the buffer it began with as a tie."""
    other = {"max": pyg_aggr.MaxAggregation(), "min": pyg_aggr.MinAggregation()}[how]
    values = torch.tensor([[0.0], [-1.0 if how == "max" else 1.0]])
    grads = []
    for function in (lambda m, t: other(m, t, dim_size=1), lambda m, t: aggregate(m, t, 1, how)):
        messages = values.clone().requires_grad_()
        function(messages, torch.zeros(2, dtype=torch.int64)).sum().backward()
        grads.append(messages.grad.flatten().tolist())
    assert grads == [[0.5, 0.0], [1.0, 0.0]]


def test_pyg_std_cancels_far_from_zero_and_drops_small_spreads(pyg_aggr: ModuleType) -> None:
    target = torch.zeros(2, dtype=torch.int64)

    def both(messages: Tensor) -> tuple[float, float]:
        theirs = pyg_aggr.StdAggregation()(messages, target, dim_size=1)
        return theirs.item(), aggregate(messages, target, 1, "std").item()

    theirs, ours = both(torch.tensor([[10000.0], [10001.0]]))
    assert abs(theirs - 0.5) > 0.1
    assert ours == 0.5
    theirs, ours = both(torch.tensor([[0.0], [0.002]]))
    assert theirs == 0
    assert ours == pytest.approx(0.001)
