"""The mean cross-entropy of a language model's head, in one function, so that a compiler can fuse the two.

    logits = h Wᵀ,   loss = mean over positions of log Σ_v exp(logits_v) - logits_target

On a GPU the vocabulary is padded to a multiple of 64 for this product alone: a matrix whose rows are not aligned to 16 bytes
takes a slow kernel, and GPT-2 has 50257 tokens. The added rows of W are zeros and their bias is -inf, so that their probability
and their gradients are exactly 0. The weight itself, and so every checkpoint, keeps its shape: a parameter that is stored with
padding would need hooks in every place that reads or writes weights, and would move with weight decay and embeddings; a padded
copy in the dtype of the product takes 0.1 ms of a step of 16 × 1024 tokens.

Source: Karpathy's nanoGPT for the padding (it pads the weights); the gradient is the textbook one, softmax - one-hot.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from erlangen.models import streamed_loss

MULTIPLE = 64  # columns of the logits, on a GPU


def head_loss(h: Tensor, weight: Tensor, targets: Tensor, multiple: int | None = None) -> Tensor:
    """The mean loss, in nats per token: states h (B, T, width), head weight (V, width), targets (B, T) -> ().

    multiple: the vocabulary is padded to a multiple of this; by default 64 on a GPU, and not at all elsewhere.
    """
    multiple = multiple or (MULTIPLE if h.is_cuda else 1)
    half = product_dtype(h, weight) == torch.bfloat16
    if h.is_cuda and half and streamed_loss.runs_on(h.device):
        w = F.pad(weight.to(torch.bfloat16), (0, 0, 0, -len(weight) % multiple))
        rows = h.flatten(0, 1).to(torch.bfloat16)  # (B T, width)
        wanted = torch.is_grad_enabled() and (h.requires_grad or weight.requires_grad)
        loss: Tensor = streamed_loss.streamed_loss(rows, w, targets.flatten(), len(weight), wanted)[0]
        return loss
    logits = padded_logits(h, weight, multiple).flatten(0, 1)  # (B T, V')
    if h.is_cuda and half and not torch.compiler.is_compiling():
        loss = LeanCrossEntropy.apply(logits, targets.flatten())  # type: ignore[no-untyped-call]
        return loss
    return F.cross_entropy(logits.float(), targets.flatten())


def product_dtype(h: Tensor, weight: Tensor) -> torch.dtype:
    """The dtype in which the product runs, which is autocast's if autocast is enabled."""
    kind = h.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype


def padded_logits(h: Tensor, weight: Tensor, multiple: int) -> Tensor:
    """The logits (..., V') of states h (..., width), V' being the next multiple; those of tokens that do not exist are -inf."""
    vocabulary = len(weight)
    extra = -vocabulary % multiple
    if not extra:
        return F.linear(h, weight)
    dtype = product_dtype(h, weight)
    columns = torch.arange(vocabulary + extra, device=h.device)
    bias = torch.zeros(vocabulary + extra, dtype=dtype, device=h.device).masked_fill_(columns >= vocabulary, -torch.inf)
    return F.linear(h, F.pad(weight.to(dtype), (0, 0, 0, extra)), bias)  # the product adds the bias in the same kernel


class LeanCrossEntropy(torch.autograd.Function):
    """The mean cross-entropy of logits (N, V) in bfloat16, computed in float32, with fewer passes over the matrix than torch's.

    torch's backward pass fills an (N, V) matrix in float32, reads it with the log-probabilities, writes a third and rounds it;
    this one writes softmax in bfloat16, scales it, and sets the N entries of the targets from float32. Each entry is rounded
    twice. It is what runs on a GPU without Triton, and what `erlangen.models.streamed_loss` is tested against.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        log_p = torch.log_softmax(logits.float(), -1)  # (N, V) float32
        ctx.save_for_backward(log_p, targets)
        ctx.dtype = logits.dtype
        return -log_p.gather(1, targets[:, None]).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        log_p, targets = ctx.saved_tensors
        column = targets[:, None]  # (N, 1)
        scale = dy / len(targets)
        gradient = torch.exp(log_p, out=torch.empty_like(log_p, dtype=ctx.dtype)).mul_(scale)  # (N, V)
        at_target = torch.expm1(log_p.gather(1, column)).mul_(scale)  # p - 1, exact where p is close to 1
        return gradient.scatter_(1, column, at_target.to(ctx.dtype)), None
