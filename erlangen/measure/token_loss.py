"""The loss of each token of a text under a language model, in nats; its mean with an interval over the text; bits per byte.

    loss[i] = -log p(tokens[i] | the tokens before it in its window)

A loss depends on how much context the windows give, so always name the evaluation: `windows` scores tokens with 0 .. block - 1
tokens of context before their input, `sliding` with at least about half a block, which gives a lower loss. A model is any causal
callable, tokens (B, T) int64 -> logits (B, T, vocabulary).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn

from erlangen.statistics.intervals import Interval, mean_interval

Model = Callable[[Tensor], Tensor]
How = Literal["windows", "sliding"]
BLOCKS = 30


def token_losses(
    model: Model,
    tokens: Tensor,
    block: int,
    *,
    how: How = "windows",
    batch: int = 32,
    autocast: torch.dtype | None = None,
    tell: Callable[[int], None] = lambda n: None,
) -> Tensor:
    """The losses of tokens[1:] in order, each scored once: tokens (n,) -> (n - 1,) float64 on the CPU.

    how: "windows" uses inputs [k T, (k + 1) T) without overlap, the last one shorter; "sliding" uses a window every ⌊T/2⌋ tokens,
    of which the first is scored completely and each other one at its last ⌊T/2⌋ tokens, and the last is moved back to end with
    the text. T is `block`. batch: windows per call of the model. autocast: dtype of the model's products; losses are at least
    float32. tell: called after each batch with the number of tokens it scored. The model runs in eval mode without gradients.
    Raises ValueError if tokens are not a row of at least 2, or block or batch is below 1.
    """
    if tokens.ndim != 1 or len(tokens) < 2 or block < 1 or batch < 1:
        raise ValueError(
            f"token_losses: tokens {tuple(tokens.shape)} must be a row of at least 2, block {block} and batch {batch} at least 1"
        )
    targets = len(tokens) - 1
    length = min(block, targets)
    stride = max(length // 2, 1) if how == "sliding" else length
    starts = list(range(0, targets - length + 1, stride))
    scored = [length, *[stride] * (len(starts) - 1)]
    left = targets - starts[-1] - length
    offsets = torch.arange(length + 1, device=tokens.device)

    def rows(first: Sequence[int]) -> Tensor:
        return tokens[torch.tensor(first, device=tokens.device)[:, None] + offsets].long()  # (B, T + 1)

    losses = []
    with _evaluated(model, autocast) as score:
        for at in range(0, len(starts), batch):
            scores = score(rows(starts[at : at + batch]))  # (B, T)
            losses += [row[length - count :] for row, count in zip(scores, scored[at : at + batch], strict=True)]
            tell(sum(scored[at : at + batch]))
        if left and how == "sliding":
            losses.append(score(rows([targets - length]))[0, length - left :])
        elif left:
            losses.append(score(tokens[None, -left - 1 :].long())[0])
    return torch.cat(losses)


def aligned_losses(
    model: Model,
    tokens: Tensor,
    starts: Tensor,
    block: int,
    *,
    batch: int = 32,
    autocast: torch.dtype | None = None,
    tell: Callable[[int], None] = lambda n: None,
) -> tuple[Tensor, Tensor]:
    """The losses (n_scored,) float64 of independent documents, each within one window, and their positions (n_scored,) int64.

    starts: the sorted positions in tokens (n,) at which documents begin. Each document extends to the next start, the last to the
    end of the text, and all must end in the same token, END. A window holds as many documents as fit. The first token of a
    document is scored given the END before it; for the very first document, that is the last token of the text. Short windows are
    padded with END on the right, which a causal model cannot see. tell: see `token_losses`.
    Raises ValueError if a document is longer than `block`, or if the documents do not all end in the same token.
    """
    if tokens.ndim != 1 or starts.ndim != 1 or not len(starts):
        raise ValueError(
            f"aligned_losses: tokens {tuple(tokens.shape)} and starts {tuple(starts.shape)} must be rows, with at least one start"
        )
    bounds = [*starts.tolist(), len(tokens)]
    lengths = np.diff(bounds)
    if bounds[0] < 0 or lengths.min() < 1 or lengths.max() > block:
        raise ValueError(
            f"aligned_losses: the documents have {lengths.min()} to {lengths.max()} tokens, but must have from 1 to {block}, the "
            f"length of a window"
        )
    end = tokens[-1].long()
    if not (tokens[torch.tensor(bounds[1:], device=tokens.device) - 1].long() == end).all():
        raise ValueError(f"aligned_losses: all documents must end in the same token, {int(end)}, but some do not")
    spans = list(_packed(bounds, block))
    losses = []
    with _evaluated(model, autocast) as score:
        for at in range(0, len(spans), batch):
            some = spans[at : at + batch]
            rows = end.repeat(len(some), 1 + max(stop - start for start, stop in some))  # (B, T + 1)
            for row, (start, stop) in zip(rows, some, strict=True):
                row[1 : 1 + stop - start] = tokens[start:stop]  # after an END, as all documents are preceded by one
            scores = score(rows)  # (B, T)
            losses += [row[: stop - start] for row, (start, stop) in zip(scores, some, strict=True)]
            tell(sum(stop - start for start, stop in some))
    return torch.cat(losses), torch.arange(bounds[0], len(tokens))


def loss_interval(losses: Tensor | ArrayLike, blocks: int = BLOCKS, level: float = 0.95) -> Interval:
    """The mean of losses (n,), or of paired differences, with Student's t interval over contiguous blocks of the text.

    losses: in the order of the text. Neighboring losses are correlated (a rare word costs several characters, a strange tale many
    lines), so they are not n independent draws; but the means of blocks that are much longer than this correlation nearly are
    independent. Why 30 blocks: t_29 is within 5 % of the normal distribution, so more blocks would gain little, and fewer make
    each block as long as possible, 860 characters in Grimm's test part. There, the losses of a 6-gram model have a correlation of
    .07 between neighbors, which vanishes after 50; over all lags they are worth half as many independent losses, and the interval
    is 1.5 times as wide as one over characters. The interval is about more text of this kind for this very model, not about
    seeds. With fewer than two losses per block there are as many blocks as pairs. Raises ValueError for blocks < 2.
    """
    if blocks < 2:
        raise ValueError(f"loss_interval: {blocks} blocks are too few: an interval needs at least 2")
    values = np.asarray(losses.detach().cpu() if isinstance(losses, Tensor) else losses, dtype=np.float64)  # (n,)
    blocks = min(blocks, max(len(values) // 2, 1))
    if not len(values):
        return Interval(math.nan, math.nan, math.nan, 0)
    edges = np.linspace(0, len(values), blocks, endpoint=False).astype(int)
    mean = values.mean()
    # Block lengths may differ by one, so the blocks' sums of deviations are averaged, not their means.
    return mean_interval((mean + np.add.reduceat(values - mean, edges) * blocks / len(values)).tolist(), level)


def bits_per_byte(total_nats: float, n_bytes: int) -> float:
    """Σ loss / (ln 2 · bytes), comparable across tokenizers. n_bytes: of the UTF-8 text that the scored tokens encode."""
    return total_nats / (math.log(2) * n_bytes) if n_bytes else math.nan


def _packed(bounds: Sequence[int], block: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of each run of whole documents, with as many documents as fit into `block`."""
    start, stop = bounds[0], bounds[0]
    for after in bounds[1:]:
        if after - start > block:
            yield start, stop
            start = stop
        stop = after
    yield start, stop


