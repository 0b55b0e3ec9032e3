"""A whole training step as one CUDA graph: forward, backward, clipping and AdamW are launched by a single call.

A small model's step is hundreds of kernels of a few microseconds each, which a GPU finishes sooner than Python launches them. The
graph reads its batch and its learning rate from fixed places in memory, writes its loss to another, and draws dropout from
the generator of the device, whose state moves on with each replay as it does with kernels launched one by one.

Before the capture a few steps run on zeros, for libraries to set themselves up, and are undone. All steps of a training are then
replays of the same graph, those after a resumption as well, so that it stays bit for bit the training without interruption.

Source: Ng et al., "Accelerating PyTorch with CUDA Graphs", 2021.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from erlangen.errors import ErlangenError
from erlangen.nn.cuda_graph import GraphCapture, warm_up
from erlangen.train.optimizer import keep_rate_on

if TYPE_CHECKING:
    from erlangen.train.language_step import Training

CAPTURED_UP_TO = 400_000_000  # parameters; a larger model's kernels take longer than their launches
WARM_UPS = 3  # calls before the capture


class CapturedStep:
    """A step of a training on a CUDA device, recorded once and replayed for every batch. net: the model, or what wraps it."""

    def __init__(self, training: Training, net: nn.Module) -> None:
        schedule, device = training.schedule, training.device
        block = training.model.config.block
        self.rows = torch.zeros(schedule.batch, block + 1, dtype=torch.int64, device=device)

        def step() -> None:
            self.loss = training.apply(net, self.rows)

        training.model.train()
        keep_rate_on(training.optimizer, device)
        with torch.cuda.device(device), undone(training):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # AdamW warns of steps that could be captured and are not
                warm_up(step, WARM_UPS)
            training.optimizer.zero_grad(set_to_none=True)  # so that gradients are allocated in the memory of the graph
            self.replay = GraphCapture()(step)

    def __call__(self, rows: Tensor) -> Tensor:
        """Make the step with a batch, rows (B, T + 1), at the learning rate that the optimizer holds. Returns the loss, ()."""
        self.rows.copy_(rows, non_blocking=True)
        self.replay()
        return self.loss.clone()  # the next replay overwrites it


def capturable(training: Training) -> bool:
    """Whether a training can and should be captured: on one CUDA device, without slices, and not in float16.

    The scaler of float16 decides on the host whether to make a step.
    """
    return (
        training.device.type == "cuda"
        and training.workers.size == 1
        and training.schedule.accumulate == 1
        and training.precision != "float16"
        and training.model.parameter_count() <= CAPTURED_UP_TO
    )


def captured(training: Training, net: nn.Module, notify: Callable[[str], None]) -> CapturedStep | None:
    """The captured step, or None with a line if it cannot be captured. Raises ErlangenError if that spoiled the random state."""
    try:
        step = CapturedStep(training, net)
    except Exception as error:  # whatever a kernel or a library does that a graph cannot hold
        keep_rate_on(training.optimizer, None)
        first = (str(error).splitlines() or [type(error).__name__])[0][:120]
        require_generator(training.device, first)
        notify(f"the step cannot be captured in a CUDA graph ({first}); its kernels are launched one by one")
        return None
    notify("each step is one CUDA graph; --no-capture launches its kernels one by one")
    return step


def require_generator(device: torch.device, reason: str) -> None:
    """Raise ErlangenError if a capture that failed has left the device's generator unusable."""
    try:
        with torch.random.fork_rng(devices=[device], device_type=device.type):
            torch.rand(1, device=device)
    except RuntimeError:
        raise ErlangenError(f"the step cannot be captured in a CUDA graph ({reason}): start with --no-capture") from None


@contextmanager
def undone(training: Training) -> Iterator[None]:
    """A context after which weights, moments and random states are what they were, in the same places in memory."""
    optimizer, cuda = training.optimizer, [training.device] if training.device.type == "cuda" else []
    weights = [parameter.detach().clone() for parameter in training.model.parameters()]
    moments = {p: {key: value.clone() for key, value in state.items()} for p, state in optimizer.state.items()}
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        with torch.no_grad():
            for weight, before in zip(training.model.parameters(), weights, strict=True):
                weight.copy_(before)
            for parameter, state in optimizer.state.items():
                for key, value in state.items():
                    value.copy_(moments[parameter][key]) if parameter in moments else value.zero_()
