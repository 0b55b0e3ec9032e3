"""The loss by kernels that read the logits once, beside torch's in float64; and what happens where they do not run."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.models import head_loss as heads, streamed_loss
from erlangen.models.streamed_loss import StreamedCrossEntropy

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def untried() -> Iterator[None]:
    streamed_loss.runs_on.cache_clear()
    streamed_loss.kernels.cache_clear()
    yield
    streamed_loss.runs_on.cache_clear()
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


def gradients(logits: Tensor, targets: Tensor, name: str) -> list[Tensor]:
    """The loss and the gradient of 2.5 losses, on the CPU in float64. name: the function."""
    leaf = logits.clone().requires_grad_()
    loss = F.cross_entropy(leaf, targets) if name == "torch" else getattr(heads, name).apply(leaf, targets)
    (2.5 * loss).backward()
    assert leaf.grad is not None
    assert leaf.grad.dtype == logits.dtype
    return [loss.detach().double().cpu(), leaf.grad.double().cpu()]


@pytest.mark.cuda
@pytest.mark.parametrize(("rows", "vocabulary", "scale"), [(1, 33, 1.0), (50, 33, 3.0), (7, 4096, 30.0), (16, 50257, 3.0)])
def test_they_give_the_loss_and_the_gradient_of_torch(rows: int, vocabulary: int, scale: float) -> None:
    pytest.importorskip("triton")
    assert streamed_loss.runs_on(torch.device("cuda"))
    generator = torch.Generator().manual_seed(0)
    logits = (scale * torch.randn(rows, vocabulary + 47, generator=generator)).bfloat16()
    logits[:, vocabulary:] = -torch.inf
    targets = torch.randint(vocabulary, (rows,), generator=generator)
    logits[0, targets[0]] = 5 * scale + 10  # a sure prediction
    found = gradients(logits.cuda(), targets.cuda(), "StreamedCrossEntropy")
    expected = gradients(logits.double(), targets, "torch")
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found[1], expected[1], rtol=2**-7, atol=1e-8)
    assert (found[1][:, vocabulary:] == 0).all()
    lean = gradients(logits.cuda(), targets.cuda(), "LeanCrossEntropy")
    assert float((found[1] - expected[1]).norm()) <= 1.01 * float((lean[1] - expected[1]).norm()) + 1e-8


@pytest.mark.cuda
def test_what_is_not_finite_or_not_a_token_makes_the_loss_nan() -> None:
    pytest.importorskip("triton")
    logits, targets = torch.zeros(3, 70, dtype=torch.bfloat16, device="cuda"), torch.tensor([0, 1, 69], device="cuda")
    assert torch.isfinite(StreamedCrossEntropy.apply(logits, targets))
    assert torch.isnan(StreamedCrossEntropy.apply(logits, targets + 1))
    for value in (torch.nan, torch.inf):
        logits[1, 7] = value
        assert not torch.isfinite(StreamedCrossEntropy.apply(logits, targets))


@pytest.mark.cuda
def test_they_are_what_the_head_uses() -> None:
    pytest.importorskip("triton")
    h, weight = torch.randn(2, 3, 32, device="cuda", requires_grad=True), torch.randn(77, 32, device="cuda")
    with torch.autocast("cuda", torch.bfloat16):
        loss = heads.head_loss(h, weight, torch.zeros(2, 3, dtype=torch.int64, device="cuda"))
    assert "StreamedCrossEntropy" in str(loss.grad_fn)
