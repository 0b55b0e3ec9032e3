"""Run a function again and again on a GPU without its launches: capture it once as a CUDA graph, then replay it.

A step of a small network is hundreds of kernels, each of which takes the host longer to launch than a GPU to run. A capture
records the kernels of a function with their addresses and constants, and runs none of them. The function may therefore depend on
nothing that changes on the host, and it reads and writes tensors that stay where they are. Before a capture it must have run, so
that kernels, cuBLAS and the states of an optimizer are loaded and made. Source: PyTorch's notes on CUDA semantics, "CUDA Graphs".
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch

Action = Callable[[], object]


def warm_up(function: Action, times: int) -> None:
    """Call a function on the stream on which it is to be captured, so that gradients are added up on that stream too."""
    aside, current = stream_aside(), torch.cuda.current_stream()
    aside.wait_stream(current)
    with torch.cuda.stream(aside):
        for _ in range(times):
            function()
    current.wait_stream(aside)


class GraphCapture:
    """function -> the replay of its graph, on the current device. The graphs of one instance share memory: one runs at a time."""

    def __init__(self) -> None:
        self.pool = torch.cuda.graph_pool_handle()

    def __call__(self, function: Action) -> Action:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool, stream=stream_aside(), capture_error_mode="thread_local"):
            function()
        return graph.replay


def stream_aside() -> torch.cuda.Stream:
    """The stream on which to warm up and capture, which must not be the default. One per device: each keeps memory of its own."""
    return _stream_of(torch.cuda.current_device())


@functools.cache
def _stream_of(device: int) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
