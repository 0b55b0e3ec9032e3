"""The loss by a kernel that reads the logits once, beside torch's in float64; and what happens where it does not run."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.models import head_loss as heads, streamed_loss

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def untried() -> Iterator[None]:
    streamed_loss.tried.cache_clear()
    streamed_loss.kernels.cache_clear()
    yield
    streamed_loss.tried.cache_clear()
    streamed_loss.kernels.cache_clear()


def test_without_triton_they_do_not_run(monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder) -> None:
    monkeypatch.setattr(streamed_loss, "TRITON", False)
    assert not streamed_loss.runs_on(CPU)
    assert not recwarn


def test_a_compiler_that_fails_is_named_once(monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder) -> None:
    def broken() -> None:
        raise RuntimeError("no C compiler")

    monkeypatch.setattr(streamed_loss, "TRITON", True)
    monkeypatch.setattr(streamed_loss, "kernels", broken)
    with torch.inference_mode():
        assert not streamed_loss.runs_on(CPU)
    assert not streamed_loss.runs_on(CPU)
    assert [str(one.message) for one in recwarn] == [
        "the loss is computed by torch, which is slower, because Triton failed: RuntimeError: no C compiler"
    ]
    monkeypatch.undo()


def drawn(rows: int, vocabulary: int, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """States (N, 32) and a weight (V, 32) in bfloat16, and targets (N,); the first prediction is a sure one."""
    generator = torch.Generator().manual_seed(0)
    h, weight = (torch.randn(n, 32, generator=generator) for n in (rows, vocabulary))
    targets = torch.randint(vocabulary, (rows,), generator=generator)
    h[0] = 3 * weight[targets[0]]
    return (scale * h).bfloat16(), weight.bfloat16(), targets


def found(h: Tensor, weight: Tensor, targets: Tensor, compile: bool = False) -> list[Tensor]:
    """The loss of a padded vocabulary and the gradients of 2.5 losses, on the CPU in float64."""
    leaves = [h.cuda().requires_grad_(), weight.cuda().requires_grad_()]

    def loss_of(h: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        return heads.head_loss(h[None], weight, targets[None])

    loss = (torch.compile(loss_of, fullgraph=True) if compile else loss_of)(*leaves, targets.cuda())
    (2.5 * loss).backward()
    assert all(leaf.grad is not None and leaf.grad.dtype == torch.bfloat16 for leaf in leaves)
    return [loss.detach().double().cpu(), *(leaf.grad.double().cpu() for leaf in leaves if leaf.grad is not None)]


def exact(h: Tensor, weight: Tensor, targets: Tensor) -> list[Tensor]:
    """The same of the logits as bfloat16 rounds them, in float64 otherwise."""
    leaves = [h.detach().double().requires_grad_(), weight.detach().double().requires_grad_()]
    logits = leaves[0] @ leaves[1].T
    rounded = logits + ((h.cuda() @ weight.cuda().T).double().cpu() - logits).detach()
    loss = F.cross_entropy(rounded, targets)
    (2.5 * loss).backward()
    return [loss.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]


@pytest.mark.cuda
@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize(("rows", "vocabulary", "scale"), [(1, 33, 1.0), (50, 33, 3.0), (7, 4096, 10.0), (16, 50257, 1.0)])
def test_it_gives_the_loss_and_the_gradients_of_torch(rows: int, vocabulary: int, scale: float, compile: bool) -> None:
    pytest.importorskip("triton")
    assert streamed_loss.runs_on(torch.device("cuda"))
    drawing = drawn(rows, vocabulary, scale)
    ours, wanted = found(*drawing, compile), exact(*drawing)
    torch.testing.assert_close(ours[0], wanted[0], rtol=1e-5, atol=1e-6)
    for one, other in zip(ours[1:], wanted[1:], strict=True):
        assert one.shape == other.shape
        assert float((one - other).norm()) <= 2**-7 * float(other.norm())


@pytest.mark.cuda
def test_a_sure_prediction_keeps_its_gradient() -> None:
    pytest.importorskip("triton")
    h, weight = torch.zeros(4, 32, dtype=torch.bfloat16), torch.zeros(8, 32, dtype=torch.bfloat16)
    h[:, 0], weight[0, 0] = 1.0, 8.0  # 1 - p = 0.0023, less than bfloat16 can tell from 1
    gradient = found(h, weight, torch.zeros(4, dtype=torch.int64))[2][0, 0]
    p = torch.tensor([8.0] + 7 * [0.0]).double().softmax(0)[0]
    torch.testing.assert_close(gradient, 2.5 * (p - 1), rtol=2**-6, atol=0)


@pytest.mark.cuda
def test_a_second_backward_pass_and_an_evaluation_change_nothing() -> None:
    pytest.importorskip("triton")
    h, weight, targets = (tensor.cuda() for tensor in drawn(9, 77, 1.0))
    h.requires_grad_()
    loss = heads.head_loss(h[None], weight, targets[None])
    one, two = (torch.autograd.grad(loss, h, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(one, two)
    with torch.no_grad():
        assert torch.equal(heads.head_loss(h[None], weight, targets[None]), loss)
    (scaled,) = torch.autograd.grad(0.5 * loss, h)
    assert torch.equal(scaled, 0.5 * one)


@pytest.mark.cuda
def test_what_is_not_finite_or_not_a_token_makes_the_loss_nan() -> None:
    pytest.importorskip("triton")
    h, weight = torch.ones(3, 16, dtype=torch.bfloat16, device="cuda"), torch.ones(70, 16, dtype=torch.bfloat16, device="cuda")
    targets = torch.tensor([0, 1, 69], device="cuda")
    for wanted in (False, True):
        h.requires_grad_(wanted)
        assert torch.isfinite(heads.head_loss(h[None], weight, targets[None]))
        assert torch.isnan(heads.head_loss(h[None], weight, targets[None] + 1))  # a column of the padding
        assert torch.isnan(heads.head_loss(h[None], weight, targets[None] - 1))
        for value in (torch.nan, torch.inf):
            spoiled = weight.clone()
            spoiled[7] = value
            assert not torch.isfinite(heads.head_loss(h[None], spoiled, targets[None]))


@pytest.mark.cuda
def test_it_is_what_the_head_uses() -> None:
    pytest.importorskip("triton")
    h, weight = torch.randn(2, 3, 32, device="cuda", requires_grad=True), torch.randn(77, 32, device="cuda")
    with torch.autocast("cuda", torch.bfloat16):
        loss = heads.head_loss(h, weight, torch.zeros(2, 3, dtype=torch.int64, device="cuda"))
    assert "streamed_loss" in str(loss.grad_fn)
