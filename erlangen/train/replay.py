"""A training step as CUDA graphs, one for each size of a batch (see `erlangen.nn.cuda_graph`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from erlangen.nn.cuda_graph import Action, GraphCapture, warm_up

Function = Callable[..., object]
WARM_UPS = 2  # calls before a capture: the first loads kernels, cuBLAS and the states of the optimizer


class Replay:
    """function(*inputs), one CUDA graph for each combination of the inputs' shapes; the result is discarded.

    Call `prepare` first for every combination. It runs the function, so that the tensors that the function changes must be
    restored afterwards.
    """

    def __init__(self, function: Function) -> None:
        self.function, self.capture = function, GraphCapture()
        self.captured: dict[tuple[torch.Size, ...], tuple[Action, tuple[Tensor, ...]]] = {}

    def prepare(self, *inputs: Tensor) -> None:
        """Capture the function for inputs of these shapes."""
        held = tuple(x.clone() for x in inputs)  # the graph reads these; clones keep the memory format
        action = partial(self.function, *held)
        warm_up(action, WARM_UPS)
        self.captured[shapes(inputs)] = self.capture(action), held

    def __call__(self, *inputs: Tensor) -> None:
        replay, held = self.captured[shapes(inputs)]
        for mine, given in zip(held, inputs, strict=True):
            mine.copy_(given)
        replay()


def shapes(inputs: tuple[Tensor, ...]) -> tuple[torch.Size, ...]:
    return tuple(x.shape for x in inputs)
