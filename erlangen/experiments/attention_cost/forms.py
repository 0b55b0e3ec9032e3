"""The forms of attention that are compared, as functions of q, k and v."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.experiments.attention_cost.tasks import Form
from erlangen.nn.banded import local_attention
from erlangen.nn.flex import band, flex_attention, refusal
from erlangen.nn.naive import hide, naive_attention
from erlangen.nn.positions import alibi_bias, alibi_slopes
from erlangen.records.runs import Job

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
DROPOUT = 0.1


def attention(form: Form, length: int, window: int, like: Tensor) -> Attention:
    """q, k, v (1, 1, n, d) -> (1, 1, n, d), or (1, 1, n, n) for the scores. like: a tensor of the dtype and device."""
    if form == "local":
        return local(length, window, like)
    if form in ("masked", "alibi"):
        return partial(with_mask, form=form, window=window)
    plain: dict[Form, Attention] = {
        "scores": lambda q, k, v: q @ k.mT,
        "naive": lambda q, k, v: naive_attention(q, k, v, None)[0],
        "fused": F.scaled_dot_product_attention,
        "dropout": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=DROPOUT),
    }
    return plain[form]


def local(length: int, window: int, like: Tensor) -> Attention:
    """The window in blocks along the diagonal; in FlexAttention where it runs."""
    if refusal(like.device, like.dtype, like.shape[-1]):
        return lambda q, k, v: local_attention(q, k, v, window)
    seen = band(length, window, None, like.device)
    return lambda q, k, v: flex_attention(q, k, v, seen)


def with_mask(q: Tensor, k: Tensor, v: Tensor, form: Form, window: int) -> Tensor:
    """torch's kernel with the causal window, or ALiBi, as a bias, which is made for the call: (n, n) or (1, 1, n, n)."""
    position = torch.arange(q.shape[2], device=q.device)
    distance = position[:, None] - position  # (n, n)
    bias = hide(distance, window if form == "masked" else None)
    if form == "alibi":
        bias = (bias + alibi_bias(alibi_slopes(1, q.device), distance))[None]  # with three axes torch's kernel refuses it
    return F.scaled_dot_product_attention(q, k, v, bias.to(q.dtype))


def draw(length: int, features: int, job: Job) -> tuple[list[Tensor], Tensor]:
    """Queries, keys and values that want a gradient, and the gradient of the output, (1, 1, n, d) each."""
    generator = torch.Generator().manual_seed(job.seed)
    shape = (1, 1, length, features)
    drawn = [torch.randn(shape, generator=generator).to(job.device, DTYPES[job.precision]) for _ in range(4)]
    return [x.requires_grad_() for x in drawn[:3]], drawn[3]


def passes(form: Form, length: int, features: int, window: int, job: Job) -> tuple[Callable[[], Tensor], Callable[[], object]]:
    """A forward pass without gradients, and a forward and backward pass."""
    inputs, out = draw(length, features, job)
    attend = attention(form, length, window, inputs[0])
    wanted = inputs[:2] if form == "scores" else inputs
    given = torch.ones(1, 1, length, length).to(out) if form == "scores" else out

    def forward() -> Tensor:
        with torch.no_grad():
            return attend(*inputs)

    def both() -> object:
        return torch.autograd.grad(attend(*inputs), wanted, given)

    return forward, both
