"""What attention costs on a graph: layers and graphs as they should be, counts against a second program and by hand, clocks."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from erlangen.experiments import planned_jobs
from erlangen.experiments.graph_cost import PRESETS, Recipe
from erlangen.experiments.graph_cost.layers import HEADS, LAYERS, PairAttention, passes, regular
from erlangen.experiments.graph_cost.operations import count_operations, numbers_stored
from erlangen.experiments.graph_cost.run import run
from erlangen.experiments.graph_cost.tasks import Count, Layer, Time
from erlangen.experiments.kit.tasks import job, read_task
from erlangen.measure.cost import median_seconds
from erlangen.measure.products import UncountedError
from erlangen.nn.graph.algebra import complete_graph, multi_edges
from erlangen.nn.graph.gat import GATConv
from erlangen.nn.graph.transformer_conv import TransformerConv
from erlangen.records.runs import Job
from erlangen.sweep.plan import expected_seconds

F = 16  # features
SMALL = Recipe(
    seeds=1, nodes=(64, 128, 256), tokens=(16, 32, 64), degree=4, degrees=(16, 20, 24), filled=24, features=8, budget=0.0
)


@pytest.mark.parametrize("degree", [1, 5, 16])
def test_a_regular_graph_is_one(degree: int):
    torch.manual_seed(0)
    edges = regular(16, degree)
    assert torch.bincount(edges[1], minlength=16).tolist() == [degree] * 16
    assert torch.bincount(edges[0], minlength=16).tolist() == [degree] * 16
    assert not multi_edges(edges).any()


def test_the_full_graph_is_complete():
    edges, complete = regular(7, 7), complete_graph(7)
    assert set(map(tuple, edges.T.tolist())) == set(map(tuple, complete.T.tolist()))


def test_the_three_dot_products_are_one_layer():
    """Written down, fused, and along the edges of the complete graph: the same numbers, so that only their cost differs."""
    torch.manual_seed(0)
    plain, fused = PairAttention(16, fused=False).double(), PairAttention(16, fused=True).double()
    fused.load_state_dict(plain.state_dict())
    edges = TransformerConv(16, 4, 4, root_weight=False).double()
    parts = zip(
        (edges.lin_query, edges.lin_key, edges.lin_value),
        plain.project.weight.split(16),
        plain.project.bias.split(16),
        strict=True,
    )
    for layer, weight, bias in parts:
        layer.weight.data, layer.bias.data = weight.detach(), bias.detach()
    x, graph = torch.randn(9, 16, dtype=torch.float64), complete_graph(9)
    torch.testing.assert_close(fused(x, graph), plain(x, graph), rtol=0, atol=1e-12)
    torch.testing.assert_close(edges(x, graph), plain(x, graph), rtol=0, atol=1e-12)


# A second program: the equations in plain torch, every product a bmm, which torch's own counter counts.


def plain_gat(x: Tensor, edges: Tensor, weight: Tensor, source: Tensor, target: Tensor, bias: Tensor) -> Tensor:
    """GAT: softmax over the edges of each node of LeakyReLU(a_src · W h_u + a_dst · W h_v), then the weighted sum."""
    n, heads, each = len(x), source.shape[1], source.shape[2]
    h = (x @ weight.T).view(n, heads, each)
    scores = nn.functional.leaky_relu((h * source).sum(-1)[edges[0]] + (h * target).sum(-1)[edges[1]], 0.2).exp()  # (E, heads)
    attention = scores / torch.zeros(n, heads, dtype=x.dtype).index_add(0, edges[1], scores)[edges[1]]
    messages = torch.bmm(attention.reshape(-1, 1, 1), h[edges[0]].reshape(-1, 1, each))  # E · heads products of C numbers
    out = torch.zeros(n, heads, each, dtype=x.dtype).index_add(0, edges[1], messages.view(-1, heads, each))
    return out.flatten(1) + bias


def plain_transformer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Softmax(Q Kᵀ / √d) V in each head."""
    query, key, value = (part.view(len(x), HEADS, -1).transpose(0, 1) for part in (x @ weight.T + bias).chunk(3, 1))
    scores = torch.bmm(query, key.transpose(1, 2)) / math.sqrt(query.shape[-1])
    return torch.bmm(torch.softmax(scores, -1), value).transpose(0, 1).reshape(len(x), -1)


