"""What calls of a model change, and what is restored afterwards: its buffers, and random number generators."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def undisturbed(module: torch.nn.Module | None) -> Iterator[None]:
    """Restores the buffers of a module and all random number generators at the end."""
    parts = [] if module is None else list(module.modules())
    buffers = [(part, name, buffer) for part in parts for name, buffer in part._buffers.items() if buffer is not None]
    kept = [buffer.clone() for _, _, buffer in buffers]
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    on_cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if on_cuda:
            torch.cuda.set_rng_state_all(on_cuda)
        with torch.no_grad():
            for (part, name, buffer), value in zip(buffers, kept, strict=True):
                part._buffers[name] = buffer.copy_(value)  # the same tensor, in case forward replaced it by another


@contextmanager
def quiet(seed: int) -> Iterator[None]:
    """Seeded random numbers for the model; the caller's generator continues as if nothing had happened."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
