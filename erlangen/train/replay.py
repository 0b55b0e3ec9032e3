"""Run a training step again and again without its launches: capture it as a CUDA graph, then replay it.

A step of a small network is hundreds of kernels, each of which takes the host longer to launch than a GPU to run. A capture
records the kernels of a function with their addresses and constants, without running them. So the function may depend on nothing
that changes on the host, and it must read and write tensors that stay where they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[..., object]
WARM_UPS = 2  # calls before a capture: the first loads kernels, cuBLAS and the states of the optimizer


class Replay:
    """function(*inputs), one CUDA graph for each combination of the inputs' shapes; the result is discarded.

    Call `prepare` first for every combination. It runs the function, so that the tensors that the function changes must be
    restored afterwards.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self.pool = torch.cuda.graph_pool_handle()  # one memory for all graphs, since only one runs at a time
        self.captured: dict[tuple[torch.Size, ...], tuple[torch.cuda.CUDAGraph, tuple[Tensor, ...]]] = {}

    def prepare(self, *inputs: Tensor) -> None:
        """Capture the function for inputs of these shapes."""
        held = tuple(x.clone() for x in inputs)  # the graph reads these; clones keep the memory format
        aside = stream_aside(torch.cuda.current_device())
        graph = torch.cuda.CUDAGraph()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                self.function(*held)
        torch.cuda.current_stream().wait_stream(aside)
        with torch.cuda.graph(graph, pool=self.pool, stream=aside, capture_error_mode="thread_local"):
            self.function(*held)
        self.captured[shapes(inputs)] = graph, held

    def __call__(self, *inputs: Tensor) -> None:
        graph, held = self.captured[shapes(inputs)]
        for mine, given in zip(held, inputs, strict=True):
            mine.copy_(given)
        graph.replay()


@functools.cache
def stream_aside(device: int) -> torch.cuda.Stream:
    """The stream on which to warm up and capture, which must not be the default. One for all: each keeps memory of its own."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def shapes(inputs: tuple[Tensor, ...]) -> tuple[torch.Size, ...]:
    return tuple(x.shape for x in inputs)
