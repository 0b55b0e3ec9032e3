"""Products with a fixed matrix, x (B, in) -> act(x Wᵀ + b) (B, out), in the form that is fastest on a CPU for few rows.

float32    reading W is the main cost: for one row uses the transpose of W if W is tall, for several rows oneDNN's layout
bfloat16   oneDNN's layout; x and the result in bfloat16, sums in float32: half the bytes
int8       W = scale · integers -127 ... 127, one scale per row of W; x and the result in bfloat16: a quarter of the bytes, for
           few rows

oneDNN's and the int8 operators are private to torch. `works` compares each with plain products, once per process; if one is
missing or wrong, the caller uses "plain": torch's public linear, in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor

Precision = Literal["float32", "bfloat16", "int8", "plain"]
Product = Callable[[Tensor], Tensor]

BLOCK = 32  # the int8 operator needs multiples of this many rows and columns of W


def dtype_of(precision: Precision) -> torch.dtype:
    """The dtype of the inputs and outputs of a product."""
    return torch.bfloat16 if precision in ("bfloat16", "int8") else torch.float32


def product(weight: Tensor, bias: Tensor | None, batch: int, precision: Precision, gelu: bool = False) -> Product:
    """The product with weight (out, in) and bias (out,), both float32, for x (batch, in) of `dtype_of(precision)`.

    gelu: apply the tanh form of GELU to the result.
    """
    if precision == "int8":
        return _int8(weight, bias, batch, gelu)
    if precision == "bfloat16" or (precision == "float32" and batch > 1):
        return _onednn(weight, bias, batch, dtype_of(precision), gelu)
    if precision == "float32" and weight.shape[0] >= weight.shape[1]:
        return _transposed(weight, bias, gelu)
    return _activated(lambda x: F.linear(x, weight, bias), gelu)


def _onednn(weight: Tensor, bias: Tensor | None, batch: int, dtype: torch.dtype, gelu: bool) -> Product:
    run = torch.ops.mkldnn._linear_pointwise.default
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.to(dtype).contiguous(), batch)
    b = None if bias is None else bias.to(dtype)
    act, form = ("gelu", "tanh") if gelu else ("none", "")
    return lambda x: cast(Tensor, run(x, packed, b, act, [], form))


def _transposed(weight: Tensor, bias: Tensor | None, gelu: bool) -> Product:
    columns = weight.t().contiguous()  # (in, out)
    if bias is None:
        return _activated(lambda x: torch.mm(x, columns), gelu)
    return _activated(lambda x: torch.addmm(bias, x, columns), gelu)


def _int8(weight: Tensor, bias: Tensor | None, batch: int, gelu: bool) -> Product:
    out, width = weight.shape
    if out % BLOCK or width % BLOCK:  # for example the head over an odd vocabulary
        return _onednn(weight, bias, batch, torch.bfloat16, gelu)
    run = torch.ops.aten._weight_int8pack_mm.default
    integers, scales = quantized(weight)
    b, factors = None if bias is None else bias.bfloat16(), scales.bfloat16()
    integers = (weight / factors.float()[:, None]).round().clamp(-127, 127).to(torch.int8)  # divided by the scale as stored
    if b is None:
        return _activated(lambda x: cast(Tensor, run(x, integers, factors)), gelu)
    return _activated(lambda x: cast(Tensor, run(x, integers, factors)).add_(b), gelu)


def quantized(weight: Tensor) -> tuple[Tensor, Tensor]:
    """weight (out, in) -> integers (out, in) int8 and scales (out,), where weight ≈ scales · integers to half a scale."""
    scales = weight.abs().amax(1).clamp_min(1e-30) / 127
    return (weight / scales[:, None]).round().to(torch.int8), scales


def _activated(run: Product, gelu: bool) -> Product:
    return (lambda x: F.gelu(run(x), approximate="tanh")) if gelu else run


@cache
def works(precision: Precision, batch: int) -> bool:
    """Whether torch has the private operators, and they agree with plain products to their precision."""
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, 64, generator=generator) for n in (batch, 96))
    bias = torch.randn(96, generator=generator)
    expected = F.gelu(F.linear(x, weight, bias), approximate="tanh")
    try:
        with torch.inference_mode():
            result = product(weight, bias, batch, precision, gelu=True)(x.to(dtype_of(precision)))
    except Exception:  # a private operator that is missing or has changed may raise anything
        return False
    error = (result.float() - expected).abs().max() / expected.abs().max()
    return bool(error < (1e-5 if dtype_of(precision) == torch.float32 else 0.03))
