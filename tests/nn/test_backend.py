"""What runs, whether it stores the matrix, and that nothing of a call lies on another device."""

from itertools import product

import pytest
import torch
from support.largest import Allocations

from erlangen.nn import flex
from erlangen.nn.attention import AttentionConfig, CausalSelfAttention, Form, Positions, attention_backend, context
from erlangen.nn.cache import KeyValueCache

T = 256
CASES = [
    pytest.param(form, window, positions, dropout, dtype, id=f"{form}-{window}-{positions}-{dropout}-{str(dtype)[6:]}")
    for form, window, positions, dropout, dtype in product(
        ("auto", "naive", "fused", "local"),
        (None, 1, 16, 60, 100, 130, 200, 256, 300),
        ("rotary", "alibi", "none"),
        (0.0, 0.1),
        (torch.float32, torch.bfloat16),
    )
    if form != "local" or window is not None
]


@pytest.mark.parametrize(("form", "window", "positions", "dropout", "dtype"), CASES)
def test_what_is_said_of_the_matrix_is_measured(
    form: Form, window: int | None, positions: Positions, dropout: float, dtype: torch.dtype
) -> None:
    """One head, so that a matrix of T × T numbers is larger than every other tensor; forward and backward, in training."""
    config = AttentionConfig(width=8, heads=1, form=form, window=window, positions=positions, dropout=dropout)
    layer, x = CausalSelfAttention(config).to(dtype), torch.randn(1, T, 8, dtype=dtype, requires_grad=True)
    backend = attention_backend(config, T, T, x, training=True)
    with Allocations() as seen:
        layer(x, context(config, T, x, training=True)).sum().backward()
    assert (seen.largest >= T * T) == backend.holds_matrix, (backend, seen.largest)
    assert str(backend).startswith(backend.kernel)
    assert ("queries × keys" in str(backend)) == backend.holds_matrix


@pytest.mark.parametrize("form", ["auto", "naive", "fused", "local"])
def test_weights_are_asked_of_the_naive_form_and_one_query_has_no_matrix(form: Form) -> None:
    config, like = AttentionConfig(width=8, heads=1, form=form, window=16, positions="alibi"), torch.empty(0)
    assert str(attention_backend(config, T, T, like, weights=True)).startswith("naive: holds")
    assert not attention_backend(config, 1, T, like).holds_matrix
    assert str(attention_backend(config, 3, T, like)).startswith(("masked: holds", "naive: holds"))


def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """An empty tensor of a device that is no CPU, for which FlexAttention answers as for a GPU with Triton."""
    monkeypatch.setattr(flex, "TRITON", True)
    refusal = flex.refusal
    monkeypatch.setattr(flex, "refusal", lambda device, *rest: refusal(torch.device("cuda"), *rest))
    return torch.empty(0, device="meta", dtype=torch.bfloat16)


PLAIN: dict[str, object] = {"width": 128, "heads": 2}


