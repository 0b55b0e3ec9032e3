"""The net and its loss, compiled together by torch.compile, or as they are where nothing compiles."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from erlangen.train.language_step import Training, backward_arithmetic, batch_loss


def compiled(net: nn.Module, training: Training, notify: Callable[[str], None]) -> nn.Module:
    """The net compiled for this training's windows, or the net itself if that fails.

    It uses no batch of the training and leaves the random states as they were.
    """
    made: nn.Module = torch.compile(net)  # type: ignore[assignment]
    rows = training.schedule.batch // training.workers.size // training.schedule.accumulate
    tokens = torch.zeros(rows, training.model.config.block + 1, dtype=torch.int64, device=training.device)
    cuda = range(torch.cuda.device_count()) if training.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=cuda):
            training.model.train()
            loss = batch_loss(made, tokens[:, :-1], tokens[:, 1:], training.precision)  # strided as batches are
            with backward_arithmetic(training.device, training.precision):
                loss.backward()  # type: ignore[no-untyped-call]
    except Exception as error:  # a missing or failing compiler raises many kinds of exceptions
        first = (str(error).splitlines() or [type(error).__name__])[0]
        notify(f"--compile: torch.compile failed ({first[:120]}); training without it")
        made = net
    training.optimizer.zero_grad(set_to_none=True)
    return made
