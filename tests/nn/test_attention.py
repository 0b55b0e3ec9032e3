"""Causal attention: three forms, one function; and what a query sees."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from erlangen.nn.attention import (
    AttentionConfig,
    CausalSelfAttention,
    Form,
    Positions,
    chosen_form,
    context,
    fused_attention,
    hide,
    local_attention,
    naive_attention,
)
from erlangen.nn.cache import KeyValueCache
from erlangen.nn.positions import alibi_slopes

CONFIG = AttentionConfig(width=24, heads=3)


def plainly(q: Tensor, k: Tensor, v: Tensor, window: int | None, slopes: Tensor | None) -> Tensor:
    """One query at a time, from the formula."""
    y = torch.zeros_like(q)
    b, heads, t, d = q.shape
    for i in range(b):
        for h in range(heads):
            for p in range(t):
                first = 0 if window is None else max(p - window + 1, 0)
                seen = torch.arange(first, p + 1)
                scores = k[i, h, seen] @ q[i, h, p] / math.sqrt(d)
                if slopes is not None:
                    scores = scores - slopes[h] * (p - seen)
                y[i, h, p] = scores.softmax(0) @ v[i, h, seen]
    return y


@settings(max_examples=40, deadline=None)
@given(t=st.integers(1, 17), window=st.one_of(st.none(), st.integers(1, 20)), alibi=st.booleans(), seed=st.integers(0, 999))
def test_all_forms_are_the_formula(t: int, window: int | None, alibi: bool, seed: int) -> None:
    torch.manual_seed(seed)
    q, k, v = torch.randn(3, 2, 3, t, 4, dtype=torch.float64)
    slopes = alibi_slopes(3).double() if alibi else None
    expected = plainly(q, k, v, window, slopes)
    distance = torch.arange(t)[:, None] - torch.arange(t)
    bias = hide(distance, window).double()
    if slopes is not None:
        bias = bias - slopes[:, None, None] * distance
    torch.testing.assert_close(naive_attention(q, k, v, bias)[0], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(fused_attention(q, k, v, bias, causal=False), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(local_attention(q, k, v, window or t, slopes), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("positions", ["rotary", "alibi", "none"])
@pytest.mark.parametrize("window", [None, 4])
def test_gradients_agree(positions: Positions, window: int | None) -> None:
    torch.manual_seed(3)
    config = replace(CONFIG, positions=positions, window=window)
    layer = CausalSelfAttention(config).double()
    x, out = torch.randn(2, 13, 24, dtype=torch.float64, requires_grad=True), torch.randn(2, 13, 24, dtype=torch.float64)
    forms: tuple[Form, ...] = ("naive", "fused") if window is None else ("naive", "fused", "local")
    found = []
    for form in forms:
        layer.config = replace(config, form=form)
        y = layer(x, context(layer.config, 13, x))
        found.append((y, *torch.autograd.grad((y * out).sum(), [x, *layer.parameters()])))
    for other in found[1:]:
        for mine, naive in zip(other, found[0], strict=True):
            torch.testing.assert_close(mine, naive, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("form", ["naive", "fused", "local"])
def test_nothing_ahead_and_nothing_beyond_the_window_is_seen(form: Form) -> None:
    """By derivative: output p depends on inputs p - w < q ≤ p, on each of them, and on no other."""
    torch.manual_seed(4)
    config = replace(CONFIG, form=form, window=5)
    layer = CausalSelfAttention(config).double()
    x = torch.randn(1, 16, 24, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x, context(config, 16, x)).sum((0, 2)), x)[:, 0].norm(dim=-1)
    distance = torch.arange(16)[:, None] - torch.arange(16)
    seen = (distance >= 0) & (distance < 5)
    assert not jacobian[~seen].any()
    assert (jacobian[seen] > 1e-6).all()


def test_local_attention_never_makes_a_square() -> None:
    """Its largest tensor grows as T · w: 64 times the tokens, 64 times the numbers."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        numbers = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            for one in out if isinstance(out, (list, tuple)) else [out]:
                if isinstance(one, Tensor):
                    self.numbers = max(self.numbers, one.numel())
            return out

    largest = []
    for t in (64, 4096):
        q, k, v = torch.randn(3, 1, 1, t, 4, requires_grad=True)
        with Largest() as watched:
            local_attention(q, k, v, 8).sum().backward()
        largest.append(watched.numbers)
    assert largest[1] <= 64 * largest[0] < 4096**2


