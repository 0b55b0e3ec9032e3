"""The mean cross-entropy of a head on a GPU, by a kernel that reads the logits once (erlangen.models.loss_kernels).

    logits = h Wᵀ,   loss = mean over rows of lse - logit_target,   lse = log Σ_v exp(logits_v)
    G = (exp(logits - lse) - one-hot) / N,   ∂h = G W ∂loss,   ∂W = Gᵀ h ∂loss

torch's cross-entropy converts the matrix to float32, writes its log-probabilities and, backward, two more float32 matrices: for
16 × 1024 tokens of GPT-2 these are 3.3 GB each. Here the forward pass overwrites the logits (1.6 GB) with G, where a gradient is
wanted: they are read once and written once. It is an operator of torch's, so that torch.compile calls it as it is.

Source: Hsu et al., "Liger Kernel: Efficient Triton Kernels for LLM Training", 2024, for the gradient in the forward pass.
"""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor

# What a program reads of a row at a time, 16 bytes a lane: the fastest of nine such shapes on an H200, where it takes 1.21 ms for
# 16,384 rows of 50,304 numbers, and a copy of these numbers 0.79 ms.
LANES, NUMBERS, WARPS = 256, 8, 8
TRITON = importlib.util.find_spec("triton") is not None


@torch.library.custom_op("erlangen::streamed_loss", mutates_args=())
def streamed_loss(h: Tensor, weight: Tensor, targets: Tensor, vocabulary: int, gradient: bool) -> tuple[Tensor, Tensor]:
    """h (N, width), weight (V', width), targets (N,) int64 -> the mean loss, (), float32, and G (N, V'), () without `gradient`.

    Only the first `vocabulary` rows of W are tokens. The entries of G are rounded once. The loss is NaN if a target is no token.
    """
    logits, targets = h @ weight.T, targets.contiguous()  # (N, V')
    losses = torch.empty(len(logits), dtype=torch.float32, device=logits.device)
    with on(logits.device):
        kernels().row_losses[(len(logits),)](
            logits, targets, losses, len(logits), vocabulary, COLUMNS=logits.shape[1], LANES=LANES,
            NUMBERS=NUMBERS, GRADIENT=gradient, num_warps=WARPS,
        )  # fmt: skip
    return losses.mean(), logits if gradient else logits.new_empty(())


@streamed_loss.register_fake
def _shapes(h: Tensor, weight: Tensor, targets: Tensor, vocabulary: int, gradient: bool) -> tuple[Tensor, Tensor]:
    loss = h.new_empty((), dtype=torch.float32)
    return loss, h.new_empty(len(h), len(weight)) if gradient else h.new_empty(())


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    h, weight, *_ = inputs
    ctx.save_for_backward(h, weight, output[1])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, dy: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    h, weight, g = ctx.saved_tensors
    needs_h, needs_weight, *_ = ctx.needs_input_grad
    return (g @ weight) * dy if needs_h else None, (g.T @ h) * dy if needs_weight else None, None, None, None


streamed_loss.register_autograd(_backward, setup_context=_keep)


def on(device: torch.device) -> AbstractContextManager[object]:
    """A context in which a CUDA device is the current one, on which Triton starts its kernels."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def runs_on(device: torch.device) -> bool:
    """Whether the kernel runs on a CUDA device. It is tried once, which compiles it; a warning says why it does not.

    It needs Triton and the C compiler that Triton needs.
    """
    return tried(device)


@cache
def tried(device: torch.device) -> bool:
    """`runs_on` with its memory, which torch.compile cannot trace."""
    if not TRITON:
        return False
    try:
        with torch.inference_mode(False):
            h, weight = (torch.zeros(n, 16, dtype=torch.bfloat16, device=device) for n in (2, 64))
            for gradient in (True, False):
                streamed_loss(h, weight, torch.zeros(2, dtype=torch.int64, device=device), 64, gradient)
    except Exception as error:  # a compiler that is missing or fails may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        warnings.warn(f"the loss is computed by torch, which is slower, because Triton failed: {reason}", stacklevel=4)
        return False
    return True


@cache
def kernels() -> Any:
    """The module of the kernels, which only builds with Triton can import."""
    from erlangen.models import loss_kernels

    return cast(Any, loss_kernels)
