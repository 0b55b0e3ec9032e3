"""What a computation allocates, and where."""

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Allocations(TorchDispatchMode):
    """Sees every result of an operation below autograd. largest: numbers in the largest; devices: the kinds of all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0
        self.devices: set[str] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        for one in out if isinstance(out, (list, tuple)) else [out]:
            if isinstance(one, Tensor):
                self.largest = max(self.largest, one.numel())
                self.devices.add(one.device.type)
        return out
