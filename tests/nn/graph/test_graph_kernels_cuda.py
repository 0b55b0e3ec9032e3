"""Graph layers on a GPU: any graph, dtype and width; no waiting for the device; captured steps; bad input.

Oracle: the same layers on a CPU in float64.
"""

import gc
from collections import Counter
from typing import Any

import pytest
import torch
from support.graph_kernels import ATTENTION, BOUND, SHAPES, compare, edges_between, randn, results
from support.graphs import assert_near
from torch import Tensor, nn

from erlangen.nn.graph import (
    GATConv,
    GCNConv,
    GraphConv,
    GraphConvolution,
    SAGEConv,
    launch,
)
from erlangen.nn.graph.csr import neighbor_sum, structure
from erlangen.nn.graph.remember import remember

pytestmark = pytest.mark.cuda


CASES = [
    *((heads, channels, dtype) for heads, channels in SHAPES for dtype in (torch.float32, torch.bfloat16)),
    (3, 7, torch.float64), (8, 8, torch.float16),
]  # fmt: skip


@pytest.mark.parametrize("device", ["cuda"])
@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize(("heads", "channels", "dtype"), CASES)
@pytest.mark.parametrize("kind", ATTENTION)
def test_attention_on_graphs_of_all_kinds(
    kernels: Counter[str], device: str, kind: type[nn.Module], heads: int, channels: int, dtype: torch.dtype, edge_dim: int | None
) -> None:
    """A hub of degree 5000, isolated nodes, equal edges, self-loops, and two sets of nodes."""
    for sources, targets, hub in ((50, 50, 5000), (60, 40, 0)):
        edges = edges_between(sources, targets, 300, hub)
        x: Any = randn(sources, 5) if sources == targets else (randn(sources, 5), randn(targets, 4, seed=1))
        attr = [] if edge_dim is None else [randn(edges.shape[1], edge_dim, seed=2)]
        layer = kind(5 if sources == targets else (5, 4), channels, heads=heads, edge_dim=edge_dim, dropout=0.0)
        compare(layer, x, edges, *attr, device=device, dtype=dtype)


