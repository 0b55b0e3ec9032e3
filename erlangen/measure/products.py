"""Multiply-adds of a computation, counted operation by operation as it runs, forward and backward.

    (m × k) by (k × n)                                      m n k
    attention with P pairs of a query and a key, forward    P (d + d_v)       Q Kᵀ; weights · V
    the same, backward in a kernel that stores no weights   P (3 d + 2 d_v)   Q Kᵀ again; dO Vᵀ; dV; dQ; dK

d and d_v: features of a key and of a value. P is n² per head; with a causal rule it is n (n + 1) / 2, the pairs that are seen.
What a kernel computes beyond them in blocks on the diagonal is not counted, and neither is what is done entry by entry, such as
softmax.

The counter sees what reaches torch's dispatcher: a custom `autograd.Function` counts by what its parts run, recomputation
included. An operation that multiplies matrices and has no formula here raises `UncountedError`, so that nothing counts as 0 in
silence. torch's own `FlopCounterMode` differs: its flops are 2 a multiply-add, it counts a causal kernel as if all pairs were
seen, and torch's attention kernel for a CPU, which its table lacks, as 0.

Source: Dao et al., "FlashAttention", 2022.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from erlangen.errors import ErlangenError

Arguments = Mapping[str, Any]  # an operation's arguments by the names of its schema
Formula = Callable[[Arguments, Any], int]  # arguments, result -> multiply-adds

MULTIPLIES = re.compile(
    r"(^|_)([a-z]*mm|mv|addmv|addr|ger|matmul|matrix_exp|matrix_power|linear|conv(?!ert)[a-z0-9]*|attention|attn|v?dot|tensordot"
    r"|einsum|kron|bilinear|trilinear|cdist|pdist|linalg(?!_vector_norm)|cholesky|solve|lstm|gru|rnn|fft)(_|$)"
)
"""Names of operations that multiply matrices, or may."""


class UncountedError(ErlangenError):
    """An operation multiplies matrices, and there is no formula for it."""


@dataclass(frozen=True)
class Product:
    """One operation that ran: its name in torch, such as `bmm`, and its multiply-adds."""

    name: str
    multiply_adds: int


def count_products(step: Callable[[], object]) -> tuple[Product, ...]:
    """The products that step() computes, in their order. Raises UncountedError where one has no formula."""
    with Counter() as counter:
        step()
    return tuple(counter.products)


def multiply_adds(step: Callable[[], object]) -> int:
    """The multiply-adds of step(). Raises UncountedError where a product has no formula."""
    return sum(product.multiply_adds for product in count_products(step))


class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the products that run while it is active."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products: list[Product] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = function._schema.name.partition("::")[2].removesuffix("_")  # addmm_ is addmm in place
        formula = FORMULAS.get(name) if function.namespace == "aten" else None
        if formula is None:
            with self:  # without autograd, some operations arrive whole
                parts = function.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
            refuse(function)
        result = function(*args, **kwargs)
        if formula is not None:
            self.products.append(Product(name, formula(by_name(function, args, kwargs), result)))
        return result


def refuse(function: Any) -> None:
    """Raises UncountedError for an operation that may multiply matrices: by its name, or because it is not torch's own."""
    name = function._schema.name.partition("::")[2]
    if function.namespace not in ("aten", "prim", "prims") or MULTIPLIES.search(name):
        raise UncountedError(f"{function}: it may multiply matrices and has no formula; add one to erlangen/measure/products.py")


def by_name(function: Any, args: Any, kwargs: Any) -> Arguments:
    """Arguments by the names of the schema, with its defaults."""
    schema = function._schema.arguments
    defaults = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    return {**defaults, **{argument.name: value for argument, value in zip(schema, args, strict=False)}, **kwargs}


def matrices(left: str, right: str) -> Formula:
    """(..., m, k) by (..., k, n), or by a vector (k): every entry of the left once for each column of the right."""
    return lambda given, result: int(given[left].numel() * (given[right].shape[-1] if given[right].dim() > 1 else 1))


def linear(given: Arguments, result: Tensor) -> int:
    """(..., k) by a weight (n, k)."""
    return int(given["input"].numel() * given["weight"].shape[0])


def convolution(given: Arguments, result: Tensor) -> int:
    """Every output by its filter's numbers, zeros of the padding included; transposed: every input by its filter's."""
    return int((given["input"] if given["transposed"] else result).numel() * prod(given["weight"].shape[1:]))


def convolution_backward(given: Arguments, result: Any) -> int:
    """As much as forward for each of the two gradients that are wanted: the input's and the weight's."""
    one = (given["input"] if given["transposed"] else given["grad_output"]).numel() * prod(given["weight"].shape[1:])
    return int(one * sum(given["output_mask"][:2]))


def attention(of_keys: int, of_values: int) -> Formula:
    """`of_keys` products of d and `of_values` of d_v multiply-adds for each pair."""

    def formula(given: Arguments, result: Any) -> int:
        query, key, value = given["query"], given["key"], given["value"]
        each = of_keys * key.shape[-1] + of_values * value.shape[-1]
        return int(query.shape[:-2].numel() * pairs(query.shape[-2], key.shape[-2], given["is_causal"]) * each)

    return formula


def pairs(queries: int, keys: int, causal: bool) -> int:
    """Pairs of a query and a key that it sees; causal: keys up to its own position."""
    if not causal:
        return queries * keys
    full = min(queries, keys)
    return full * (full + 1) // 2 + (queries - full) * keys


KERNELS = (
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
    "_scaled_dot_product_fused_attention_overrideable",
)
"""torch's kernels for attention, each with a backward of its name + "_backward"."""

FORMULAS: Mapping[str, Formula] = {
    "mm": matrices("self", "mat2"),
    "bmm": matrices("self", "mat2"),
    "addmm": matrices("mat1", "mat2"),
    "baddbmm": matrices("batch1", "batch2"),
    "addbmm": matrices("batch1", "batch2"),
    "mv": matrices("self", "vec"),
    "addmv": matrices("mat", "vec"),
    "dot": matrices("self", "tensor"),
    "linear": linear,
    "convolution": convolution,
    "convolution_backward": convolution_backward,
    **dict.fromkeys(KERNELS, attention(1, 1)),
    **dict.fromkeys((f"{kernel}_backward" for kernel in KERNELS), attention(3, 2)),
}
