"""Grouped-query attention: heads of keys and values that several heads of queries share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.torchvision_ops import declare_torchvision_ops
from torch import Tensor, nn

import erlangen
from erlangen.errors import ErlangenError
from erlangen.measure.products import multiply_adds
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.models.gpt2 import save_gpt2
from erlangen.nn import flex
from erlangen.nn.attention import AttentionConfig, CausalSelfAttention, Form, Positions, context
from erlangen.records.files import from_json, to_json

CONFIG = AttentionConfig(width=24, heads=6, kv_heads=2, bias=True)
TINY = GPTConfig(vocabulary=17, block=12, layers=2, heads=4, kv_heads=2, width=16, dropout=0.0)


def repeated(weight: Tensor, config: AttentionConfig) -> Tensor:
    """Rows (or a bias) of queries, keys and values, with those of each head of keys and values repeated for its queries."""
    heads = weight.unflatten(0, (-1, config.head_dim))  # (H + 2 H', d, ...)
    q, k, v = heads.split((config.heads, config.key_heads, config.key_heads))
    return torch.cat([q, *(x.repeat_interleave(config.heads // config.key_heads, 0) for x in (k, v))]).flatten(0, 1)


def pair(config: AttentionConfig) -> tuple[CausalSelfAttention, CausalSelfAttention]:
    """A layer with shared keys and values, and the layer without that computes the same."""
    torch.manual_seed(3)
    shared = CausalSelfAttention(config).double()
    plain = CausalSelfAttention(replace(config, kv_heads=None)).double()
    state = {name: repeated(value, config) if name.startswith("qkv") else value for name, value in shared.state_dict().items()}
    plain.load_state_dict(state)
    return shared, plain


@pytest.mark.parametrize("kv_heads", [1, 2, 3])
@pytest.mark.parametrize(("form", "window"), [("naive", None), ("fused", None), ("naive", 4), ("fused", 4), ("local", 4)])
@pytest.mark.parametrize("positions", ["rotary", "alibi", "none"])
def test_it_is_attention_with_repeated_keys_and_values(
    kv_heads: int, form: Form, window: int | None, positions: Positions
) -> None:
    """Gradients too: that of a shared head is the sum over the heads that share it."""
    config = replace(CONFIG, kv_heads=kv_heads, form=form, window=window, positions=positions)
    shared, plain = pair(config)
    x, out = torch.randn(2, 2, 13, 24, dtype=torch.float64)
    x.requires_grad_()
    y, expected = shared(x, context(config, 13, x)), plain(x, context(plain.config, 13, x))
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)
    weight = shared.qkv.weight.detach().requires_grad_()
    (summed,) = torch.autograd.grad(
        (repeated(weight, config) * torch.autograd.grad((expected * out).sum(), plain.qkv.weight, retain_graph=True)[0]).sum(),
        weight,
    )
    found = torch.autograd.grad((y * out).sum(), [shared.qkv.weight, x])
    torch.testing.assert_close(found[0], summed, rtol=0, atol=1e-11)
    torch.testing.assert_close(found[1], torch.autograd.grad((expected * out).sum(), x)[0], rtol=0, atol=1e-11)


def test_with_as_many_heads_it_is_the_layer_of_today() -> None:
    torch.manual_seed(0)
    today = CausalSelfAttention(replace(CONFIG, kv_heads=None))
    layer = CausalSelfAttention(replace(CONFIG, kv_heads=6))
    layer.load_state_dict(today.state_dict())
    x = torch.randn(2, 9, 24)
    assert torch.equal(layer(x, context(layer.config, 9, x)), today(x, context(today.config, 9, x)))


def test_flex_attention_gets_every_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs on a GPU, with the substitute that is tested against its kernel."""
    monkeypatch.setattr(
        "erlangen.nn.attention.flex_attention", lambda q, k, v, band: flex.masked_attention(q, k, v, band, q.shape[-1] ** -0.5)
    )
    config = replace(CONFIG, positions="alibi", form="fused")
    layer, x = CausalSelfAttention(config).double(), torch.randn(2, 128, 24, dtype=torch.float64)
    shared = context(config, 128, x)
    expected = layer(x, shared)
    shared.band = flex.band(128, None, shared.slopes, x.device)
    torch.testing.assert_close(layer(x, shared), expected, rtol=0, atol=1e-6)  # its slopes are float32


