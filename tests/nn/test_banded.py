"""Blocks along the diagonal, all at once or a few at a time: the naive form, and the same to the last bit."""

import pytest
import torch
from support.largest import Allocations
from torch import Tensor

from erlangen.nn import banded
from erlangen.nn.banded import local_attention
from erlangen.nn.naive import hide, naive_attention
from erlangen.nn.positions import alibi_bias, alibi_slopes


def draw(length: int, dtype: torch.dtype = torch.float64, heads: int = 3) -> list[Tensor]:
    """q, k, v and a direction for the gradient, strided as a layer's are."""
    torch.manual_seed(length)
    q, k, v, out = torch.randn(4, 2, length, heads, 4, dtype=dtype).transpose(2, 3).unbind(0)
    return [q.requires_grad_(), k.requires_grad_(), v.requires_grad_(), out]


def outcome(y: Tensor, drawn: list[Tensor]) -> list[Tensor]:
    return [y, *torch.autograd.grad((y * drawn[3]).sum(), drawn[:3])]


def naively(q: Tensor, k: Tensor, v: Tensor, window: int, slopes: Tensor | None) -> Tensor:
    distance = torch.arange(q.shape[2])[:, None] - torch.arange(q.shape[2])
    bias = hide(distance, window).to(q.dtype)
    return naive_attention(q, k, v, bias if slopes is None else bias + alibi_bias(slopes, distance))[0]


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(banded, "KEPT", 0)
    monkeypatch.setattr(banded, "CHUNK", 300)


@pytest.mark.parametrize("alibi", [False, True])
@pytest.mark.parametrize("length", [1, 2, 7, 12, 23])
def test_every_window_is_the_naive_form(in_parts: None, length: int, alibi: bool) -> None:
    drawn, slopes = draw(length), alibi_slopes(3).double() if alibi else None
    for window in range(1, length + 2):
        ours = outcome(local_attention(*drawn[:3], window, slopes), drawn)
        for found, expected in zip(ours, outcome(naively(*drawn[:3], window, slopes), drawn), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("chunk", [1, 500, 5000])
@pytest.mark.parametrize(("length", "window"), [(40, 1), (100, 5), (128, 16), (130, 33), (100, 99), (50, 64)])
def test_a_few_at_a_time_give_the_bits_of_all_at_once(
    monkeypatch: pytest.MonkeyPatch, length: int, window: int, chunk: int, dtype: torch.dtype, autocast: bool
) -> None:
    drawn, slopes = draw(length, dtype), alibi_slopes(3)
    found = []
    for kept in (banded.KEPT, 0):
        monkeypatch.setattr(banded, "KEPT", kept)
        monkeypatch.setattr(banded, "CHUNK", chunk)
        with torch.autocast("cpu", torch.bfloat16, autocast):
            y = local_attention(*drawn[:3], window, slopes)
        assert ("_Recomputed" in type(y.grad_fn).__name__) == (kept == 0)
        found.append(outcome(y, drawn))
    for parts, whole in zip(*found, strict=True):
        assert parts.dtype == whole.dtype
        assert torch.equal(parts, whole)


def test_a_few_at_a_time_hold_little(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = []
    for kept in (banded.KEPT, 0):
        monkeypatch.setattr(banded, "KEPT", kept)
        monkeypatch.setattr(banded, "CHUNK", 2**12)
        drawn = draw(4096, torch.float32, heads=1)
        with Allocations() as seen:
            outcome(local_attention(*drawn[:3], 32), drawn)
        largest.append(seen.largest)
    assert largest[0] >= 2 * 4096 * 64
    assert largest[1] <= 2 * 4096 * 4 + 2 * 32 * 4  # no more than the tokens themselves


def test_the_gradient_has_a_gradient(in_parts: None) -> None:
    drawn = draw(23)
    assert torch.autograd.gradgradcheck(lambda *x: local_attention(*x, 4), drawn[:3])
    assert torch.autograd.gradcheck(lambda *x: local_attention(*x, 4), drawn[:3])


def test_what_needs_no_gradient_gets_none_and_inference_works(in_parts: None) -> None:
    q, k, v, _ = draw(23)
    k = k.detach()
    local_attention(q, k, v, 4).sum().backward()
    assert k.grad is None
    (dq,) = torch.autograd.grad(local_attention(q, k, v, 4).square().sum(), q, create_graph=True)
    torch.testing.assert_close(dq, torch.autograd.grad(naively(q, k, v, 4, None).square().sum(), q)[0])
    assert dq.requires_grad
    expected = naively(q, k, v, 4, None)
    with torch.inference_mode():
        torch.testing.assert_close(local_attention(q, k, v, 4), expected)


def test_forward_mode_and_dropout_take_all_at_once(in_parts: None) -> None:
    q, k, v, tangent = draw(23)
    found = torch.func.jvp(lambda x: local_attention(x, k, v, 4), (q,), (tangent,))
    torch.testing.assert_close(found, torch.func.jvp(lambda x: naively(x, k, v, 4, None), (q,), (tangent,)))
    y = local_attention(q, k, torch.ones_like(v), 4, None, 0.5)
    assert 0.5 < float(y.detach().mean()) < 1.5
    assert y.std() > 0.1
