"""A task that one head must fail: copy four tokens at once, each from another distance.

    targets at position t:  x_{t-1}, x_{t-3}, x_{t-5}, x_{t-7},   x_t uniform on 0 .. values - 1

A head gives one weighted mean of the values, so one head must put four tokens into one vector; four heads bring a vector each.
Two sources would not do: a layer after it reads both out of the amplitudes of a single head's mean.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from erlangen.experiments.heads.tasks import OFFSETS, Copy
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_schedule import LanguageSchedule
from erlangen.train.optimizer import adamw, set_rate
from erlangen.train.seeds import seed_everything

FIRST = max(OFFSETS)  # position from which on all sources exist
TESTED = 512  # rows


def copy_four(task: Copy, job: Job) -> list[Measurement]:
    """The share of positions at which all four tokens are right, as trained and once the heads' values change places."""
    seed_everything(job.seed)
    model = GPT(
        GPTConfig(vocabulary=task.values, block=task.length, layers=1, heads=task.heads, width=task.width, positions="absolute",
                  dropout=0.0)
    )  # fmt: skip
    model.head = nn.Linear(task.width, len(OFFSETS) * task.values, bias=False)
    data = Generator().manual_seed(job.seed)
    train(model, task, data)
    rows = torch.randint(task.values, (TESTED, task.length), generator=data)
    measured = [Measurement("copied", all_right(model, rows), "%")]
    swap_value_heads(model)
    return [*measured, Measurement("copied_with_heads_swapped", all_right(model, rows), "%")]


def train(model: GPT, task: Copy, data: Generator) -> None:
    """AdamW on fresh random rows, the rate warmed up and brought down as in `LanguageSchedule`."""
    schedule = LanguageSchedule(steps=task.steps, lr=task.lr, warmup=task.steps // 10, weight_decay=0.0)
    optimizer = adamw(model, schedule)
    for step in range(task.steps):
        set_rate(optimizer, schedule.lr_at(step))
        rows = torch.randint(task.values, (task.batch, task.length), generator=data)
        optimizer.zero_grad()
        loss = F.cross_entropy(logits(model, rows).flatten(0, -2), sources(rows).flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        optimizer.step()


def sources(rows: Tensor) -> Tensor:
    """rows (B, T) -> the tokens at the four distances before each position from FIRST on, (B, T - FIRST, 4)."""
    length = rows.shape[1]
    return torch.stack([rows[:, FIRST - offset : length - offset] for offset in OFFSETS], -1)


def logits(model: GPT, rows: Tensor) -> Tensor:
    """(B, T) -> (B, T - FIRST, 4, values): what the net says of each source, from the first position that has all four."""
    outputs = model.unembed(model.states(rows)[-1][:, FIRST:])  # (B, T - FIRST, 4 · values)
    return torch.stack(outputs.chunk(len(OFFSETS), -1), -2)


@torch.no_grad()
def all_right(model: GPT, rows: Tensor) -> float:
    """Percent of positions at which all four tokens are named."""
    return 100 * float((logits(model.eval(), rows).argmax(-1) == sources(rows)).all(-1).double().mean())


@torch.no_grad()
def swap_value_heads(model: GPT) -> None:
    """Give each head the values of the next one, in place; the weights of attention and of the output stay where they are."""
    for block in model.blocks:
        qkv = block.get_parameter("attention.qkv.weight")  # (3 · width, width): queries, keys, values
        values = qkv[-model.config.width :]
        values.copy_(values.roll(model.config.head_dim, 0))