def gradients(make: Callable[[], Tensor], inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(make().square().sum(), inputs)


def flops(step: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


@pytest.mark.parametrize(("nodes", "degree"), [(8, 3), (24, 3), (24, 24)])
def test_a_second_program_computes_and_counts_the_same(nodes: int, degree: int):
    """Outputs, and multiply-adds of forward, and of forward and backward, by torch's counter: 2 flops are one."""
    torch.manual_seed(0)
    x, edges = torch.randn(nodes, F, dtype=torch.float64, requires_grad=True), regular(nodes, degree)
    gat, pairs = GATConv(F, F // HEADS, HEADS, add_self_loops=False).double(), PairAttention(F, fused=False).double()
    weights = (gat.lin.weight, gat.att_src, gat.att_dst, gat.bias)
    twins: list[tuple[nn.Module, Callable[[], Tensor], tuple[Tensor, ...]]] = [
        (gat, lambda: plain_gat(x, edges, *weights), weights),  # type: ignore[arg-type]
        (
            pairs,
            lambda: plain_transformer(x, pairs.project.weight, pairs.project.bias),
            (pairs.project.weight, pairs.project.bias),
        ),
    ]
    for layer, twin, parameters in twins:
        ours = partial(layer, x, edges)
        torch.testing.assert_close(twin(), ours(), rtol=0, atol=1e-12)
        assert 2 * count_operations(ours)[0] == flops(twin)
        mine, theirs = partial(gradients, ours, [x, *parameters]), partial(gradients, twin, [x, *parameters])
        for found, expected in zip(mine(), theirs(), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)
        assert 2 * count_operations(mine)[0] == flops(theirs)


@pytest.mark.parametrize(
    ("layer", "projections", "products"), [("gat", 1, 1), ("dot", 3, 2), ("plain", 3, 2), ("fused", 3, 2)]
)  # fmt: skip
def test_multiply_adds_are_those_of_a_hand_count(layer: Layer, projections: int, products: int):
    """Projections per node; per pair the score, unless it is a sum as in GAT, and the weighted sum. Twice as much backward.

    A fused kernel computes its scores again for the backward pass.
    """
    node, pair = projections * F * F, products * F
    torch.manual_seed(0)
    for nodes, degree in ((8, 2), (16, 2), (16, 9)):
        forward, both = passes(LAYERS[layer](F), nodes, degree, F)
        pairs = nodes * degree if layer in ("gat", "dot") else nodes * nodes
        assert count_operations(forward)[0] == node * nodes + pair * pairs
        again = F * pairs if layer == "fused" else 0
        assert count_operations(both)[0] == 3 * (node * nodes + pair * pairs) + again


def test_entries_are_those_of_every_tensor_that_is_read_or_written():
    x = torch.ones(5, 3)
    assert count_operations(lambda: x.exp()) == (0, 30)
    assert count_operations(lambda: x.sum(1)) == (0, 20)
    assert count_operations(lambda: x.T.unsqueeze(0)) == (0, 0)  # views
    assert count_operations(lambda: x + x) == (0, 45)
    assert count_operations(lambda: x @ x.T) == (75, 0)
    assert count_operations(lambda: x.clone().exp_()) == (0, 60)  # in place: what is given is returned
    with pytest.raises(UncountedError):
        count_operations(lambda: torch.linalg.inv(torch.eye(3)))


def test_attention_that_scores_all_pairs_entry_by_entry_is_seen():
    """A layer that multiplies no matrices over pairs, and yet computes all of them: the entries show it."""
    x = torch.randn(16, F)
    assert count_operations(lambda: (x[:, :1] + x[:, 0]).exp().sum(1))[1] > 2 * 16 * 16


def test_numbers_stored_are_those_kept_for_the_gradient():
    x = torch.ones(5, 3, requires_grad=True)
    assert numbers_stored(lambda: x.exp()) == 15
    assert numbers_stored(lambda: x + 1) == 0
    assert numbers_stored(lambda: (x * x).exp()) == 30  # x once, though it is kept twice, and the result
    n, weights = 32, 3 * F * F
    stored = {}
    for layer in ("plain", "fused"):
        torch.manual_seed(0)
        stored[layer] = numbers_stored(passes(LAYERS[layer](F), n, 4, F)[1])  # type: ignore[index]
    assert stored["plain"] == weights + 4 * F * n + HEADS * n * n  # x, Q, K, V, and the weights of every head
    assert stored["fused"] == weights + 5 * F * n + HEADS * n  # x, Q, K, V, the output, and a number per row


def test_a_job_measures_every_size(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("erlangen.experiments.attention_cost.allocator.RESERVED", 2**20)
    for planned in planned_jobs("graph-cost", SMALL):
        found = {measurement.name: measurement.value for measurement in run(planned)}
        if planned.params["task"] == "time":
            assert planned.exclusive
            sizes = len(read_task(Time, planned).graphs())
            assert len(found["seconds"]) == len(found["faults"]) == sizes  # type: ignore[arg-type]
            assert all(value > 0 for value in found["seconds"])  # type: ignore[union-attr]
        else:
            task = read_task(Count, planned)
            assert len(found) == 5
            for counts in found.values():
                assert len(counts) == len(task.graphs())  # type: ignore[arg-type]
            assert all(value > 0 for value in found["products both"])  # type: ignore[union-attr]


def test_times_belong_to_their_sizes(monkeypatch: pytest.MonkeyPatch):
    """They are taken from the largest graph to the smallest, and reported from the smallest to the largest."""
    order: list[float] = []

    def clocked(step: object, budget: float, device: str) -> tuple[float, float]:
        assert budget == 0.7
        order.append(len(order))
        return float(order[-1]), 0.0

    monkeypatch.setattr("erlangen.experiments.graph_cost.run.clocked", clocked)
    monkeypatch.setattr("erlangen.experiments.graph_cost.run.keep_pages", lambda numbers: True)
    planned = job(Time(layer="gat", sizes=(16, 32), degree=4, complete=8, features=8, budget=0.7, kept=True))
    found = {m.name: m.value for m in run(planned)}
    assert found["seconds"] == (2.0, 1.0, 0.0)


@pytest.mark.parametrize("kept", [True, False])
def test_a_task_says_whether_pages_are_kept(kept: bool, monkeypatch: pytest.MonkeyPatch):
    """Room is made for several times the scores of all heads on the largest graph."""
    calls: dict[str, int] = {}
    for name in ("keep_pages", "return_pages"):
        monkeypatch.setattr(
            f"erlangen.experiments.graph_cost.run.{name}", lambda numbers=0, name=name: calls.update({name: numbers}) is None
        )
    run(job(Time(layer="plain", sizes=(16, 32), degree=4, complete=0, features=8, budget=0.0, kept=kept)))
    assert list(calls) == ["keep_pages" if kept else "return_pages"]
    assert calls.get("keep_pages", math.inf) >= 6 * HEADS * 32**2


def clocks(planned: list[Job]) -> list[Job]:
    return [job for job in planned if job.params["task"] == "time"]


def test_the_quick_preset_is_expected_within_a_minute_and_keeps_the_largest_sizes():
    quick, standard = PRESETS["quick"], PRESETS["standard"]
    assert expected_seconds(planned_jobs("graph-cost", quick), 2) <= 60
    assert quick.tokens[-1] == standard.tokens[-1]
    for recipe in PRESETS.values():
        planned = clocks(planned_jobs("graph-cost", recipe))
        assert all(job.exclusive for job in planned)
        assert [job.params["layer"] for job in planned if not job.params["kept"]] == ["plain"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("nodes", (64, 128)),
        ("tokens", (64, 32, 128)),
        ("degrees", (16, 32, 4096)),
        ("features", 30),
        ("degree", 1000),
        ("filled", 32),
    ],
)
def test_recipes_that_cannot_be_judged_are_refused(key: str, value: object):
    with pytest.raises(ValueError, match=key):
        replace(SMALL, **{key: value})  # type: ignore[arg-type]


def test_seconds_are_those_of_a_call():
    waits = iter([0.0, *(0.002,) * 99])
    assert 0.002 <= median_seconds(lambda: time.sleep(next(waits)), repeats=3, budget=0.02) < 0.02


def test_memory_is_the_most_that_was_held():
    """In a process of its own: 100 MiB held and given back are 100 MiB, twice in a row, whatever was held before."""
    program = (
        "import torch; from erlangen.measure.cost import peak_mib; torch.ones(200 * 2**18); "
        "hold = lambda: torch.ones(100 * 2**18); print(peak_mib(hold), peak_mib(hold), peak_mib(lambda: None))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert [float(value) for value in told] == pytest.approx([100, 100, 0], abs=5)
