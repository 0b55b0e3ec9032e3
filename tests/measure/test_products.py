"""Multiply-adds as they run: against hand counts, torch's own counter where that is right, and the log of the matrix library."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from erlangen.experiments.attention_cost.matrix_log import logged_multiply_adds
from erlangen.measure.products import FORMULAS, UncountedError, count_products, multiply_adds, pairs
from erlangen.nn import banded
from erlangen.nn.banded import local_attention
from erlangen.nn.naive import hide, naive_attention

SHAPES = [(1, 1, 16, 8), (2, 3, 50, 16), (1, 4, 128, 64), (3, 2, 7, 5), (1, 2, 800, 32)]  # batch, heads, n, d
fused = F.scaled_dot_product_attention


def draw(batch: int, heads: int, n: int, d: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    q, k, v = (torch.randn(batch, heads, n, d, requires_grad=True) for _ in range(3))
    return q, k, v


def both(attend: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], object]:
    return lambda: attend(*inputs).sum().backward()


def naive(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return naive_attention(q, k, v, None)[0]


def causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return fused(q, k, v, is_causal=True)


def flops(step: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


@pytest.mark.parametrize(("batch", "heads", "n", "d"), SHAPES)
def test_attention_is_counted_as_by_hand(batch: int, heads: int, n: int, d: int):
    """Naive: Q Kᵀ and weights · V, then two gradients each. Fused: the same and Q Kᵀ again. Causal: half of the pairs."""
    inputs, each = draw(batch, heads, n, d), batch * heads * d
    assert multiply_adds(lambda: naive(*inputs)) == 2 * each * n**2
    assert multiply_adds(both(naive, *inputs)) == 6 * each * n**2
    assert multiply_adds(lambda: fused(*inputs)) == 2 * each * n**2
    assert multiply_adds(both(fused, *inputs)) == 7 * each * n**2
    assert multiply_adds(both(causal, *inputs)) == 7 * each * n * (n + 1) // 2
    assert multiply_adds(lambda: inputs[0] @ inputs[1].mT) == each * n**2


@pytest.mark.parametrize(("batch", "heads", "n", "d"), SHAPES)
def test_the_kernel_computes_what_its_formula_says(batch: int, heads: int, n: int, d: int):
    """The log of the matrix library lists every product: as many forward and backward, and whole blocks where it is causal."""
    inputs = draw(batch, heads, n, d)
    logged = logged_multiply_adds(lambda: fused(*inputs))
    if math.isnan(logged):
        pytest.skip("torch has no matrix library that logs here")
    assert logged == multiply_adds(lambda: fused(*inputs))
    assert logged_multiply_adds(both(fused, *inputs)) == multiply_adds(both(fused, *inputs))
    seen, whole = multiply_adds(both(causal, *inputs)), multiply_adds(both(fused, *inputs))
    assert seen <= logged_multiply_adds(both(causal, *inputs)) <= whole


def test_the_log_is_no_constant_and_leaves_the_output_alone(capfd: pytest.CaptureFixture[str]):
    a, b = torch.randn(30, 40), torch.randn(40, 50)
    if math.isnan(logged_multiply_adds(lambda: a @ b)):
        pytest.skip("torch has no matrix library that logs here")
    assert logged_multiply_adds(lambda: a @ b) == 30 * 40 * 50
    assert logged_multiply_adds(lambda: [a @ b, b @ torch.ones(50, 2)]) == 30 * 40 * 50 + 40 * 50 * 2
    assert math.isnan(logged_multiply_adds(lambda: a + 1))
    print("still here", flush=True)
    assert capfd.readouterr().out.splitlines()[-1] == "still here"


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (4, 4), (3, 7), (7, 3), (5, 1)])
def test_pairs_are_those_of_the_mask(queries: int, keys: int):
    mask = torch.ones(queries, keys).tril()
    assert pairs(queries, keys, True) == int(mask.sum())
    assert pairs(queries, keys, False) == mask.numel()


def test_values_wider_than_keys_and_fewer_keys_than_queries():
    q, k, v = (torch.randn(1, 2, n, d, requires_grad=True) for n, d in ((9, 4), (6, 4), (6, 10)))
    assert multiply_adds(lambda: fused(q, k, v)) == 2 * 9 * 6 * (4 + 10)
    assert multiply_adds(both(naive, q, k, v)) == 2 * 9 * 6 * 3 * (4 + 10)


def test_dropout_falls_back_to_products_that_are_seen_one_by_one():
    q, k, v = draw(1, 1, 20, 8)
    step = both(lambda *x: fused(*x, dropout_p=0.5), q, k, v)
    assert [product.name for product in count_products(step)] == ["bmm"] * 6
    assert multiply_adds(step) == 6 * 20 * 20 * 8
    assert "flash" in count_products(lambda: fused(q, k, v))[0].name


@pytest.mark.parametrize("window", [4, 8])
def test_a_custom_function_counts_by_what_it_runs(monkeypatch: pytest.MonkeyPatch, window: int):
    """Blocks of w queries and 2w keys: all kept, 2 products forward and 4 backward; computed again, 2 and 6."""
    q, k, v = draw(1, 2, 32, 8)
    each = 2 * 32 * 2 * window * 8
    step = both(lambda *x: local_attention(*x, window), q, k, v)
    assert multiply_adds(step) == 6 * each
    monkeypatch.setattr(banded, "KEPT", 0)
    monkeypatch.setattr(banded, "CHUNK", 1)
    assert multiply_adds(step) == 8 * each
    assert multiply_adds(lambda: local_attention(q.detach(), k, v, window)) == 2 * each


def test_checkpoints_compute_again_and_are_seen_to():
    q, k, v = draw(1, 1, 12, 4)
    again = both(lambda *x: checkpoint(naive, *x, use_reentrant=False), q, k, v)
    assert multiply_adds(again) - multiply_adds(both(naive, q, k, v)) == 12 * 12 * 4  # Q Kᵀ; the output is not needed again


LAYERS: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "mm": (torch.mm, ((3, 5), (5, 7))),
    "bmm": (torch.bmm, ((2, 3, 5), (2, 5, 7))),
    "addmm": (torch.addmm, ((3, 7), (3, 5), (5, 7))),
    "baddbmm": (torch.baddbmm, ((2, 3, 7), (2, 3, 5), (2, 5, 7))),
    "linear": (F.linear, ((4, 3, 5), (7, 5), (7,))),
    "matmul": (torch.matmul, ((2, 4, 3, 5), (5, 7))),
    "einsum": (lambda a, b: torch.einsum("bij,bkj->bik", a, b), ((2, 3, 5), (2, 7, 5))),
    "conv1d": (F.conv1d, ((2, 4, 9), (6, 4, 3), (6,))),
    "conv2d": (lambda x, w: F.conv2d(x, w, padding=1, stride=2), ((2, 4, 9, 8), (6, 4, 3, 3))),
    "transposed": (F.conv_transpose2d, ((2, 4, 5, 6), (4, 3, 2, 2))),
}


@pytest.mark.parametrize("name", LAYERS)
def test_products_are_half_the_flops_of_torchs_counter(name: str):
    function, shapes = LAYERS[name]
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]
    assert 2 * multiply_adds(lambda: function(*inputs)) == flops(lambda: function(*inputs)) > 0
    assert 2 * multiply_adds(both(function, *inputs)) == flops(both(function, *inputs))
    with torch.inference_mode():
        assert 2 * multiply_adds(lambda: function(*inputs)) == flops(lambda: function(*inputs))


def test_vectors_and_products_in_place():
    a, x = torch.randn(3, 5), torch.randn(5)
    assert multiply_adds(lambda: a @ x) == 15
    assert multiply_adds(lambda: x @ x) == 5
    assert multiply_adds(lambda: torch.addmv(torch.zeros(3), a, x)) == 15
    assert multiply_adds(lambda: torch.zeros(3, 3).addmm_(a, a.T)) == 45
    assert multiply_adds(lambda: torch.mm(a, a.T, out=torch.empty(3, 3))) == 45


def test_grouped_convolutions_count_their_own_channels():
    x, w = torch.randn(2, 4, 9, 9, requires_grad=True), torch.randn(8, 2, 3, 3, requires_grad=True)
    step = both(lambda x, w: F.conv2d(x, w, groups=2), x, w)
    assert multiply_adds(step) == 3 * (2 * 8 * 7 * 7) * (2 * 3 * 3)


def test_a_gradient_that_is_not_wanted_is_not_counted():
    x, w = torch.randn(1, 2, 9), torch.randn(3, 2, 3, requires_grad=True)
    forward = 3 * 7 * 2 * 3
    assert multiply_adds(both(F.conv1d, x, w)) == 2 * forward
    assert multiply_adds(both(F.conv1d, x.requires_grad_(), w)) == 3 * forward


def test_where_torchs_counter_is_wrong():
    """It knows no kernel for a CPU; once it does, it should agree, and count a causal one in full."""
    q, k, v = draw(1, 2, 40, 8)
    assert flops(both(fused, q, k, v)) in (0, 2 * multiply_adds(both(fused, q, k, v)))
    assert flops(both(causal, q, k, v)) in (0, 2 * multiply_adds(both(fused, q, k, v)))


UNKNOWN: dict[str, Callable[[], object]] = {
    "solve": lambda: torch.linalg.solve(torch.eye(3), torch.ones(3)),
    "fft": lambda: torch.fft.fft(torch.ones(8)),
    "cdist": lambda: torch.cdist(torch.ones(30, 3), torch.ones(30, 3), p=1),
    "lstm": lambda: torch.lstm_cell(torch.ones(1, 3), (torch.ones(1, 3),) * 2, torch.ones(12, 3), torch.ones(12, 3)),
    "int8": lambda: torch._int_mm(torch.ones(32, 32, dtype=torch.int8), torch.ones(32, 32, dtype=torch.int8)),
    "sparse": lambda: torch.sparse.mm(torch.eye(3).to_sparse(), torch.ones(3, 3)),
}


@pytest.mark.parametrize("name", sorted(UNKNOWN.keys() - {"lstm"}))
def test_a_product_without_a_formula_raises(name: str):
    with pytest.raises(UncountedError, match="it may multiply matrices and has no formula"):
        count_products(UNKNOWN[name])


def test_what_is_made_of_known_products_is_counted():
    assert multiply_adds(UNKNOWN["lstm"]) == 2 * 3 * 12


def test_an_operation_of_another_library_raises():
    with torch.library._scoped_library("products_test", "DEF") as library:
        library.define("thing(Tensor x) -> Tensor")
        library.impl("thing", lambda x: x @ x, "CPU")
        with pytest.raises(UncountedError, match=r"products_test.*thing"):
            count_products(lambda: torch.ops.products_test.thing(torch.ones(2, 2)))


def test_a_model_of_other_operations_counts_nothing_and_raises_nothing():
    x = torch.randn(4, 6, requires_grad=True)
    step = both(lambda x: F.layer_norm(F.gelu(x).softmax(-1).cumsum(0), (6,)) + torch.lgamma(x.abs() + 1), x)
    assert multiply_adds(step) == 0
    assert multiply_adds(lambda: torch.nn.utils.clip_grad_norm_([x], 1.0)) == 0
    assert multiply_adds(lambda: F.dropout(torch.embedding(x.detach(), torch.tensor([1, 2])), 0.5)) == 0


def test_every_formula_is_of_an_operation_that_torch_has():
    assert all(hasattr(torch.ops.aten, name) for name in FORMULAS)


def test_the_mask_of_a_window_saves_no_product():
    q, k, v = draw(1, 1, 64, 8)
    bias = hide(torch.arange(64)[:, None] - torch.arange(64), 4)
    assert multiply_adds(lambda: fused(q, k, v, bias)) == multiply_adds(lambda: fused(q, k, v))
