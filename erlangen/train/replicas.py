"""The gradient of a batch from several threads, each with a share of the rows and a copy of the model that shares its weights.

    ∇ mean loss = Σ_i (rows_i / rows) ∇ mean loss of share i

A small net gains more from one thread per share than from threads inside every operation, which wait for each other thousands of
times per step. On two cores gpt-micro and gpt-mini train 1.1 to 1.3 times as fast, and much more so beside other work. Each copy
draws its dropout from its own generator, so that a training is repeatable bit for bit however the threads are scheduled.
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
    """`n` replicas of a model on a CPU; the first is the model itself. `gradient` leaves the batch's gradient in the model."""

    def __init__(self, model: nn.Module, n: int, seed: int = 0) -> None:
        self.models = [model, *(sharing(model) for _ in range(n - 1))]
        self.generators = [Generator().manual_seed(seed + 7919 * (rank + 1)) for rank in range(n)]
        self.pool = ThreadPoolExecutor(n, "replica", initializer=lambda: torch.set_num_threads(1))

    def gradient(self, loss: Loss, inputs: Tensor, targets: Tensor, scale: float = 1.0) -> Tensor:
        """Add the gradient of scale · loss(model, inputs, targets) to the model's parameters; return scale · loss.

        loss: must be a mean over the rows of inputs and targets (B, ...).
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
        torch.set_num_threads(1)  # in MKL this applies to the whole process
        try:
            waiting = [self.pool.submit(run, *share, weight) for share, weight in zip(shares, weights, strict=True)]
            total = torch.stack([future.result() for future in waiting]).sum() * scale
        finally:
            torch.set_num_threads(threads)
        for replica in self.models[1:]:
            gradients = {name: parameter.grad for name, parameter in replica.named_parameters()}
            for name, parameter in first.named_parameters():
                gradient = gradients[name]
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
        return total

    def state(self) -> Tensor:
        """The states of the generators, (n, bytes)."""
        return torch.stack([generator.get_state() for generator in self.generators])

    def set_state(self, states: Tensor) -> None:
        """Restore what `state` returned. Raises ValueError for another number of replicas."""
        for generator, state in zip(self.generators, states, strict=True):
            generator.set_state(state.clone())  # torch 2.13 crashes on a row that is not the first of its storage


def sharing(model: nn.Module) -> nn.Module:
    """A copy that shares the memory of the model's parameters and buffers, but not their gradients."""
    twin = copy.deepcopy(model)
    parameters = dict(model.named_parameters())
    for name, parameter in twin.named_parameters():
        parameter.data, parameter.grad = parameters[name].data, None
    buffers = dict(model.named_buffers())
    for name, buffer in twin.named_buffers():
        buffer.data = buffers[name].data
    return twin
