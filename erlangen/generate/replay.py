"""The steps of a decoder as CUDA graphs by key (see `erlangen.nn.cuda_graph`), and copies for which a GPU does not wait."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from erlangen.nn.cuda_graph import Action, GraphCapture

Capture = Callable[[Action], Action]


class Replays:
    """Functions by key: the first call runs as it is, the second is captured, and from then on the capture is replayed.

    The first call also loads what a capture must not: kernels, cuBLAS, its workspaces. capture: the function -> its replay;
    None to call the function each time, which is what a CPU does.
    """

    def __init__(self, capture: Capture | None) -> None:
        self.capture = capture
        self.called: set[Hashable] = set()
        self.replays: dict[Hashable, Action] = {}

    def __call__(self, key: Hashable, function: Action) -> None:
        if self.capture is None or key not in self.called:
            self.called.add(key)
            function()
            return
        if key not in self.replays:
            self.replays[key] = self.capture(function)
        self.replays[key]()


def capture_for(device: torch.device) -> Capture | None:
    """The capture of a device: a CUDA graph, or None where there is none."""
    return GraphCapture() if device.type == "cuda" else None


class HostCopies:
    """Copies of small tensors on the host, for which a GPU does not wait: `send` returns the function that fetches the copy.

    like: a tensor of the shape to be sent. ahead: the number of copies that may be on their way at a time.
    """

    def __init__(self, like: Tensor, ahead: int) -> None:
        self.cuda, self.next = like.device.type == "cuda", 0
        if self.cuda:
            self.pinned = torch.empty(ahead + 1, *like.shape, dtype=like.dtype, pin_memory=True)
            self.events = [torch.cuda.Event() for _ in range(ahead + 1)]  # type: ignore[no-untyped-call]

    def send(self, x: Tensor) -> Callable[[], Tensor]:
        """Begin to copy x. The result must be fetched before `ahead` + 1 more copies begin."""
        if not self.cuda:
            copy = x.clone()
            return lambda: copy
        slot, self.next = self.next, (self.next + 1) % len(self.events)
        self.pinned[slot].copy_(x, non_blocking=True)
        self.events[slot].record()
        return lambda: self._fetch(slot)

    def _fetch(self, slot: int) -> Tensor:
        self.events[slot].synchronize()
        return self.pinned[slot]


def on_device(device: torch.device) -> AbstractContextManager[object]:
    """A context in which `device` is the current one, for its streams, events and captures."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
