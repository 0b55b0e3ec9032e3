"""Which kernel computes an attention layer, and whether it stores a matrix of queries × keys.

naive    the whole matrix of weights, on purpose
fused    torch's causal kernel: blocks of the matrix, one at a time
flex     FlexAttention: the same, with a window or ALiBi, on a CUDA GPU
local    blocks along the diagonal, 2 · window keys a query
masked   torch's kernel with the window or ALiBi as a bias, which is such a matrix

`fused` stores the matrix after all where torch has no kernel for the case: on a CPU with dropout of the weights, and on a GPU in
float64. A window or ALiBi is `masked` on a CPU unless the form is `local`, and on a GPU if `flex` cannot run it: with dropout of
the weights (a window is then `local`), in float64, for heads wider than 256, for a prompt that is read in parts through a cache,
under the transforms of torch.func, without Triton, and up to `MASKED_UP_TO` tokens, where the matrix is small and a kernel takes
longer to compile than it saves. `attention_backend` names the kernel of a call and its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor

from erlangen.nn import flex
from erlangen.nn.attention_config import AttentionConfig, Form

NAIVE_UP_TO = 512  # tokens, up to which plain matrix products in bfloat16 are faster than torch's fused kernel on a CPU
MASKED_UP_TO = 512  # tokens, up to which a window or ALiBi on a GPU is a bias
LOCAL_FROM = 4  # windows, from which blocks along the diagonal are fastest


@dataclass(frozen=True)
class Backend:
    """kernel: what computes the layer. matrix: why it stores queries × keys numbers per text or head; empty if it does not."""

    kernel: Literal["naive", "fused", "flex", "local", "masked"]
    matrix: str = ""

    @property
    def holds_matrix(self) -> bool:
        """Whether a tensor with at least queries × keys numbers is stored."""
        return bool(self.matrix)

    def __str__(self) -> str:
        return f"{self.kernel}: holds queries × keys because {self.matrix}" if self.matrix else self.kernel


def attention_backend(
    config: AttentionConfig, queries: int, keys: int, like: Tensor, training: bool = False, weights: bool = False,
    padded: bool = False,
) -> Backend:  # fmt: skip
    """The kernel that runs for so many queries and keys. like: a tensor with the dtype and device of the products.

    weights: whether the attention weights are wanted, which only the naive form computes. padded: whether there is a mask of
    padding, which is a bias of its own for each text. A single query has one row of weights and no matrix.
    """
    form = "naive" if weights else chosen_form(config, queries, keys, like, training, padded)
    if form == "local":
        return Backend("local", _stored_by_local(config, queries))
    if queries == 1:
        return Backend("naive" if form == "naive" else "masked" if padded or biased(config, keys) else "fused")
    if form == "naive":
        return Backend("naive", "the naive form computes all weights")
    dropout = training and config.dropout > 0
    if padded:
        return Backend("masked", "texts are padded")
    if queries != keys:
        return Backend("masked", "there are more keys in the cache than queries")
    if not biased(config, keys):
        return Backend("fused", _stored_by_torch(like, dropout))
    reason = flex_refusal(config, keys, like, dropout)
    return Backend("masked", reason) if reason else Backend("flex")


def chosen_form(config: AttentionConfig, queries: int, keys: int, like: Tensor, training: bool, padded: bool = False) -> Form:
    """The form that runs: `auto` is resolved, and `local` is replaced with a cache, with padding, or if no key is hidden."""
    form, cpu, dropout = config.form, like.device.type == "cpu", training and config.dropout > 0
    if form == "auto":
        narrow = config.window is not None and keys >= LOCAL_FROM * config.window
        if narrow and (cpu or flex_refusal(config, keys, like, dropout)):
            form = "local"
        elif not cpu:
            form = "fused"
        else:
            by_hand = dropout or queries == 1 or (like.dtype == torch.bfloat16 and keys <= NAIVE_UP_TO)
            form = "naive" if by_hand else "fused"
    if form == "local" and (padded or queries != keys or keys <= cast(int, config.window)):
        return "naive" if cpu else "fused"
    return form


def biased(config: AttentionConfig, keys: int) -> bool:
    """Whether scores depend on the distance by more than the causal rule: ALiBi, or a window that hides some of the keys."""
    return config.positions == "alibi" or (config.window is not None and keys > config.window)


def flex_refusal(config: AttentionConfig, keys: int, like: Tensor, dropout: bool) -> str:
    """Why FlexAttention does not run a window or ALiBi with as many queries as keys; empty if it does."""
    if like.device.type == "cpu":
        return "torch's kernel for a CPU takes a window or ALiBi as a bias"
    if dropout:
        return "FlexAttention has no dropout of the weights"
    if keys <= MASKED_UP_TO:
        return f"up to {MASKED_UP_TO} tokens it is small"
    return flex.refusal(like.device, like.dtype, config.head_dim)


def _stored_by_torch(like: Tensor, dropout: bool) -> str:
    """Why torch's causal attention stores the matrix; empty if it does not."""
    if like.device.type == "cpu":
        return "torch drops weights on a CPU in the stored matrix" if dropout else ""
    return "torch has no fused kernel for float64 on a GPU" if like.dtype == torch.float64 else ""


def _stored_by_local(config: AttentionConfig, tokens: int) -> str:
    """Why `local` stores as much as the matrix; empty if it stores less: 2 · window numbers a query, in whole windows."""
    window = cast(int, config.window)
    return "the window is over half of the text" if 2 * window * window * -(-tokens // window) >= tokens**2 else ""
