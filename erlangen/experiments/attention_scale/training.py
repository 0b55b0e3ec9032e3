"""Train a `CopyNet` with Adam or SGD at one learning rate, and measure its start, its course and its end.

The rate rises over the first tenth of the steps and falls to 0 along a cosine. Gradients are not clipped: clipping is a remedy
for the instability that is to be measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from erlangen.experiments.attention_scale.copying import LAG, CopyNet, copy_loss, draw
from erlangen.experiments.attention_scale.scores import entropy
from erlangen.experiments.attention_scale.tasks import Copy
from erlangen.records.runs import Job, Measurement
from erlangen.train.language_schedule import LanguageSchedule
from erlangen.train.optimizer import adamw, set_rate

EVERY = 5  # steps between recorded training losses
HELD_OUT = 16  # batches of fresh tokens for validation, and as many for the test
DATA_SEED = 1_000_003
MOMENTUM = 0.9


def copy(task: Copy, job: Job) -> list[Measurement]:
    """One net: scores and gradients before the first step, training losses, validation and test loss. A divergence ends it."""
    with denormals_as_zero():
        net = CopyNet(task, torch.Generator().manual_seed(job.seed))
        data = torch.Generator().manual_seed(DATA_SEED + job.seed)
        held_out = [draw(task, HELD_OUT * task.batch, data) for _ in range(2)]
        first = at_start(net, draw(task, task.batch, data))
        losses = train(net, task, data)
        validation, test = (evaluate(net, tokens) for tokens in held_out)
        last = attention(net, held_out[1])
    return [
        *first,
        Measurement("validation_loss", validation[0], "nats"),
        Measurement("test_loss", test[0], "nats"),
        Measurement("test_accuracy", test[1], "%"),
        Measurement("end_entropy", last[0], "nats"),
        Measurement("end_weight", last[1], "of 1, on the token to copy"),
        Measurement("steps_to_learn", steps_to_learn(losses, task), "steps"),
        Measurement("largest_rise", largest_rise(losses), "nats"),
        Measurement("train_loss_by_step", tuple(round(loss, 4) for loss in losses[::EVERY]), "nats"),
    ]


def at_start(net: CopyNet, tokens: torch.Tensor) -> list[Measurement]:
    """Scores, attention and the gradient of the queries before the first step."""
    found = net(tokens)
    found.queries.retain_grad()
    loss = copy_loss(found.logits, tokens)
    loss.backward()  # type: ignore[no-untyped-call]
    norms = found.queries.grad.norm(dim=-1) * tokens.numel()  # (B, n): the loss is a mean over all positions
    net.zero_grad()
    return [
        Measurement("start_loss", loss.item(), "nats"),
        Measurement("start_variance", float(found.scores.detach().var())),
        Measurement("start_entropy", float(entropy(found.scores.detach().softmax(-1)).mean()), "nats"),
        Measurement("start_gradient", float(norms.square().mean())),
        Measurement("start_median_gradient", float(norms.median())),
    ]


def train(net: CopyNet, task: Copy, data: torch.Generator) -> list[float]:
    """Train in place on fresh tokens; the training loss of each step, up to the first that is not finite."""
    schedule = LanguageSchedule(steps=task.steps, lr=task.lr, warmup=task.steps // 10, final=0.0, weight_decay=0.0)
    if task.optimizer == "adam":
        optimizer: torch.optim.Optimizer = adamw(net, schedule)
    else:
        optimizer = torch.optim.SGD(net.parameters(), lr=task.lr, momentum=MOMENTUM, fused=True)
    losses: list[float] = []
    for step in range(task.steps):
        set_rate(optimizer, schedule.lr_at(step))
        tokens = draw(task, task.batch, data)
        loss = copy_loss(net(tokens).logits, tokens)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            break
    return losses


@torch.no_grad()
def evaluate(net: CopyNet, tokens: torch.Tensor) -> tuple[float, float]:
    """Loss in nats and accuracy in percent."""
    logits = net(tokens).logits
    hits = logits.argmax(-1) == tokens.roll(LAG, 1)
    return float(copy_loss(logits, tokens)), 100 * float(hits.double().mean())


@torch.no_grad()
def attention(net: CopyNet, tokens: torch.Tensor) -> tuple[float, float]:
    """Mean entropy of the attention in nats, and its mean weight on the token that is to be copied."""
    weights = net(tokens).scores.softmax(-1)  # (B, n, n)
    source = torch.arange(tokens.shape[1]).roll(LAG)  # position -> where its token is
    return float(entropy(weights).mean()), float(weights[:, torch.arange(tokens.shape[1]), source].mean())


def steps_to_learn(losses: Sequence[float], task: Copy) -> int:
    """Steps before the first training loss of `learned` or less; all steps of the training where there is none."""
    return next((step for step, loss in enumerate(losses) if loss <= task.learned), task.steps)


def largest_rise(losses: Sequence[float]) -> float:
    """The most that a training loss lies above the least one before it, in nats: how high the loss jumps."""
    least, rise = math.inf, 0.0
    for loss in losses:
        least = min(least, loss)
        rise = max(rise, loss - least)
    return rise


@contextmanager
def denormals_as_zero() -> Iterator[None]:
    """Round numbers below 1e-38 to 0: saturated attention weights are that small, and make a CPU several times slower."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