def test_fewer_queries_than_keys_are_the_last_ones() -> None:
    """torch's `is_causal` lines up the first query with the first key; a decoder's queries are the newest."""
    torch.manual_seed(5)
    q, k, v = torch.randn(3, 1, 2, 9, 4, dtype=torch.float64)
    whole = fused_attention(q, k, v, None, causal=True)
    distance = torch.arange(6, 9)[:, None] - torch.arange(9)
    torch.testing.assert_close(fused_attention(q[:, :, 6:], k, v, hide(distance, None), causal=False), whole[:, :, 6:])
    theirs = torch.nn.functional.scaled_dot_product_attention(q[:, :, 6:], k, v, is_causal=True)
    assert (theirs - whole[:, :, 6:]).abs().max() > 0.1


def test_a_rotary_layer_reads_a_shifted_text_alike() -> None:
    torch.manual_seed(8)
    layer, x = CausalSelfAttention(CONFIG).double(), torch.randn(1, 9, 24, dtype=torch.float64)
    here, there = context(CONFIG, 9, x), context(CONFIG, 9, x)
    there.table = CONFIG.rotary.table(torch.arange(1000, 1009), 8).double()
    torch.testing.assert_close(layer(x, there), layer(x, here), rtol=0, atol=1e-6)
    there.table = CONFIG.rotary.table(torch.arange(0, 18, 2), 8).double()  # twice the distances are another text
    assert (layer(x, there) - layer(x, here)).abs().max() > 1e-4


def test_weights_are_shares_of_what_is_seen() -> None:
    torch.manual_seed(6)
    layer, x = CausalSelfAttention(CONFIG), torch.randn(2, 7, 24)
    shared = context(CONFIG, 7, x, weights=True)
    layer(x, shared)
    (weights,) = shared.weights or []
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 7))
    assert not weights.triu(1).any()


def test_dropout_falls_on_weights_in_training_alone() -> None:
    torch.manual_seed(7)
    config = replace(CONFIG, dropout=0.5, form="naive")
    layer, x = CausalSelfAttention(config), torch.randn(1, 30, 24)
    trained = layer(x, context(config, 30, x))
    layer.eval()
    torch.testing.assert_close(layer(x, context(config, 30, x)), CausalSelfAttention.forward(layer, x, context(CONFIG, 30, x)))
    assert (trained - layer(x, context(config, 30, x))).abs().max() > 1e-3


def test_every_form_drops_weights_and_those_returned_are_whole() -> None:
    """Of values that are all 1 the output is the sum of the weights that were kept."""
    torch.manual_seed(9)
    q, k = torch.randn(2, 4, 4, 64, 8)
    v = torch.ones_like(q)
    bias = hide(torch.arange(64)[:, None] - torch.arange(64), 20)
    outputs = {
        "naive": naive_attention(q, k, v, bias, 0.5)[0],
        "fused": fused_attention(q, k, v, bias, False, 0.5),
        "local": local_attention(q, k, v, 20, None, 0.5),
    }
    for form, y in outputs.items():
        assert y.std() > 0.1, form
        assert float(y.mean()) == pytest.approx(1, abs=0.1), form
    weights = naive_attention(q, k, v, bias, 0.5)[1]
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 4, 64))


