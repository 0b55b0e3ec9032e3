"""The nets of `length`, and how each reads more tokens than it was trained on.

    plain          as it is: distances, or rows of the table, that training did not have
    linear, ntk    rotary angles made smaller, so that the longest distance fits (`erlangen.nn.positions.Rotary`)
    clamped        a learned table whose last row stands for every later position
    interpolated   a learned table stretched over the longer text: row p (B - 1) / (L - 1) between its neighbors

Sources: Chen et al., "Extending Context Window ... via Positional Interpolation", 2023; bloc97, "NTK-Aware Scaled RoPE", 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from erlangen.experiments.length.tasks import Arm, Reading
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn.attention import context
from erlangen.nn.positions import Rotary
from erlangen.train.language_schedule import LanguageSchedule
from erlangen.train.optimizer import adamw, set_rate


def new_net(vocabulary: int, arm: Arm, block: int, layers: int, width: int, rows: int = 0) -> GPT:
    """An untrained net. rows: of the table of learned positions, by default one for each of its `block` tokens."""
    return GPT(
        GPTConfig(
            vocabulary=vocabulary, block=rows or block, layers=layers, heads=4, width=width, positions=arm, dropout=0.0
        )
    )  # fmt: skip


def reading(net: GPT, how: Reading, length: int) -> GPT:
    """The same weights as a net that reads `length` tokens, no fewer than it was trained on. Shares no memory with `net`."""
    block = net.config.block
    config = replace(net.config, block=length)
    if how in ("linear", "ntk"):
        config = replace(config, rotary=Rotary(scaling=how, factor=length / block))
    longer = GPT(config)
    weights = net.state_dict()
    if net.place is not None:
        weights["place.weight"] = stretched(net.place.weight.detach(), how, length)
    longer.load_state_dict(weights)
    return longer.eval()


def stretched(table: Tensor, how: Reading, length: int) -> Tensor:
    """A learned table (B, width) with `length` rows, the last one repeated or all of them interpolated: (length, width)."""
    if how == "interpolated":
        return F.interpolate(table.T[None], size=length, mode="linear", align_corners=True)[0].T
    return table[torch.arange(length).clamp(max=len(table) - 1)]


def train(net: GPT, loss: Callable[[GPT, int], Tensor], steps: int, lr: float) -> None:
    """Minimize loss(net, step) by AdamW with warmup and a cosine schedule; leaves the net in eval mode."""
    schedule = LanguageSchedule(steps=steps, lr=lr, warmup=max(1, min(100, steps // 6)))
    optimizer = adamw(net, schedule)
    net.train()
    for step in range(steps):
        set_rate(optimizer, schedule.lr_at(step))
        optimizer.zero_grad(set_to_none=True)
        loss(net, step).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), schedule.clip, foreach=True)
        optimizer.step()
    net.eval()


def states_at(net: GPT, tokens: Tensor, start: int = 0) -> Tensor:
    """The output (B, T, width) of the last block for tokens (B, T), the first of them on row `start` of a learned table."""
    h = net.embedded(tokens, start)
    shared = context(net.config.layer(), tokens.shape[1], h, training=net.training)
    for layer, block in enumerate(net.blocks):
        h = block(h, shared, layer)
    return h
