"""Node features that are mostly 0, such as the words of a paper, stored so that a linear layer skips the zeros."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.nn.dropout import dropout
from erlangen.nn.graph.checks import check_finite
from erlangen.nn.graph.csr import CSR, product


class SparseRows:
    """A matrix (N, F), stored by its nonzero entries. It can be the input of `torch.nn.functional.linear` and `nn.Linear`.

    Cora's words through a layer of width 64, forward and backward on one core, take 2.7 ms; as a torch.sparse_csr tensor 4.7 ms,
    dense 94 ms.
    """

    ndim = 2

    def __init__(self, csr: CSR, values: Tensor) -> None:
        self.csr, self.values = csr, values  # values (nnz,), in the order of the CSR

    @classmethod
    def of(cls, x: Tensor) -> SparseRows:
        """The rows of a dense x (N, F)."""
        row, col = x.nonzero(as_tuple=True)
        rowptr = torch.zeros(len(x) + 1, dtype=torch.int64, device=x.device)
        rowptr[1:] = torch.bincount(row, minlength=len(x)).cumsum(0)
        order = torch.arange(len(col), device=x.device)
        return cls(CSR(rowptr, col, order, *x.shape), x[row, col])

    def __len__(self) -> int:
        return self.csr.rows

    @property
    def shape(self) -> tuple[int, int]:
        return self.csr.rows, self.csr.cols

    @property
    def dtype(self) -> torch.dtype:
        return self.values.dtype

    def is_floating_point(self) -> bool:
        return self.values.is_floating_point()

    def dense(self) -> Tensor:
        """The matrix as a dense tensor, (N, F)."""
        return self.values.new_zeros(self.shape).index_put((self.csr.row, self.csr.col), self.values)

    def dropout(self, p: float, training: bool = True) -> SparseRows:
        """Dropout of the entries. Zeros need no mask, because dropping them has no effect."""
        return SparseRows(self.csr, dropout(self.values, p, training))

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Tensor:
        if function is not F.linear or not isinstance(args[0], SparseRows):
            raise TypeError(
                f"{getattr(function, '__name__', function)}: SparseRows can only be passed to a linear layer: use .dense()"
            )
        return _linear(*args, **(kwargs or {}))


def _linear(x: SparseRows, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b, (N, out)."""
    out = product(x.csr, weight.T, x.values.to(weight.dtype))
    return out if bias is None else out + bias


def check_features(x: Tensor | SparseRows, name: str = "x", static: bool = False, graph: Tensor | None = None) -> None:
    """Raise ValueError unless x is (N, F), with `static` also (B, N, F), floating-point and without NaN; dense or sparse.

    graph: edges that x comes with, as in `check_finite`.
    """
    if x.ndim != 2 and not (static and x.ndim == 3):
        raise ValueError(f"{name} must have shape (N, F), one row of features per node, but has {tuple(x.shape)}")
    if not x.is_floating_point():
        raise ValueError(f"{name} must have a floating-point dtype, not {x.dtype}: convert it with .float()")
    if isinstance(x, SparseRows):
        check_finite(name, x.values, graph)
    elif x.layout == torch.strided:
        check_finite(name, x, graph)
