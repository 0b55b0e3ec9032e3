"""In which precision a model really computes: its parameters and its output do not tell, so one call is watched.

Autocast, a cast inside `forward`, and TF32 on a GPU all round more than the dtypes at the border show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from erlangen.nn.tf32 import EPSILON, in_tf32

PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "_scaled_dot_product_efficient_attention")
CONVOLUTIONS = ("convolution", "cudnn_convolution", "_convolution")


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own lack of types
    """Notes the largest machine epsilon of what operations return."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.eps = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        for tensor in output if isinstance(output, (tuple, list)) else (output,):
            if isinstance(tensor, Tensor):
                self.eps = max(self.eps, eps_of(tensor.dtype), tf32_eps(func, tensor))
        return output


def watched(call: Callable[[], Any]) -> tuple[Any, float]:
    """What the call returns, and the largest machine epsilon in it; 0 if no operation can be watched."""
    watch = Watch()
    with watch:
        result = call()
    return result, watch.eps


def eps_of(dtype: torch.dtype) -> float:
    """The machine epsilon of a dtype; 0 for integers."""
    return torch.finfo(dtype).eps if dtype.is_floating_point or dtype.is_complex else 0.0


def tf32_eps(func: Any, output: Tensor) -> float:
    """That of TF32 if this operation rounded its factors to it, else 0."""
    if output.device.type != "cuda" or output.dtype != torch.float32:
        return 0.0
    name, (matmul, conv) = func.__name__.partition(".")[0], in_tf32()
    return EPSILON if (matmul and name in PRODUCTS) or (conv and name in CONVOLUTIONS) else 0.0


def declared_eps(module: nn.Module | None, output: Tensor) -> float:
    """The machine epsilon of the least precise among the output and the parameters; float32's if none is a floating-point one."""
    dtypes = {output.dtype} | ({parameter.dtype for parameter in module.parameters()} if module is not None else set())
    return max(map(eps_of, dtypes)) or torch.finfo(torch.float32).eps
