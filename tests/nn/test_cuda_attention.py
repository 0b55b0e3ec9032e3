"""Attention on a GPU beside the naive form on the CPU in float64; what it allocates; and that it never waits for the host."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor

from erlangen.nn.attention import AttentionConfig, CausalSelfAttention, Form, Positions, attention_backend, context
from erlangen.nn.positions import Rotary, alibi_slopes

pytestmark = pytest.mark.cuda
TOLERANCES = {torch.float32: 2e-5, torch.bfloat16: 3e-2}  # of the norm of what is compared
CASES = [
    pytest.param(form, positions, window, dtype, length, id=f"{form}-{positions}-{window}-{str(dtype)[6:]}-{length}")
    for form, positions, window, dtype, length in product(
        ("auto", "naive", "fused", "local"), ("rotary", "alibi", "none"), (None, 5, 20), (torch.float32, torch.bfloat16), (13, 64)
    )
    if form != "local" or window is not None
]


@pytest.fixture(autouse=True)
def full_float32() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


def outcome(layer: CausalSelfAttention, x: Tensor, out: Tensor, mask: Tensor | None = None) -> list[Tensor]:
    """Output, gradient of the input and gradients of the weights, on the CPU in float64. mask: booleans, False for padding."""
    x = x.detach().requires_grad_()
    y = layer(x, context(layer.config, x.shape[1], x, training=True, mask=mask if mask is None else mask.to(x.device)))
    gradients = torch.autograd.grad((y * out).sum(), [x, *layer.parameters()])
    return [one.detach().cpu().double() for one in (y, *gradients)]


def compare(
    config: AttentionConfig, length: int, dtype: torch.dtype, run: object = None, batch: int = 2, mask: Tensor | None = None
) -> None:
    """The layer on the GPU in `dtype` beside the naive form on the CPU, from the same, rounded numbers."""
    torch.manual_seed(0)
    layer = CausalSelfAttention(config).to(dtype)
    x, out = torch.randn(2, batch, length, config.width).to(dtype)
    reference = copy.deepcopy(layer).double()
    reference.config = replace(config, form="naive")
    expected = outcome(reference, x.double(), out.double(), mask)
    found = run(layer.cuda(), x.cuda(), out.cuda()) if run else outcome(layer.cuda(), x.cuda(), out.cuda(), mask)  # type: ignore[operator]
    for ours, theirs in zip(found, expected, strict=True):
        assert float((ours - theirs).norm() / theirs.norm()) <= TOLERANCES[dtype]


@pytest.mark.parametrize(("form", "positions", "window", "dtype", "length"), CASES)
def test_it_is_the_naive_form_on_the_cpu(
    form: Form, positions: Positions, window: int | None, dtype: torch.dtype, length: int
) -> None:
    compare(AttentionConfig(width=48, heads=3, positions=positions, window=window, form=form), length, dtype)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("kv_heads", [1, 2])
@pytest.mark.parametrize(
    ("form", "positions", "window"),
    [("auto", "rotary", None), ("naive", "rotary", 5), ("fused", "alibi", None), ("fused", "none", 20), ("local", "alibi", 5)],
)
def test_shared_keys_are_those_of_the_naive_form_on_the_cpu(
    form: Form, positions: Positions, window: int | None, kv_heads: int, dtype: torch.dtype
) -> None:
    config = AttentionConfig(width=64, heads=4, kv_heads=kv_heads, positions=positions, window=window, form=form, bias=True)
    compare(config, 45, dtype)


MASK = torch.ones(3, 45, dtype=torch.bool)
MASK[0, :9] = MASK[1, 40:] = MASK[2, 7:20] = False


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("kv_heads", [None, 2])
@pytest.mark.parametrize(
    ("form", "positions", "window"),
    [("auto", "rotary", None), ("naive", "alibi", None), ("fused", "none", 5), ("fused", "alibi", 20), ("local", "rotary", 5)],
)
def test_padded_texts_are_those_of_the_naive_form_on_the_cpu(
    form: Form, positions: Positions, window: int | None, kv_heads: int | None, dtype: torch.dtype
) -> None:
    """On the left, on the right and between tokens."""
    config = AttentionConfig(width=64, heads=4, kv_heads=kv_heads, positions=positions, window=window, form=form)
    compare(config, 45, dtype, batch=3, mask=MASK)


@contextmanager
def flex_runs(config: AttentionConfig, length: int, dtype: torch.dtype) -> Iterator[None]:
    """FlexAttention is chosen, and still is afterwards: its compiler did not fail."""
    like = torch.empty(0, dtype=dtype, device="cuda")
    assert str(attention_backend(config, length, length, like, training=True)) == "flex"
    yield
    assert str(attention_backend(config, length, length, like, training=True)) == "flex"


FLEX = AttentionConfig(width=128, heads=2, positions="rotary", window=256, form="auto")


@pytest.mark.parametrize(
    ("config", "length", "dtype"),
    [
        (FLEX, 1024, torch.bfloat16),
        (AttentionConfig(width=128, heads=2, positions="alibi"), 1024, torch.bfloat16),
        (AttentionConfig(width=128, heads=2, positions="alibi", window=300, form="fused"), 1024, torch.float32),
        (AttentionConfig(width=72, heads=3, positions="alibi", window=100), 700, torch.float32),
        (AttentionConfig(width=128, heads=4, kv_heads=2, positions="alibi", window=200), 700, torch.bfloat16),
    ],
    ids=["window", "alibi", "both-float32", "odd-sizes", "shared-keys"],
)
def test_flex_attention_is_the_naive_form_on_the_cpu(config: AttentionConfig, length: int, dtype: torch.dtype) -> None:
    with flex_runs(config, length, dtype):
        compare(config, length, dtype, batch=1)


def test_flex_attention_is_captured_in_a_graph() -> None:
    def captured(layer: CausalSelfAttention, x: Tensor, out: Tensor) -> list[Tensor]:
        x = x.requires_grad_()

        def step() -> tuple[Tensor, ...]:
            y = layer(x, context(layer.config, x.shape[1], x, training=True))
            return (y, *torch.autograd.grad((y * out).sum(), [x, *layer.parameters()]))

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        graph, kept = torch.cuda.CUDAGraph(), x.detach().clone()
        with torch.no_grad():
            x.zero_()
        with torch.cuda.graph(graph):
            results = step()
        with torch.no_grad():
            x.copy_(kept)
        graph.replay()
        return [one.detach().cpu().double() for one in results]

    with flex_runs(FLEX, 1024, torch.bfloat16):
        compare(FLEX, 1024, torch.bfloat16, captured, batch=1)


def test_flex_attention_is_compiled_with_the_layer_around_it() -> None:
    def compiled(layer: CausalSelfAttention, x: Tensor, out: Tensor) -> list[Tensor]:
        run = torch.compile(lambda x: layer(x, context(layer.config, x.shape[1], x, training=True)), fullgraph=True)
        x = x.requires_grad_()
        y = run(x)
        gradients = torch.autograd.grad((y * out).sum(), [x, *layer.parameters()])
        return [one.detach().cpu().double() for one in (y, *gradients)]

    compare(FLEX, 1024, torch.bfloat16, compiled, batch=1)


N = 4096


@pytest.mark.parametrize(
    ("options", "dtype"),
    [
        ({}, torch.bfloat16),
        ({}, torch.float32),
        ({"width": 24}, torch.float32),
        ({"width": 24}, torch.bfloat16),
        ({}, torch.float64),
        ({"dropout": 0.1}, torch.bfloat16),
        ({"dropout": 0.1}, torch.float32),
        ({"form": "naive"}, torch.bfloat16),
        ({"window": 64, "form": "local"}, torch.bfloat16),
        ({"window": 64, "dropout": 0.1}, torch.bfloat16),
        ({"window": 256}, torch.bfloat16),
        ({"positions": "alibi"}, torch.bfloat16),
        ({"positions": "alibi", "dropout": 0.1}, torch.bfloat16),
    ],
)
def test_what_is_said_of_the_matrix_is_measured(options: dict, dtype: torch.dtype) -> None:
    """Peak memory of a forward and backward pass: below one matrix of T × T of one head, or above."""
    config = AttentionConfig(**{"width": 128, "heads": 2, **options})
    layer = CausalSelfAttention(config).to("cuda", dtype)
    x = torch.randn(1, N, config.width, device="cuda", dtype=dtype, requires_grad=True)
    for _ in range(2):
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        torch.autograd.grad(layer(x, context(config, N, x, training=True)).sum(), [x, *layer.parameters()])
        peak = torch.cuda.max_memory_allocated() - before
    backend = attention_backend(config, N, N, x, training=True)
    assert (peak >= N * N * x.element_size()) == backend.holds_matrix, (str(backend), peak / 2**20)


TRAINED = {"factor": 4.0, "original_max_position_embeddings": 9}
SCALED = {
    "linear": Rotary(scaling="linear", factor=3.0),
    "dynamic": Rotary(scaling="dynamic", **TRAINED),
    "llama3": Rotary(scaling="llama3", low_freq_factor=0.1, high_freq_factor=1.0, **TRAINED),
    "yarn": Rotary(scaling="yarn", layout="interleaved", **TRAINED),
    "longrope": Rotary(scaling="longrope", short_factor=[1.5] * 16, long_factor=[1.0, 4.0] * 8, **TRAINED),
}


@pytest.mark.parametrize("positions", ["rotary", "alibi", "none"])
@pytest.mark.parametrize("window", [None, 16, 256])
@pytest.mark.parametrize("length", [20, 1024])
def test_a_call_does_not_wait_for_the_host(positions: Positions, window: int | None, length: int) -> None:
    """torch raises an error for a copy from the host that blocks, and for a number that is read back."""
    never_waits(AttentionConfig(width=128, heads=2, positions=positions, window=window), length)


@pytest.mark.parametrize("kind", SCALED)
def test_nor_does_one_with_shared_keys_and_scaled_positions(kind: str) -> None:
    never_waits(AttentionConfig(width=128, heads=4, kv_heads=2, rotary=SCALED[kind]), 20)


def never_waits(config: AttentionConfig, length: int) -> None:
    layer = CausalSelfAttention(config).to("cuda", torch.bfloat16)
    x = torch.randn(1, length, 128, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    layer(x, context(config, length, x, training=True)).sum().backward()
    torch.cuda.set_sync_debug_mode("error")
    try:
        layer(x, context(config, length, x, training=True)).sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("rotary", [Rotary(), Rotary(layout="interleaved", base=500.0), Rotary(scaling="ntk", factor=4.0)])
def test_tables_are_those_of_the_cpu(rotary: Rotary) -> None:
    positions = torch.arange(0, 100_000, 997)
    torch.testing.assert_close(rotary.table(positions.cuda(), 64).cpu(), rotary.table(positions, 64), rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", SCALED)
def test_scaled_tables_are_those_of_the_cpu(kind: str) -> None:
    """Of one text short and long, and of several texts at once."""
    rotary, positions = SCALED[kind], torch.arange(0, 10_000, 97)
    for length in (5, 10_000, torch.tensor([[[5]], [[10_000]]])):
        there = length.cuda() if isinstance(length, torch.Tensor) else length
        found = rotary.table(positions.cuda(), 32, there).cpu()
        torch.testing.assert_close(found, rotary.table(positions, 32, length), rtol=0, atol=3e-7)


@pytest.mark.parametrize("heads", [1, 2, 6, 12, 25])
def test_slopes_are_those_of_the_cpu(heads: int) -> None:
    assert torch.equal(alibi_slopes(heads, torch.device("cuda")).cpu(), alibi_slopes(heads))