@pytest.mark.parametrize(
    ("options", "queries", "keys", "dtype", "expected"),
    [
        ({}, 4096, 4096, torch.bfloat16, "fused"),
        ({}, 4096, 4096, torch.float32, "fused"),
        ({}, 4096, 4096, torch.float64, "fused: holds queries × keys because torch has no fused kernel for float64 on a GPU"),
        ({"dropout": 0.1}, 4096, 4096, torch.bfloat16, "fused"),
        ({"window": 4096}, 4096, 4096, torch.bfloat16, "fused"),
        ({"window": 256}, 4096, 4096, torch.bfloat16, "flex"),
        ({"window": 3000}, 4096, 4096, torch.float32, "flex"),
        ({"window": 256}, 513, 513, torch.float16, "flex"),
        ({"window": 256, "form": "fused"}, 4096, 4096, torch.bfloat16, "flex"),
        ({"window": 256, "form": "local"}, 4096, 4096, torch.bfloat16, "local"),
        ({"window": 256, "dropout": 0.1}, 4096, 4096, torch.bfloat16, "local"),
        ({"window": 256}, 4096, 4096, torch.float64, "local"),
        ({"window": 256, "width": 1024}, 4096, 4096, torch.bfloat16, "local"),
        ({"positions": "alibi"}, 4096, 4096, torch.bfloat16, "flex"),
        ({"positions": "alibi", "window": 7}, 4096, 4096, torch.bfloat16, "flex"),
        ({"positions": "alibi", "width": 48}, 4096, 4096, torch.bfloat16, "flex"),
        (
            {"positions": "alibi", "dropout": 0.1}, 4096, 4096, torch.bfloat16,
            "masked: holds queries × keys because FlexAttention has no dropout of the weights",
        ),
        (
            {"positions": "alibi"}, 512, 512, torch.bfloat16,
            "masked: holds queries × keys because up to 512 tokens it is small",
        ),
        (
            {"positions": "alibi"}, 4096, 4096, torch.float64,
            "masked: holds queries × keys because FlexAttention has no float64",
        ),
        (
            {"positions": "alibi", "width": 1024}, 4096, 4096, torch.bfloat16,
            "masked: holds queries × keys because FlexAttention has no heads of more than 256 features",
        ),
        (
            {"positions": "alibi"}, 600, 4096, torch.bfloat16,
            "masked: holds queries × keys because there are more keys in the cache than queries",
        ),
        ({"positions": "alibi"}, 1, 4096, torch.bfloat16, "masked"),
        ({}, 1, 4096, torch.bfloat16, "fused"),
        (
            {"form": "naive"}, 4096, 4096, torch.bfloat16,
            "naive: holds queries × keys because the naive form computes all weights",
        ),
    ],
)  # fmt: skip
def test_what_runs_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, options: dict, queries: int, keys: int, dtype: torch.dtype, expected: str
) -> None:
    like = on_a_gpu(monkeypatch).to(dtype)
    assert str(attention_backend(AttentionConfig(**{**PLAIN, **options}), queries, keys, like, training=True)) == expected


def test_without_triton_a_window_is_local_and_alibi_a_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    like = on_a_gpu(monkeypatch)
    monkeypatch.setattr(flex, "TRITON", False)
    assert str(attention_backend(AttentionConfig(**PLAIN, window=64), 4096, 4096, like)) == "local"
    said = str(attention_backend(AttentionConfig(**PLAIN, positions="alibi"), 4096, 4096, like))
    assert said == "masked: holds queries × keys because FlexAttention needs Triton"


@pytest.mark.parametrize("form", ["auto", "naive", "fused", "local"])
@pytest.mark.parametrize("positions", ["rotary", "alibi", "none"])
@pytest.mark.parametrize("window", [None, 16, 300])
@pytest.mark.parametrize("length", [1, 20, 1024])
@pytest.mark.parametrize("cached", [False, True])
def test_nothing_of_a_call_is_copied_from_the_host(
    monkeypatch: pytest.MonkeyPatch, form: Form, positions: Positions, window: int | None, length: int, cached: bool
) -> None:
    """On torch's device without memory, which refuses to mix: every result lies on it, so none was made on the CPU and copied."""
    on_a_gpu(monkeypatch)
    if form == "local" and window is None:
        return
    config = AttentionConfig(width=36, heads=3, positions=positions, window=window, form=form)
    with torch.device("meta"):
        layer, x = CausalSelfAttention(config), torch.empty(2, length, 36)
        cache = KeyValueCache(1, 2, 3, 2048, 12, torch.float32, "meta") if cached else None
    with torch.no_grad(), Allocations() as seen:
        shared = context(config, length, x, cache)
        if shared.band is None:
            layer(x, shared)
    assert seen.devices == {"meta"}
    assert (shared.band is not None) == (attention_backend(config, length, length, x).kernel == "flex")


def test_a_bias_of_each_head_does_not_make_torch_store_the_weights() -> None:
    """ALiBi's bias is (H, T, T); a mask of three axes would make the kernel store (B, H, T, T) weights besides."""
    config = AttentionConfig(width=32, heads=4, form="fused", positions="alibi")
    layer, x = CausalSelfAttention(config), torch.randn(3, T, 32, requires_grad=True)
    with Allocations() as seen:
        layer(x, context(config, T, x, training=True)).sum().backward()
    assert seen.largest == config.heads * T * T
