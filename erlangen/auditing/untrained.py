"""The same architecture with fresh weights: what a symmetry owes to training, and what to the build."""

from __future__ import annotations

import copy

import torch
from torch import nn

from erlangen.auditing.symmetry_check import in_words
from erlangen.errors import ErlangenError

TINY = 1e-3  # a parameter that scales a branch by less makes the branch invisible


def untrained(module: nn.Module, seed: int) -> tuple[nn.Module, tuple[str, ...]]:
    """A copy whose layers drew their weights anew by their own `reset_parameters`, and what a reader has to know of it.

    Parameters that belong to no such layer (positions, class tokens, LayerScale) keep the values that they have, and are named.
    So are scales that start near 0, as ConvNeXt's 1e-6: an untrained net of such blocks is little more than its stem, and looks
    more equivariant than any trained one. Raises ErlangenError where the module cannot be copied, or nothing in it can be reset.
    """
    try:
        fresh = copy.deepcopy(module)
    except Exception as error:
        raise ErlangenError(f"no untrained baseline: the model cannot be copied: {in_words(error)}") from None
    reset: set[int] = set()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 0x5EED)  # not the seed that the user's own build may have had
        for part in fresh.modules():
            draw = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
            if callable(draw):
                draw()
                reset |= {id(parameter) for parameter in part.parameters()}
    if not reset:
        raise ErlangenError("no untrained baseline: no layer of the model has reset_parameters")
    kept = [name for name, parameter in fresh.named_parameters() if id(parameter) not in reset]
    notes = []
    if kept:
        named = ", ".join(kept[:4]) + (f" and {len(kept) - 4} more" if len(kept) > 4 else "")
        notes.append(f"The untrained baseline keeps {named} as they are: no layer knows how to draw them anew.")
    tiny = [name for name in kept if 0 < float(dict(fresh.named_parameters())[name].detach().abs().max()) < TINY]
    if tiny:
        notes.append(
            f"A trap in the untrained baseline: {tiny[0]} and {len(tiny) - 1} more scale branches by less than {TINY:g}, so "
            "it is little more than its first layers, and looks more equivariant than it is built."
        )
    return fresh, tuple(notes)
