"""FlexAttention beside the naive form. Here its graph runs operation by operation; kernels are tested where there is a GPU."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from functorch.compile import make_boxed_func
from support.largest import Allocations
from torch import Tensor
from torch._dynamo.backends.common import aot_autograd
from torch.nn.attention import flex_attention as theirs

from erlangen.nn import backend, flex
from erlangen.nn.attention import AttentionConfig, CausalSelfAttention, Positions, context, hide, naive_attention
from erlangen.nn.positions import alibi_bias, alibi_slopes

CPU = torch.device("cpu")


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """torch's kernels for FlexAttention have no backward pass on a CPU, but its graph has."""
    torch._dynamo.reset()
    monkeypatch.setattr(theirs, "_validate_device", lambda *tensors: None)
    run = torch.compile(flex._attend, backend="aot_eager", dynamic=False, fullgraph=True)
    monkeypatch.setattr(flex, "_compile", lambda: run)
    monkeypatch.setattr(flex, "_failures", {})
    monkeypatch.setattr(flex, "_block_masks", {})
    yield
    assert not flex._failures
    torch._dynamo.reset()


def naively(q: Tensor, k: Tensor, v: Tensor, window: int | None, slopes: Tensor | None) -> Tensor:
    position = torch.arange(q.shape[2])
    distance = position[:, None] - position
    bias = hide(distance, window)
    return naive_attention(q, k, v, bias if slopes is None else bias + alibi_bias(slopes, distance))[0]


@pytest.mark.parametrize("window", [None, 1, 7, 127, 128, 129, 256, 300, 700])
@pytest.mark.parametrize("length", [1, 128, 130, 640, 1100])
def test_the_blocks_are_those_that_torch_finds_in_the_whole_matrix(length: int, window: int | None) -> None:
    size = flex.rounded(length)
    ours = flex.block_mask(size, window, CPU)
    reference = theirs.create_block_mask(flex.sight(window), None, None, size, size, device="cpu")
    for part in ("kv", "full_kv", "q", "full_q"):
        for name in (f"{part}_num_blocks", f"{part}_indices"):
            assert torch.equal(getattr(ours, name), getattr(reference, name)), name
    assert torch.equal(ours.to_dense(), reference.to_dense())
    position = torch.arange(size)
    seen = flex.sight(window)(position, position, position[:, None], position)
    assert torch.equal(seen, hide(position[:, None] - position, window) == 0)


def test_the_blocks_of_a_long_text_are_found_without_its_matrix() -> None:
    with Allocations() as seen:
        flex.block_mask(16384, 256, CPU)
    assert 0 < seen.largest <= 2 * 128 * 128


def test_there_are_few_lengths_and_none_is_much_longer() -> None:
    sizes = {n: flex.rounded(n) for n in range(1, 20_000)}
    assert all(size >= n and size % 128 == 0 for n, size in sizes.items())
    assert all(size <= 1.25 * n for n, size in sizes.items() if n > 512)
    assert all(sizes[n] == n for n in (1024, 2048, 3072, 4096, 16384))
    for low in (512, 1024, 2048, 4096, 8192):
        assert len({sizes[n] for n in range(low + 1, 2 * low + 1)}) == 4


