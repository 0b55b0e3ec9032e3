"""Products with a fixed matrix, x (B, in) -> act(x Wᵀ + b) (B, out), as a CPU does them fastest for few rows.

float32    what costs is to read W: for one row its transpose if that is wide, oneDNN's layout for several
bfloat16   oneDNN's layout, x and result in bfloat16, sums in float32: half the bytes
int8       W = scale · integers -127 ... 127, a scale a row of W; x and result in bfloat16: a quarter of the bytes; for few rows

oneDNN's and the int8 operators are private to torch. `works` tries each once in this process, against plain products; where one
is missing or wrong the caller takes "plain": torch's public linear, in float32.
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

BLOCK = 32  # rows and columns of W that the int8 operator takes at a time


def dtype_of(precision: Precision) -> torch.dtype:
    """What a product takes and gives."""
    return torch.bfloat16 if precision in ("bfloat16", "int8") else torch.float32


def product(weight: Tensor, bias: Tensor | None, batch: int, precision: Precision, gelu: bool = False) -> Product:
    """weight (out, in) and bias (out,) float32, for x (batch, in) of `dtype_of(precision)`. gelu: tanh form, on the result."""
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
    if out % BLOCK or width % BLOCK:  # a head over an odd vocabulary, say
        return _onednn(weight, bias, batch, torch.bfloat16, gelu)
    run = torch.ops.aten._weight_int8pack_mm.default
    integers, scales = quantized(weight)
    b, factors = None if bias is None else bias.bfloat16(), scales.bfloat16()
    integers = (weight / factors.float()[:, None]).round().clamp(-127, 127).to(torch.int8)  # by the scale as it is stored
    if b is None:
        return _activated(lambda x: cast(Tensor, run(x, integers, factors)), gelu)
    return _activated(lambda x: cast(Tensor, run(x, integers, factors)).add_(b), gelu)


def quantized(weight: Tensor) -> tuple[Tensor, Tensor]:
    """weight (out, in) -> integers (out, in) int8, scales (out,): weight ≈ scales · integers, off by half a scale at most."""
    scales = weight.abs().amax(1).clamp_min(1e-30) / 127
    return (weight / scales[:, None]).round().to(torch.int8), scales


def _activated(run: Product, gelu: bool) -> Product:
    return (lambda x: F.gelu(run(x), approximate="tanh")) if gelu else run


@cache
def works(precision: Precision, batch: int) -> bool:
    """The private operators are there, and give what plain products give, to their precision."""
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, 64, generator=generator) for n in (batch, 96))
    bias = torch.randn(96, generator=generator)
    expected = F.gelu(F.linear(x, weight, bias), approximate="tanh")
    try:
        with torch.inference_mode():
            found = product(weight, bias, batch, precision, gelu=True)(x.to(dtype_of(precision)))
    except Exception:  # whatever a private operator raises where it is missing or has changed
        return False
    off = (found.float() - expected).abs().max() / expected.abs().max()
    return bool(off < (1e-5 if dtype_of(precision) == torch.float32 else 0.03))