@pytest.mark.parametrize("positions", ["rotary", "alibi", "none"])
@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("form", ["naive", "fused"])
def test_a_layer_with_a_cache_goes_on_where_it_was(positions: Positions, window: int | None, form: Form) -> None:
    torch.manual_seed(10)
    config = replace(CONFIG, positions=positions, window=window, form=form)
    layer, x = CausalSelfAttention(config).double(), torch.randn(2, 9, 24, dtype=torch.float64)
    cache = KeyValueCache(1, 2, 3, 9, 8, torch.float64)
    parts = []
    for part in x.split([4, 1, 1, 3], 1):
        parts.append(layer(part, context(config, part.shape[1], x, cache)))
        cache.advance(part.shape[1])
    torch.testing.assert_close(torch.cat(parts, 1), layer(x, context(config, 9, x)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("config", "queries", "keys", "dtype", "training", "form"),
    [
        (CONFIG, 128, 128, torch.bfloat16, True, "naive"),
        (CONFIG, 1024, 1024, torch.bfloat16, False, "fused"),
        (CONFIG, 128, 128, torch.float32, False, "fused"),
        (replace(CONFIG, dropout=0.1), 128, 128, torch.float32, True, "naive"),
        (replace(CONFIG, dropout=0.1), 128, 128, torch.float32, False, "fused"),
        (replace(CONFIG, window=16), 128, 128, torch.float32, False, "local"),
        (replace(CONFIG, window=100), 128, 128, torch.float32, False, "fused"),
        (replace(CONFIG, window=16, form="local"), 1, 128, torch.float32, False, "naive"),
        (replace(CONFIG, form="fused"), 128, 128, torch.bfloat16, True, "fused"),
        (CONFIG, 512, 512, torch.bfloat16, False, "naive"),
        (CONFIG, 513, 513, torch.bfloat16, False, "fused"),
        (CONFIG, 1, 1024, torch.float32, False, "naive"),
        (CONFIG, 128, 128, torch.float32, True, "fused"),
        (replace(CONFIG, window=16), 64, 64, torch.float32, False, "local"),
        (replace(CONFIG, window=16), 63, 63, torch.float32, False, "fused"),
        (replace(CONFIG, window=16, form="local"), 16, 16, torch.float32, False, "naive"),
        (replace(CONFIG, window=16, form="local"), 17, 17, torch.float32, False, "local"),
    ],
)
def test_auto_takes_what_is_fastest_on_a_cpu(config, queries, keys, dtype, training, form) -> None:
    assert chosen_form(config, queries, keys, torch.empty(0, dtype=dtype), training) == form


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("width 24 must be a multiple of the number of heads, 5", {"heads": 5}),
        ("attention 'flash'", {"form": "flash"}),
        ("positions 'learned'", {"positions": "learned"}),
        ("needs a window", {"form": "local"}),
        ("window 0", {"window": 0}),
        ("dropout 1", {"dropout": 1.0}),
        ("head_dim 3 must be even", {"heads": 8}),
    ],
)
def test_impossible_layers_are_refused(fault: str, options: dict) -> None:
    with pytest.raises(ValueError, match=fault):
        replace(CONFIG, **options)


class Operations(TorchDispatchMode):
    """The names of the operations that run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("positions", ["absolute", "rotary"])
def test_gradients_of_queries_keys_and_values_are_put_together_once(positions: Positions) -> None:
    """As a concatenation along the features: nothing is filled with zeros, added, or copied to another order."""
    layer = CausalSelfAttention(AttentionConfig(width=24, heads=3, positions=positions))
    shared, x = context(layer.config, 8, torch.empty(0), training=True), torch.randn(2, 8, 24, requires_grad=True)
    q, k, v = (part.transpose(1, 2) for part in layer.project(x, shared))  # in the order in which kernels have them
    out = torch.randn(3, *q.shape)
    with Operations() as seen:
        torch.autograd.backward([q, k, v], list(out))
    assert seen.names.count("cat") == 1
    assert not {"slice_backward", "select_backward", "clone", "zeros", "zero_"} & set(seen.names)
    assert seen.names.count("stack") == (positions == "rotary")