@pytest.mark.parametrize("positions", ["rotary", "absolute", "alibi", "none"])
@torch.no_grad()
def test_a_cache_holds_shared_heads_alone_and_changes_nothing(positions: Positions) -> None:
    torch.manual_seed(1)
    model = GPT(replace(TINY, positions=positions)).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    tokens = torch.randint(17, (2, 12))
    cache = model.cache(2)
    assert cache.keys.shape == (2, 2, 2, 12, 4)  # layers, texts, heads of keys, tokens, features
    parts = [model(part, cache) for part in tokens.split([5, 1, 3, 1, 1, 1], 1)]
    torch.testing.assert_close(torch.cat(parts, 1), model(tokens), rtol=0, atol=1e-12)


def test_weights_are_those_of_every_head_of_queries() -> None:
    shared, plain = pair(CONFIG)
    x = torch.randn(1, 7, 24, dtype=torch.float64)
    contexts = [context(layer.config, 7, x, weights=True) for layer in (shared, plain)]
    for layer, each in zip((shared, plain), contexts, strict=True):
        layer(x, each)
    (found,), (expected,) = (each.weights or [] for each in contexts)
    assert found.shape == (1, 6, 7, 7)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("form", ["naive", "fused"])
def test_products_are_counted_as_they_are_computed(form: Form) -> None:
    """n² pairs (naive) or n (n + 1) / 2 (causal kernel) for each head of queries; projections to fewer features."""
    n, config = 10, replace(CONFIG, form=form)
    layer, x = CausalSelfAttention(config), torch.randn(1, n, 24)
    pairs = n * n if form == "naive" else n * (n + 1) // 2
    expected = n * 24 * (6 + 2 * 2) * 4 + 6 * pairs * 2 * 4 + n * 24 * 24
    assert multiply_adds(lambda: layer(x, context(config, n, x))) == expected


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
def test_it_is_the_attention_of_llama(implementation: str) -> None:
    declare_torchvision_ops()  # transformers imports torchvision where it is installed
    module = pytest.importorskip("transformers.models.llama.modeling_llama")
    theirs = module.LlamaConfig(
        hidden_size=24, num_attention_heads=6, num_key_value_heads=2, attn_implementation=implementation, attention_bias=True
    )
    torch.manual_seed(0)
    llama, ours = module.LlamaAttention(theirs, 0).eval(), CausalSelfAttention(CONFIG)
    with torch.no_grad():
        for name in ("weight", "bias"):
            parts = [getattr(layer, name) for layer in (llama.q_proj, llama.k_proj, llama.v_proj)]
            getattr(ours.qkv, name).copy_(torch.cat(parts))
            getattr(ours.out, name).copy_(getattr(llama.o_proj, name))
    x = torch.randn(2, 9, 24)
    table = module.LlamaRotaryEmbedding(theirs)(x, torch.arange(9)[None])
    mask = torch.full((9, 9), -torch.inf).triu(1)[None, None]
    expected, _ = llama(x, table, mask)
    torch.testing.assert_close(ours(x, context(CONFIG, 9, x)), expected, rtol=1e-5, atol=1e-6)


def test_configurations_survive_a_checkpoint_and_old_ones_load() -> None:
    assert from_json(GPTConfig, to_json(TINY)) == TINY
    old = to_json(replace(TINY, kv_heads=None))
    del old["kv_heads"]
    assert from_json(GPTConfig, old) == replace(TINY, kv_heads=None)


@pytest.mark.parametrize("kv_heads", [0, 4, 12, -2])
def test_heads_that_cannot_be_shared_evenly_are_refused(kv_heads: int) -> None:
    with pytest.raises(ValueError, match=f"kv_heads {kv_heads} must divide the number of heads, 6"):
        replace(CONFIG, kv_heads=kv_heads)


def test_what_has_no_shared_heads_says_so(tmp_path: Any) -> None:
    model = GPT(replace(TINY, norm="layer", positions="absolute", bias=True))
    with pytest.raises(ErlangenError, match="its key_heads is 2, but GPT-2's is 4"):
        save_gpt2(model, tmp_path)


@pytest.mark.parametrize("kv_heads", [None, 1])
def test_an_audit_finds_the_same_symmetries_with_shared_heads(kv_heads: int | None) -> None:
    torch.manual_seed(2)
    model = GPT(replace(TINY, kv_heads=kv_heads)).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    checks = ["causality", "prefix-shift", "token-permutation"]
    found = erlangen.audit(model, torch.randint(17, (8, 10)), checks, domain="texts", elements=2)
    judgments = {check.name: check.judgment for check in found.checks}
    assert (judgments["causality"], judgments["token-permutation"]) == ("exact", "broken")
    assert set(judgments) >= set(checks)
