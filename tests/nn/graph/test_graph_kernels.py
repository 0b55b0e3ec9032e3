"""Graph layers by the kernels of a GPU. Oracles: the same layers on a CPU in float64, finite differences, PyG through them.

On a GPU everything runs as users have it. Elsewhere the kernels run in Triton's interpreter, on small graphs, where Triton is
installed: TRITON_INTERPRET=1 python -m pytest tests/nn/graph/test_graph_kernels.py
"""

import importlib.util
import os
from collections import Counter
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from support.graph_kernels import ATTENTION, SHAPES, compare, edges_between, randn, results
from support.graphs import assert_near, gradients
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

import erlangen.nn.graph.remember as memory
from erlangen.nn.graph import (
    GATConv,
    GATv2Conv,
    GCNConv,
    GraphConv,
    GraphConvolution,
    SAGEConv,
    checks,
    compact,
    edge_softmax,
    gcn,
    launch,
)
from erlangen.nn.graph.csr import CSR, edge_dot, neighbor_sum, product, structure
from erlangen.nn.graph.leaky_scores import leaky_scores, sum_of_ends
from erlangen.nn.graph.remember import remember

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1" and importlib.util.find_spec("triton") is not None
interpreter = pytest.mark.skipif(not INTERPRETED, reason="needs Triton and TRITON_INTERPRET=1")
by_device = pytest.mark.parametrize(
    "device", [pytest.param("cpu", marks=interpreter), pytest.param("cuda", marks=pytest.mark.cuda)]
)


# Without a GPU, and without Triton


def test_rows_in_pieces_have_all_entries_in_order() -> None:
    rowptr = torch.tensor([0, 0, 3, 10, 10, 14, 15])
    pointers, owner, parts = compact.cut(rowptr, 3)
    assert pointers.tolist() == [0, 0, 3, 6, 9, 10, 10, 13, 14, 15]
    assert owner.tolist() == [0, 1, 2, 2, 2, 3, 4, 4, 5]
    assert parts.tolist() == [0, 1, 2, 5, 6, 8, 9]
    assert int(pointers.diff().max()) <= 3


def test_short_rows_are_left_whole_and_numbers_are_int32() -> None:
    csr = structure(edges_between(9, 7, 60), 9, 7)
    assert csr.compact.parts is None
    assert csr.compact.pieces == 7
    assert all(part.dtype == torch.int32 for part in (csr.compact.rowptr, csr.compact.row, csr.compact.col, csr.compact.order))
    assert torch.equal(csr.compact.row.long(), csr.row)


