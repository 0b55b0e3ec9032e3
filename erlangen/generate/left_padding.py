"""Prompts of unequal length in one batch: padding on the left, so that the next token of every text has the same column."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from erlangen.nn.token_mask import check_mask


def left_padded(prompts: Sequence[Tensor], padding: int = 0) -> tuple[Tensor, Tensor]:
    """Prompts (T_i,) -> tokens (B, T) and attention mask (B, T), for `generate` and `GPT.forward`; T is that of the longest.

    padding: the token in the empty places, which nothing sees. Raises ValueError if there are no prompts, or one is empty.
    """
    if not prompts or not all(prompt.ndim == 1 and len(prompt) for prompt in prompts):
        raise ValueError("left_padded: give at least one prompt, each with the shape (T,) and at least one token")
    longest = max(len(prompt) for prompt in prompts)
    tokens = torch.stack([torch.cat([prompt.new_full((longest - len(prompt),), padding), prompt]) for prompt in prompts])
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=tokens.device)
    return tokens, (torch.arange(longest, device=tokens.device) >= longest - lengths[:, None]).long()


def check_left(mask: Tensor, prompt: Tensor) -> None:
    """Raises ValueError if the mask has another shape than the prompt (B, T), or padding anywhere but on the left."""
    if mask.shape != prompt.shape:
        raise ValueError(
            f"attention_mask: the shape must be that of the prompt, {tuple(prompt.shape)}, but is {tuple(mask.shape)}"
        )
    check_mask(mask, len(prompt), prompt.shape[1], 0)
    if bool((mask[:, -1] == 0).any()) or bool(((mask != 0).long().diff(dim=1) < 0).any()):
        raise ValueError("attention_mask: padding must be on the left of each prompt: see erlangen.generate.left_padded")
