"""The gradient of a batch from several threads, each with a share of the rows and a copy of the model on the same weights.

    ∇ mean loss = Σ_i (rows_i / rows) ∇ mean loss of share i

A small net gains more from a thread a share, each single-threaded, than from threads inside every operation, which wait for each
other thousands of times a step. Two cores, gpt-micro and gpt-mini: 1.1-1.3 times as fast; beside other work, much more. Each copy
draws its dropout from a generator of its own, so that a training repeats bit for bit however the threads run.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Generator, Tensor, nn

from erlangen.nn.dropout import drawn_from

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


class Replicas:
    """`n` copies of `model` on a CPU, the model itself the first. `gradient` leaves the whole batch's gradient in the model."""

    def __init__(self, model: nn.Module, n: int, seed: int = 0) -> None:
        self.models = [model, *(sharing(model) for _ in range(n - 1))]
        self.generators = [Generator().manual_seed(seed + 7919 * (rank + 1)) for rank in range(n)]
        self.pool = ThreadPoolExecutor(n, "replica", initializer=lambda: torch.set_num_threads(1))

    def gradient(self, loss: Loss, inputs: Tensor, targets: Tensor, scale: float = 1.0) -> Tensor:
        """Add the gradient of scale · loss(model, inputs, targets) to the model's parameters; return scale · loss.

        loss: a mean over the rows of inputs and targets (B, ...).
        """
        n = len(self.models)
        shares = list(zip(self.models, self.generators, inputs.tensor_split(n), targets.tensor_split(n), strict=True))
        weights = [len(rows) / len(inputs) for _, _, rows, _ in shares]

        def run(model: nn.Module, generator: Generator, rows: Tensor, row_targets: Tensor, weight: float) -> Tensor:
            if not len(rows):
                return torch.zeros(())
            with drawn_from(generator):
                mean = loss(model, rows, row_targets)
            (mean * (weight * scale)).backward()  # type: ignore[no-untyped-call]
            return mean.detach() * weight

        first = self.models[0]
        for replica in self.models[1:]:
            replica.train(first.training)
            replica.zero_grad(set_to_none=True)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # for the whole process as far as MKL goes
        try:
            waiting = [self.pool.submit(run, *share, weight) for share, weight in zip(shares, weights, strict=True)]
            total = torch.stack([future.result() for future in waiting]).sum() * scale
        finally:
            torch.set_num_threads(threads)
        for replica in self.models[1:]:
            theirs = {name: parameter.grad for name, parameter in replica.named_parameters()}
            for name, parameter in first.named_parameters():
                gradient = theirs[name]
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
        return total

    def state(self) -> Tensor:
        """The states of the generators, (n, bytes)."""
        return torch.stack([generator.get_state() for generator in self.generators])

    def set_state(self, states: Tensor) -> None:
        """Go on from `state` of as many copies. Raises ValueError for another number of them."""
        for generator, state in zip(self.generators, states, strict=True):
            generator.set_state(state.clone())  # torch 2.13 crashes on a row that is not the first of its storage


def sharing(model: nn.Module) -> nn.Module:
    """A copy whose parameters and buffers are the same memory, with gradients of its own."""
    twin = copy.deepcopy(model)
    own = dict(model.named_parameters())
    for name, parameter in twin.named_parameters():
        parameter.data, parameter.grad = own[name].data, None
    buffers = dict(model.named_buffers())
    for name, buffer in twin.named_buffers():
        buffer.data = buffers[name].data
    return twin