@pytest.mark.parametrize("given", [False, True], ids=["", "edges"])
@pytest.mark.parametrize("att", [False, True], ids=["", "att"])
def test_leaky_scores_and_all_their_derivatives_equal_finite_differences(given: bool, att: bool) -> None:
    csr = structure(edges_between(4, 3, 6), 4, 3)
    inputs = [randn(4, 2, 2, seed=1), randn(3, 2, 2, seed=2)]
    inputs += [randn(2, 2, seed=3)] if att else []
    inputs += [randn(6, 2, 2, seed=4)] if given else []

    def scores(left: Tensor, right: Tensor, *more: Tensor) -> Tensor:
        return leaky_scores(csr, left, right, more[0] if att else None, more[-1] if given else None, 0.2)

    y = torch.nn.functional.leaky_relu(sum_of_ends(csr, inputs[0], inputs[1], inputs[-1] if given else None), 0.2)
    torch.testing.assert_close(scores(*inputs), (y * inputs[2] if att else y).sum(-1))
    leaves = [one.requires_grad_() for one in inputs]
    assert torch.autograd.gradcheck(scores, leaves, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(scores, leaves)


@pytest.mark.parametrize("few", [0, 2**19], ids=["head by head", "all heads at once"])
def test_heads_are_products_and_dots_of_their_own(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlangen.nn.graph.csr.FEW", few)
    csr, x, y, weight = structure(edges_between(5, 4, 9), 5, 4), randn(5, 3, 2), randn(4, 3, 2, seed=1), randn(9, 3, seed=2)
    together, dots = product(csr, x, weight), edge_dot(csr, y, x)
    for h in range(3):
        torch.testing.assert_close(together[:, h], product(csr, x[:, h], weight[:, h]))
        torch.testing.assert_close(dots[:, h], edge_dot(csr, y[:, h], x[:, h]))
    leaves = (x.requires_grad_(), weight.requires_grad_())
    assert torch.autograd.gradgradcheck(lambda x, w: product(csr, x, w), leaves)
    assert torch.autograd.gradgradcheck(lambda a, b: edge_dot(csr, a, b), (y.requires_grad_(), x))


@pytest.mark.parametrize("kind", ATTENTION)
def test_where_kernels_fail_plain_operations_take_over_with_one_warning(
    kind: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("no C compiler")

    layer, x, edges = kind(3, 2, heads=2, edge_dim=2), randn(5, 3, dtype=torch.float32), edges_between(5, 5, 12)
    attr = randn(12, 2, seed=1, dtype=torch.float32)
    expected = results(layer, x, edges, attr)
    monkeypatch.setattr(launch, "DEVICES", ("cpu",))
    monkeypatch.setattr(launch, "TRITON", True)
    monkeypatch.setattr(launch, "kernels", broken)
    with pytest.warns(
        UserWarning, match="plain operations, which are slower, because Triton failed: RuntimeError: no C compiler"
    ):
        got = results(layer, x, edges, attr)
    for a, b in zip(got, expected, strict=True):
        assert_near(a, b, 1e-6)


def test_without_triton_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "DEVICES", ("cpu",))
    monkeypatch.setattr(launch, "TRITON", False)
    monkeypatch.setattr(launch, "start", lambda *_, **__: pytest.fail("a kernel was started"))
    GATConv(3, 2)(torch.randn(5, 3), edges_between(5, 5, 9))


class NoWaiting(TorchDispatchMode):
    """Raises at an operation for which the host of a GPU would wait for the device."""

    WAIT = ("_local_scalar_dense", "equal", "nonzero", "bincount", "_unique2", "unique_dim", "masked_select")

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, given = str(function), kwargs or {}
        assert name.split(".")[1] not in self.WAIT, name
        if name.startswith("aten.index") and isinstance(args[1], (list, tuple)):
            assert not any(one is not None and one.dtype == torch.bool for one in args[1]), name
        assert not name.startswith("aten.repeat_interleave") or given.get("output_size") is not None, name
        return function(*args, **given)


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the CPU counts as being on a GPU."""
    monkeypatch.setattr(launch, "DEVICES", ("cpu",))
    monkeypatch.setattr(launch, "TRITON", True)
    for module in (memory, checks):
        monkeypatch.setattr(module, "reading_waits", lambda _: True)


@pytest.mark.parametrize("runs", [True, False], ids=["kernels", "plain"])
@pytest.mark.parametrize("hub", [0, 1100], ids=["", "hub"])
def test_a_second_step_reads_nothing_from_the_device(
    as_on_a_gpu: None, runs: bool, hub: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With kernels that do nothing, and with the plain operations in their place."""
    monkeypatch.setattr(launch, "start", lambda *_, **__: runs)
    monkeypatch.setattr(gcn, "check_totals", lambda total: total.sum().item())  # reads them, but no kernel made them
    edges = edges_between(12, 12, 40, hub)
    x, attr, weight = (one.float() for one in (randn(12, 3), randn(40 + hub, 2, seed=1), randn(40 + hub, seed=2).abs()))
    attention = [(kind(3, 4, heads=2, edge_dim=dim), attr) for kind in ATTENTION for dim in (None, 2)]
    loops = GATConv(3, 4, edge_dim=2, replace_self_loops=True, fill_value=0.5)
    adjacency = torch.sparse_coo_tensor(edges.flip(0), torch.ones(40 + hub), (12, 12)).coalesce().to_sparse_csr()
    for layer, value in [
        *attention, (loops, attr), (SAGEConv(3, 4), None), (GCNConv(3, 4), None), (GCNConv(3, 4), weight),
        (GraphConv(3, 4), weight), (GraphConvolution(3, 2), weight), (GraphConvolution(3, 4), None),
        (GraphConvolution(3, 4, form="index"), None),
    ]:  # fmt: skip
        given = () if value is None or getattr(layer, "edge_dim", 1) is None else (value,)
        graphs = [edges] if given else [edges, adjacency]
        for graph in graphs:
            for mode in (nullcontext(), NoWaiting()):
                with mode:
                    leaf = x.clone().requires_grad_()
                    layer(leaf, graph, *given).sum().backward()


def test_edges_are_known_by_their_version_where_reading_waits(as_on_a_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "DEVICES", ())
    edges, x = edges_between(6, 6, 25), randn(6, 2)
    known, before = structure(edges, 6, 6), neighbor_sum(x, edges, 6)
    assert structure(edges, 6, 6) is known
    assert structure(edges.clone(), 6, 6) is not known
    edges[:, 0] = 5
    assert structure(edges, 6, 6) is not known
    assert not torch.equal(neighbor_sum(x, edges, 6), before)
    torch.testing.assert_close(neighbor_sum(x, edges, 6), neighbor_sum(x, edges.clone(), 6))
    known = structure(edges, 6, 6)
    edges.data[0, 0] = 4
    assert structure(edges, 6, 6) is known, "a change that bypasses the version goes unnoticed, as the docs say"
    edges.data = edges.clone()
    assert structure(edges, 6, 6) is not known
    with torch.inference_mode():
        made = edges.clone()  # has no version: it is compared
        first = remember(made, "key", lambda: object())
        assert remember(made, "key", lambda: object()) is first
        made[0, 0] = 0
        assert remember(made, "key", lambda: object()) is not first


def test_values_are_checked_once_where_reading_waits(as_on_a_gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "DEVICES", ())
    edges, x, attr = edges_between(6, 6, 25), randn(6, 3).float(), randn(25, 2, seed=1).float()
    layer = GATConv(3, 4, edge_dim=2)
    bad, worse = x.clone(), attr.clone()
    bad[3, 1], worse[2, 0] = torch.nan, torch.nan
    for features, values, message in (
        (bad, attr, r"x is NaN at \[3, 1\]"), (bad, attr, r"x is NaN at \[3, 1\]"), (x, worse, r"edge_attr is NaN at \[2, 0\]"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):  # a refusal is not remembered as a check
            layer(features, edges, values)
    with pytest.raises(ValueError, match="there are 6 nodes"):
        layer(x, edges + 3, attr)
    layer(x, edges, attr)
    assert layer(bad, edges, attr).isnan().any()
    with pytest.raises(ValueError, match="x is NaN"):
        layer(bad, edges.clone(), attr)
    with pytest.raises(ValueError, match="x is NaN"):  # another shape
        GATConv(2, 4)(bad[:, 1:], edges)
    edges[0, 0] = 6
    with pytest.raises(ValueError, match="source 6 at edge 0"):
        layer(x, edges, attr)


# In the interpreter, and on a GPU


@by_device
@pytest.mark.parametrize("longest", [1024, 4], ids=["", "pieces"])
@pytest.mark.parametrize(("heads", "channels"), [*SHAPES, (1, 200), (40, 8)])
def test_each_kernel_equals_its_twin(
    kernels: Counter[str], device: str, longest: int, heads: int, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "LONGEST", longest)
    edges = edges_between(9, 7, 60)
    csr, there = structure(edges, 9, 7), structure(edges.to(device), 9, 7)
    left, right, att = randn(9, heads, channels), randn(7, heads, channels, seed=1), randn(heads, channels, seed=2)
    weight, given = randn(60, heads, seed=3), randn(60, heads, channels, seed=4)

    def everything(c: CSR, *leaves: Tensor) -> list[Tensor]:
        left, right, att, weight, given = (one.requires_grad_() for one in leaves)
        made = [
            (product(c, left, weight), (left, weight)),
            (product(c, left), (left,)),
            (edge_dot(c, right, left), (left, right)),
            (edge_softmax(c, weight), (weight,)),
            (leaky_scores(c, left, right, att, None, 0.2), (left, right, att)),
            (leaky_scores(c, left, right, att, given, 0.3), (left, right, att, given)),
            (leaky_scores(c, left, right, None, given, 0.2), (left, right, given)),
        ]
        return [one.detach().cpu().double() for out, inputs in made for one in (out, *gradients(out, *inputs))]

    leaves = (left, right, att, weight, given)
    ours = everything(there, *(one.to(device, torch.float32) for one in leaves))
    monkeypatch.setattr(launch, "DEVICES", ())
    theirs = everything(csr, *(one.float().double() for one in leaves))
    for a, b in zip(ours, theirs, strict=True):
        assert_near(a, b, 2e-6)
    missing = {"row_sums", "edge_dots", "leaky_scores", "leaky_sums", "leaky_slopes"} - set(kernels)
    assert not missing
    softmax = {"row_softmax", "row_softmax_gradient"}
    pieces = {"piece_sums", "piece_softmax", "piece_weighted_sums", "piece_softmax_gradient"}
    assert (softmax | pieces) & set(kernels) == (softmax if longest == 1024 else pieces)


@by_device
@pytest.mark.parametrize("longest", [1024, 2], ids=["", "pieces"])
def test_derivatives_of_both_orders_equal_finite_differences(
    kernels: Counter[str], device: str, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "LONGEST", longest)
    csr = structure(edges_between(3, 2, 4).to(device), 3, 2)
    left, right, weight = (
        one.to(device).requires_grad_() for one in (randn(3, 1, 2), randn(2, 1, 2, seed=1), randn(4, 1, seed=2))
    )
    att = randn(1, 2, seed=3).to(device).requires_grad_()
    checks: list[tuple[Any, tuple[Tensor, ...]]] = [
        (lambda x, w: product(csr, x, w), (left, weight)),
        (lambda a, b: edge_dot(csr, a, b), (right, left)),
        (lambda s: edge_softmax(csr, s), (weight,)),
        (lambda le, r, a: leaky_scores(csr, le, r, a, None, 0.2), (left, right, att)),
    ]
    for function, leaves in checks:
        assert torch.autograd.gradcheck(function, leaves, check_forward_ad=True, nondet_tol=0.0)
        assert torch.autograd.gradgradcheck(function, leaves, nondet_tol=0.0)


@by_device
@pytest.mark.parametrize("longest", [1024, 4], ids=["", "pieces"])
@pytest.mark.parametrize("spread", [1.0, 300.0])
def test_softmax_of_large_and_infinite_scores(
    kernels: Counter[str], device: str, spread: float, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "LONGEST", longest)
    edges = edges_between(9, 7, 60).to(device)
    csr, scores = structure(edges, 9, 7), (spread * randn(60, 3, dtype=torch.float32)).to(device)
    scores[csr.rowptr[0] : csr.rowptr[1], 0] = -torch.inf  # nothing but -inf: NaN, as torch's
    scores[csr.rowptr[1], 1] = -torch.inf
    scores[csr.rowptr[2], 2] = torch.nan
    ours = edge_softmax(csr, scores).cpu()
    for v in range(7):
        rows = slice(int(csr.rowptr[v]), int(csr.rowptr[v + 1]))
        torch.testing.assert_close(ours[rows], scores[rows].cpu().softmax(0), equal_nan=True, rtol=1e-5, atol=1e-7)


@by_device
def test_no_edges_no_features_and_no_targets(kernels: Counter[str], device: str) -> None:
    for sources, targets, width in ((4, 3, 2), (4, 0, 2), (0, 0, 2)):
        x, y = torch.randn(sources, 2, width, device=device), torch.randn(targets, 2, width, device=device)
        csr = structure(torch.empty(2, 0, dtype=torch.int64, device=device), sources, targets)
        assert torch.equal(product(csr, x), x.new_zeros(targets, 2, width))
        assert edge_dot(csr, y, x).shape == edge_softmax(csr, x.new_zeros(0, 2)).shape == (0, 2)
        assert leaky_scores(csr, x, y, None, None, 0.2).shape == (0, 2)
    layer = GATv2Conv(2, 3, heads=2).to(device)
    layer(torch.randn(3, 2, device=device), torch.empty(2, 0, dtype=torch.int64, device=device)).sum().backward()


@by_device
def test_weighted_layers_without_atomics(kernels: Counter[str], device: str) -> None:
    edges, x, weight = edges_between(6, 6, 25), randn(6, 3), randn(25, seed=1).abs()
    for layer in (GCNConv(3, 4), GraphConv(3, 2), GraphConvolution(3, 2)):
        compare(layer, x, edges, weight, device=device)
    compare(SAGEConv(3, 2), x, edges, device=device)
    compare(GCNConv(3, 4), x, edges, device=device)
    with pytest.raises(ValueError, match="which has no square root"):
        GCNConv(3, 4).to(device)(x.float().to(device), edges.clone().to(device), -weight.float().to(device))


@by_device
@pytest.mark.parametrize("kind", ATTENTION)
def test_attention_layers_equal_those_of_a_cpu(kernels: Counter[str], device: str, kind: type[nn.Module]) -> None:
    edges = edges_between(6, 5, 25)
    compare(kind((3, 4), 2, heads=3), (randn(6, 3), randn(5, 4, seed=1)), edges, device=device)
    compare(kind(3, 2, heads=2, edge_dim=2), randn(6, 3), edges_between(6, 6, 25), randn(25, 2, seed=2), device=device)


@by_device
def test_forward_mode_within_a_backward_pass(kernels: Counter[str], device: str) -> None:
    """Nothing is lost where a tangent goes through a backward pass that itself needs no gradient."""
    csr = structure(edges_between(5, 4, 9).to(device), 5, 4)
    x, weight, v = (one.to(device) for one in (randn(5, 2), randn(9, seed=1), randn(9, seed=2)))
    with forward_ad.dual_level():
        leaf = x.clone().requires_grad_()
        (grad,) = torch.autograd.grad(product(csr, leaf, forward_ad.make_dual(weight, v)).sum(), leaf)
        tangent = forward_ad.unpack_dual(grad).tangent
    other = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(product(csr, other, v).sum(), other)
    assert tangent is not None
    torch.testing.assert_close(tangent, expected)


@by_device
@pytest.mark.parametrize("hub", [0, 1100], ids=["", "hub"])
def test_means_are_divided_and_added_to_by_their_kernel(kernels: Counter[str], device: str, hub: int) -> None:
    edges, between = edges_between(8, 8, 20, hub), edges_between(8, 6, 20, hub)
    for root in (True, False):
        for layer in (SAGEConv(5, 4, root_weight=root), GraphConvolution(5, 3, root_weight=root, bias=not root)):
            compare(layer, randn(8, 5), edges, device=device)
        pair = (randn(8, 5), randn(6, 4, seed=1))
        compare(SAGEConv((5, 4), 3, root_weight=root), pair, between, device=device)
    if not hub:
        kernels.clear()
        out = GraphConvolution(5, 3).to(device)(randn(8, 5, dtype=torch.float32).to(device), edges.to(device))
        out.sum().backward()
        assert kernels == {"row_sums": 2}  # one each way, with nothing before or after them