@contextmanager
def _evaluated(model: Model, autocast: torch.dtype | None) -> Iterator[Callable[[Tensor], Tensor]]:
    """A function rows (B, T + 1) -> losses (B, T) float64 on the CPU. Within the context the model is in eval mode."""
    modes = {module: module.training for module in model.modules()} if isinstance(model, nn.Module) else {}
    parameter = next(model.parameters(), None) if isinstance(model, nn.Module) else None

    def score(rows: Tensor) -> Tensor:
        rows = rows if parameter is None else rows.to(parameter.device)
        with nullcontext() if autocast is None else torch.autocast(rows.device.type, autocast):
            logits = model(rows[:, :-1])  # (B, T, V)
        if logits.ndim != 3 or logits.shape[:2] != rows[:, 1:].shape:
            raise ValueError(
                f"the model returned {tuple(logits.shape)} for tokens {tuple(rows[:, :-1].shape)}, but must return (B, T, V)"
            )
        logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        losses = F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="none")  # (B T,)
        return losses.cpu().double().view(len(rows), -1)

    try:
        if isinstance(model, nn.Module):
            model.eval()
        with torch.no_grad():  # unlike in inference_mode, tables that the model caches here can be used in training
            yield score
    finally:
        for module, training in modes.items():
            module.training = training