@pytest.mark.parametrize("device", ["cuda"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [1, 7, 33, 64, 128])
def test_convolutions_on_graphs_of_all_kinds(kernels: Counter[str], device: str, width: int, dtype: torch.dtype) -> None:
    for hub in (0, 5000):
        edges, x = edges_between(50, 50, 300, hub), randn(50, 5)
        for layer in (SAGEConv(5, width), GraphConvolution(5, width), GCNConv(5, width)):
            compare(layer, x, edges, device=device, dtype=dtype)
        weight = randn(edges.shape[1], seed=1).abs() + 0.1
        for layer in (GraphConv(5, width, aggr="mean"), GCNConv(5, width)):
            compare(layer, x, edges, weight, device=device, dtype=dtype)


def cuda_layers() -> list[tuple[nn.Module, bool]]:
    """(layer, whether it gets features of the edges)"""
    attention = [(kind(8, 4, heads=2, edge_dim=dim), dim is not None) for kind in ATTENTION for dim in (None, 3)]
    return [*attention, (SAGEConv(8, 8), False), (GCNConv(8, 8), False), (GraphConvolution(8, 8), False)]


def cuda_inputs(hub: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    edges = edges_between(50, 50, 300, hub)
    return randn(50, 8, dtype=torch.float32).cuda(), edges.cuda(), randn(edges.shape[1], 3, dtype=torch.float32).cuda()


@pytest.mark.parametrize("hub", [0, 5000])
def test_a_step_does_not_wait_for_the_device_and_repeats_its_bits(hub: int) -> None:
    x, edges, attr = cuda_inputs(hub)
    for layer, with_attr in cuda_layers():
        layer.cuda()
        given = (attr,) if with_attr else ()

        def step(layer: nn.Module = layer, given: tuple[Tensor, ...] = given) -> list[Tensor]:
            leaf = x.clone().requires_grad_()
            out = layer(leaf, edges, *given)
            return [out, *torch.autograd.grad(out, [leaf, *layer.parameters()], torch.ones_like(out), allow_unused=True)]

        first = step()
        torch.cuda.set_sync_debug_mode("error")
        try:
            second = step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert all(a is b or torch.equal(a, b) for a, b in zip(first, second, strict=True)), layer


def test_a_step_can_be_captured_in_a_cuda_graph() -> None:
    x, edges, attr = cuda_inputs()
    x.requires_grad_()
    for layer, with_attr in cuda_layers():
        layer.cuda()
        given, side = ((attr,) if with_attr else ()), torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                layer(x, edges, *given).sum().backward()
        torch.cuda.current_stream().wait_stream(side)
        expected, x.grad = layer(x, edges, *given).detach().clone(), None
        layer.zero_grad()
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            out = layer(x, edges, *given)
            out.sum().backward()
        out.detach().zero_()
        captured.replay()
        torch.cuda.synchronize()
        assert torch.equal(out, expected), layer
        assert x.grad is not None
        assert x.grad.abs().sum() > 0
        x.grad = None


def test_edges_on_a_gpu_are_known_by_version_and_freed_with_their_tensor() -> None:
    edges, x = edges_between(6, 6, 25).cuda(), torch.randn(6, 2, device="cuda")
    before = neighbor_sum(x, edges, 6)
    known = structure(edges, 6, 6)
    assert structure(edges, 6, 6) is known
    edges[:, 0] = 5
    assert structure(edges, 6, 6) is not known
    assert not torch.equal(neighbor_sum(x, edges, 6), before)
    torch.testing.assert_close(neighbor_sum(x, edges, 6), neighbor_sum(x.cpu(), edges.cpu(), 6).cuda())
    with torch.inference_mode():
        made = edges.clone()  # has no version: it is compared
        first = remember(made, "key", lambda: object())
        assert remember(made, "key", lambda: object()) is first
        made[0, 0] = 0
        assert remember(made, "key", lambda: object()) is not first
    gc.collect()
    used = torch.cuda.memory_allocated()
    large = torch.randint(100, (2, 100_000), device="cuda")
    neighbor_sum(torch.randn(100, 2, device="cuda"), large, 100)
    del large
    assert torch.cuda.memory_allocated() <= used + 2**20


def test_bad_input_on_a_gpu_is_refused_when_a_graph_is_new() -> None:
    x, edges, attr = cuda_inputs()
    layer = GATConv(8, 4, edge_dim=3).cuda()
    with pytest.raises(ValueError, match="but there are 50 nodes"):
        layer(x, edges + 10, attr)
    x[3, 1] = torch.nan
    with pytest.raises(ValueError, match=r"x is NaN at \[3, 1\]"):
        layer(x, edges, attr)
    with pytest.raises(ValueError, match=r"x is NaN at \[3, 1\]"):
        layer(x, edges, attr)
    x[3, 1] = 0
    attr[2, 0] = torch.nan
    with pytest.raises(ValueError, match="edge_attr is NaN"):
        layer(x, edges, attr)


def test_autocast_and_dropout_on_a_gpu() -> None:
    x, edges, _ = cuda_inputs()
    for kind in ATTENTION:
        layer = kind(8, 4, heads=2, dropout=0.5).cuda()
        expected = layer.eval()(x, edges)
        with torch.autocast("cuda", torch.bfloat16):
            assert_near(layer(x, edges).float(), expected, 0.05)
        out = layer.train()(x, edges)
        out.sum().backward()
        assert torch.isfinite(out).all()
        assert not torch.allclose(out, expected)


@pytest.mark.parametrize("device", ["cuda"])
@pytest.mark.parametrize("kind", [*ATTENTION, SAGEConv, GCNConv])
def test_a_kernel_compiled_for_aligned_numbers_is_not_started_on_others(
    kernels: Counter[str], device: str, kind: type[nn.Module]
) -> None:
    """Numbers that do not begin at a multiple of 16 bytes cannot be read 16 bytes at a time: the device would fault."""
    layer, edges = kind(8, 8), edges_between(50, 50, 300)
    numbers = randn(50 * 8 + 1, dtype=torch.float32)
    expected = [results(layer, one.view(50, 8), edges)[0] for one in (numbers[:-1], numbers[1:])]
    layer, edges, numbers = layer.cuda(), edges.cuda(), numbers.cuda()
    for _ in range(2):
        for one, wanted in zip((numbers[:-1], numbers[1:]), expected, strict=True):
            assert_near(layer(one.view(50, 8), edges).detach().cpu().double(), wanted, BOUND[torch.float32])


def test_a_second_step_does_not_ask_triton(monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder) -> None:
    pytest.importorskip("triton")
    x, edges, _ = cuda_inputs()
    layers = [layer.cuda() for layer, with_features in cuda_layers() if not with_features]
    before = [results(layer, x, edges) for layer in layers]
    monkeypatch.setattr(launch, "kernels", lambda: pytest.fail("Triton was asked which kernel fits"))
    for layer, wanted in zip(layers, before, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(results(layer, x, edges), wanted, strict=True))
    assert not [one for one in recwarn if "Triton failed" in str(one.message)]
