"""The loss of the head: a padded vocabulary and fewer passes change neither the number nor its gradient."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.models.gpt import GPT, GPTConfig
from erlangen.models.head_loss import LeanCrossEntropy, head_loss, padded_logits

TINY = GPTConfig(vocabulary=13, block=8, layers=2, heads=2, width=16, dropout=0.0)


def drawn(vocabulary: int, dtype: torch.dtype = torch.float64, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """States (2, 3, 16), a weight (V, 16) and targets (2, 3)."""
    generator = torch.Generator().manual_seed(0)
    h, weight = (
        (scale * torch.randn(*shape, generator=generator, dtype=torch.float64)).to(dtype).requires_grad_()
        for shape in ((2, 3, 16), (vocabulary, 16))
    )
    return h, weight, torch.randint(vocabulary, (2, 3), generator=generator)


@pytest.mark.parametrize("multiple", [8, 64])
@pytest.mark.parametrize("vocabulary", [1, 13, 64, 65])
def test_a_padded_vocabulary_changes_neither_loss_nor_gradients(vocabulary: int, multiple: int) -> None:
    plain, padded = drawn(vocabulary, torch.float32), drawn(vocabulary, torch.float32)
    losses = [head_loss(*plain), head_loss(*padded, multiple)]
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-6, atol=1e-7)
    for one, other in zip(padded[:2], plain[:2], strict=True):
        assert one.grad.shape == other.shape
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_tokens_that_do_not_exist_have_no_probability(precision: torch.dtype) -> None:
    h, weight, _ = drawn(13, torch.float32, scale=10.0)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        logits, own = padded_logits(h, weight, 64), padded_logits(h, weight, 1)
    assert (logits.shape[-1], own.shape[-1]) == (64, 13)
    assert logits.dtype == precision
    assert torch.equal(logits[..., :13], own)
    assert (logits[..., 13:] == -torch.inf).all()
    assert (logits.softmax(-1)[..., 13:] == 0).all()


def test_on_a_cpu_the_model_pads_nothing_and_returns_the_loss_of_its_logits() -> None:
    torch.manual_seed(0)
    model, tokens = GPT(TINY), torch.randint(13, (4, 9))
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    assert torch.equal(model(inputs, targets=targets), F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()))
    assert torch.equal(model.head(torch.ones(16)), padded_logits(torch.ones(16), model.head.weight, 1))


@pytest.mark.parametrize("tied", [False, True])
def test_weights_keep_their_shapes(tied: bool) -> None:
    model = GPT(replace(TINY, tied=tied))
    before = {name: weight.shape for name, weight in model.state_dict().items()}
    h = model.norm(model.states(torch.zeros(1, 8, dtype=torch.int64))[-1])
    head_loss(h, model.head.weight, torch.zeros(1, 8, dtype=torch.int64), 64).backward()
    assert {name: weight.shape for name, weight in model.state_dict().items()} == before
    assert model.embed.weight.shape == model.head.weight.grad.shape == (13, 16)


@pytest.mark.parametrize("scale", [0.1, 3.0])
def test_fewer_passes_give_the_loss_and_the_gradient_of_torch(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = (scale * torch.randn(50, 33, generator=generator)).bfloat16()
    logits[:, 30:] = -torch.inf
    targets = torch.randint(30, (50,), generator=generator)
    lean, plain, exact = (logits.clone().to(dtype).requires_grad_() for dtype in (logits.dtype, logits.dtype, torch.float64))
    losses = [LeanCrossEntropy.apply(lean, targets), *(F.cross_entropy(x.float(), targets) for x in (plain, exact))]
    for loss in losses:
        (2.5 * loss).backward()
    torch.testing.assert_close(losses[0], losses[1])
    assert lean.grad.dtype == torch.bfloat16
    torch.testing.assert_close(lean.grad.double(), exact.grad, rtol=2**-7, atol=1e-8)
    assert (lean.grad[:, 30:] == 0).all()


def test_the_gradient_of_a_sure_prediction_is_not_rounded_away() -> None:
    logits = torch.zeros(4, 8).bfloat16()
    logits[:, 0] = 8.0  # 1 - p = 0.0023, less than bfloat16 can tell from 1
    lean = logits.clone().requires_grad_()
    LeanCrossEntropy.apply(lean, torch.zeros(4, dtype=torch.int64)).backward()
    p = logits.double().softmax(-1)[0, 0]
    torch.testing.assert_close(lean.grad[:, 0].double(), ((p - 1) / 4).expand(4), rtol=2**-7, atol=0)
