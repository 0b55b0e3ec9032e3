"""The mean cross-entropy of a matrix of logits on a GPU, by kernels that read it once per pass (erlangen.models.loss_kernels).

    loss = mean over rows of lse - logit_target,   lse = log Σ_v exp(logits_v)
    d loss / d logits = (exp(logits - lse) - one-hot) / N

torch's cross-entropy converts the matrix to float32, writes its log-probabilities and, backward, two more float32 matrices: for
16 × 1024 tokens of GPT-2 these are 3.3 GB each. Here the forward pass writes two numbers per row, and the backward pass the
gradient.
"""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 4096  # logits that a program holds at a time
TRITON = importlib.util.find_spec("triton") is not None


class StreamedCrossEntropy(torch.autograd.Function):
    """logits (N, V) in bfloat16, targets (N,) int64 -> their mean loss, (), float32.

    The entries of the gradient are rounded once. The loss is NaN if a target is not in [0, V).
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        logits, targets = logits.contiguous(), targets.contiguous()
        losses, lse = (torch.empty(len(logits), dtype=torch.float32, device=logits.device) for _ in range(2))
        with on(logits.device):
            kernels().row_losses[(len(logits),)](logits, targets, losses, lse, COLUMNS=logits.shape[1], BLOCK=BLOCK, num_warps=8)
        ctx.save_for_backward(logits, targets, losses, lse)
        return losses.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        logits, targets, losses, lse = ctx.saved_tensors
        rows, columns = logits.shape
        gradient = torch.empty_like(logits)
        with on(logits.device):
            kernels().row_gradients[(rows, -(-columns // BLOCK))](
                logits, targets, losses, lse, dy, gradient, rows, COLUMNS=columns, BLOCK=BLOCK, num_warps=8
            )
        return gradient, None


def on(device: torch.device) -> AbstractContextManager[object]:
    """A context in which a CUDA device is the current one, on which Triton starts its kernels."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


@cache
def runs_on(device: torch.device) -> bool:
    """Whether the kernels run on a CUDA device. They are tried once, which compiles them; a warning says why they do not.

    They need Triton and the C compiler that Triton needs.
    """
    if not TRITON:
        return False
    try:
        with torch.enable_grad(), torch.inference_mode(False):
            logits = torch.zeros(2, 64, dtype=torch.bfloat16, device=device, requires_grad=True)
            loss = StreamedCrossEntropy.apply(logits, torch.zeros(2, dtype=torch.int64, device=device))  # type: ignore[no-untyped-call]
            torch.autograd.grad(loss, logits)
    except Exception as error:  # a compiler that is missing or fails may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        warnings.warn(f"the loss is computed by torch, which is slower, because Triton failed: {reason}", stacklevel=3)
        return False
    return True


@cache
def kernels() -> Any:
    """The module of the kernels, which only builds with Triton can import."""
    from erlangen.models import loss_kernels

    return cast(Any, loss_kernels)