@pytest.mark.parametrize("head_dim", [4, 16])
@pytest.mark.parametrize("alibi", [False, True])
@pytest.mark.parametrize(("length", "window"), [(300, 1), (256, 40), (300, 128), (130, 129), (300, 300), (300, None)])
def test_it_is_the_naive_form(uncompiled: None, length: int, window: int | None, alibi: bool, head_dim: int) -> None:
    torch.manual_seed(0)
    q, k, v, out = torch.randn(4, 2, 3, length, head_dim)
    q, k, v = (x.requires_grad_() for x in (q, k, v))
    slopes = alibi_slopes(3) if alibi else None
    y = flex.flex_attention(q, k, v, flex.band(length, window, slopes, CPU))
    found = [y, *torch.autograd.grad((y * out).sum(), [q, k, v])]
    y = naively(q, k, v, window, slopes)
    for ours, expected in zip(found, [y, *torch.autograd.grad((y * out).sum(), [q, k, v])], strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


def test_a_bias_takes_its_place_and_the_reason_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Callable[..., Tensor]:
        raise RuntimeError("no compiler here\nand more")

    monkeypatch.setattr(flex, "_compile", broken)
    monkeypatch.setattr(flex, "_failures", {})
    monkeypatch.setattr(flex, "TRITON", True)
    q, k, v = torch.randn(3, 1, 2, 200, 12)
    slopes, gpu = alibi_slopes(2), torch.device("cuda")
    assert flex.refusal(gpu, torch.float32, 12) == ""
    with pytest.warns(RuntimeWarning, match="stores a T × T bias, because FlexAttention failed: no compiler here$"):
        y = flex.flex_attention(q, k, v, flex.band(200, 30, slopes, CPU))
    torch.testing.assert_close(y, naively(q, k, v, 30, slopes), rtol=1e-5, atol=1e-5)
    assert flex.refusal(gpu, torch.float32, 12) == "FlexAttention failed: no compiler here"
    assert flex.refusal(gpu, torch.float32, 16) == ""


def test_memory_that_is_full_is_no_reason_for_a_larger_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> Callable[..., Tensor]:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(flex, "_compile", full)
    with pytest.raises(torch.OutOfMemoryError):
        flex.flex_attention(*torch.randn(3, 1, 2, 200, 16), flex.band(200, 30, None, CPU))


def test_forward_mode_uses_the_bias(uncompiled: None) -> None:
    torch.manual_seed(1)
    q, k, v, tangent = torch.randn(4, 1, 2, 140, 16, dtype=torch.float64)
    band, slopes = flex.band(140, 9, alibi_slopes(2).double(), CPU), alibi_slopes(2).double()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        found = torch.func.jvp(lambda x: flex.flex_attention(x, k, v, band), (q,), (tangent,))
    expected = torch.func.jvp(lambda x: naively(x, k, v, 9, slopes), (q,), (tangent,))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_blocks_found_during_inference_serve_training(uncompiled: None) -> None:
    with torch.inference_mode():
        first = flex.band(300, 40, None, CPU)
    band = flex.band(300, 40, None, CPU)
    assert band.blocks is first.blocks
    assert not band.blocks.kv_indices.is_inference()
    q = torch.randn(1, 1, 300, 16, requires_grad=True)
    flex.flex_attention(q, q, q, band).sum().backward()
    assert q.grad is not None


@pytest.mark.parametrize(("window", "positions"), [(40, "rotary"), (None, "alibi"), (40, "alibi")])
def test_a_graph_around_it_holds_no_matrix(
    uncompiled: None, monkeypatch: pytest.MonkeyPatch, window: int | None, positions: Positions
) -> None:
    """Whole layers are compiled without a break; every number of their graphs, forward and backward, is counted."""
    sizes: list[int] = []

    def measured(graph: torch.fx.GraphModule, inputs: object) -> Callable[..., object]:
        for node in graph.graph.nodes:
            value = node.meta.get("val")
            values = value if isinstance(value, (list, tuple)) else [value]
            sizes.extend(int(one.numel()) for one in values if isinstance(one, Tensor))
        return make_boxed_func(graph.forward)

    torch.manual_seed(2)
    t = 1000
    config = AttentionConfig(width=32, heads=2, positions=positions, window=window, form="fused")
    layer, x = CausalSelfAttention(config), torch.randn(1, t, 32, requires_grad=True)

    def run(x: Tensor) -> Tensor:
        return layer(x, context(config, t, x, training=True)).square().sum()

    expected = run(x)
    (gradient,) = torch.autograd.grad(expected, x)
    monkeypatch.setattr(backend, "flex_refusal", lambda *case: "")
    value = torch.compile(run, backend=aot_autograd(fw_compiler=measured), fullgraph=True)(x)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, x)[0], gradient, rtol=1e-4, atol=1e-6)
    assert len(sizes) > 20
    assert max(sizes) < t * t / 4


@pytest.mark.parametrize(("window", "positions"), [(40, "rotary"), (None, "alibi")])
def test_a_layer_with_it_is_the_layer_without(
    uncompiled: None, monkeypatch: pytest.MonkeyPatch, window: int | None, positions: Positions
) -> None:
    torch.manual_seed(3)
    config = AttentionConfig(width=32, heads=2, positions=positions, window=window, form="fused")
    layer, x = CausalSelfAttention(config), torch.randn(2, 300, 32)
    expected = layer(x, context(config, 300, x))
    monkeypatch.setattr(backend, "flex_refusal", lambda *case: "")
    shared = context(config, 300, x)
    assert shared.bias is None
    assert shared.band is not None
    torch.testing.assert_close(layer(x, shared), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("window", "alibi"), [(40, False), (None, True), (40, True)])
def test_a_compiled_kernel_is_the_naive_form(monkeypatch: pytest.MonkeyPatch, window: int | None, alibi: bool) -> None:
    """torch compiles a kernel for a CPU too, for the forward pass."""
    monkeypatch.setattr(flex, "_failures", {})
    torch.manual_seed(4)
    q, k, v = torch.randn(3, 1, 2, 300, 24)
    slopes = alibi_slopes(2) if alibi else None
    with torch.inference_mode():
        y = flex.flex_attention(q, k, v, flex.band(300, window, slopes, CPU))
    assert not flex._failures
    torch.testing.assert_close(y, naively(q, k, v, window, slopes), rtol=1e-5, atol=1e-5)
    assert math.isfinite(float(y.sum()))
