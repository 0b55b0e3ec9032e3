"""Loss of each token of a text under a language model, in nats, and what follows: an interval over the text, bits per byte.

    loss[i] = -log p(tokens[i] | the tokens before it that its window holds)

The windows decide how much comes before, so a loss is only as good as the name of its evaluation: `windows` scores tokens with
0 .. block - 1 others before their input, `sliding` with at least about half a block; the second is lower. A model is any
callable, tokens (B, T) int64 -> logits (B, T, vocabulary), that is causal.
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
    """(n - 1,) float64 on the CPU: losses of tokens[1:] in order, from tokens (n,), each scored once.

    windows: inputs [k T, (k + 1) T), no overlap, the last one shorter. sliding: windows every ⌊T/2⌋ tokens, the first scored
    whole, others at their last ⌊T/2⌋ tokens; the last one is moved back to end with the text. T is `block`, `batch` windows at a
    time. autocast: dtype for the model's products; the losses are float32 at least. tell: given how many more are scored, batch
    by batch. In eval mode, without gradients.
    Raises ValueError for tokens that are no row, fewer than 2, or a block < 1.
    """
    if tokens.ndim != 1 or len(tokens) < 2 or block < 1 or batch < 1:
        raise ValueError(f"token_losses: tokens {tuple(tokens.shape)}, block {block}, batch {batch}")
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
            own = score(rows(starts[at : at + batch]))  # (B, T)
            losses += [row[length - count :] for row, count in zip(own, scored[at : at + batch], strict=True)]
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
    """Losses (n_scored,) float64 of independent documents, each whole in one window, and the positions scored (n_scored,) int64.

    starts: sorted, where in tokens (n,) documents begin, each up to the next and the last up to the end, all ended by the same
    END. As many follow each other in a window as fit. A document's first token is scored given the END before it; before the very
    first one the text's own last token is put. Short windows are filled with END behind, which a causal model cannot see.
    tell: as above. Raises ValueError where a document is longer than `block`, or not each is ended by the same token.
    """
    if tokens.ndim != 1 or starts.ndim != 1 or not len(starts):
        raise ValueError(f"aligned_losses: tokens {tuple(tokens.shape)}, starts {tuple(starts.shape)}")
    bounds = [*starts.tolist(), len(tokens)]
    lengths = np.diff(bounds)
    if bounds[0] < 0 or lengths.min() < 1 or lengths.max() > block:
        raise ValueError(f"aligned_losses: documents of {lengths.min()} to {lengths.max()} tokens, windows of {block}")
    end = tokens[-1].long()
    if not (tokens[torch.tensor(bounds[1:], device=tokens.device) - 1].long() == end).all():
        raise ValueError(f"aligned_losses: documents that are not all ended by the token {int(end)}")
    spans = list(_packed(bounds, block))
    losses = []
    with _evaluated(model, autocast) as score:
        for at in range(0, len(spans), batch):
            some = spans[at : at + batch]
            rows = end.repeat(len(some), 1 + max(stop - start for start, stop in some))  # (B, T + 1)
            for row, (start, stop) in zip(rows, some, strict=True):
                row[1 : 1 + stop - start] = tokens[start:stop]  # after the END before it, whichever that was
            own = score(rows)  # (B, T)
            losses += [row[: stop - start] for row, (start, stop) in zip(own, some, strict=True)]
            tell(sum(stop - start for start, stop in some))
    return torch.cat(losses), torch.arange(bounds[0], len(tokens))


def loss_interval(losses: Tensor | ArrayLike, blocks: int = BLOCKS, level: float = 0.95) -> Interval:
    """Mean of losses (n,) in the text's order, or of paired differences, with Student's t interval over contiguous blocks of it.

    Neighbors are alike (a rare word costs several characters, a strange tale many lines), so tokens are not n independent draws;
    means of blocks far longer than that memory nearly are. Why 30: t_29 is within 5 % of normal, so more would gain little, and
    each block is then as long as it can be, 860 characters of Grimm's test part. Of a 6-gram model's losses there, the
    correlation of neighbors is .07 and gone after 50, yet over all lags they are worth half as many independent ones, and the
    interval is 1.5 times as wide as one over characters. It speaks of more text of this kind, for this model as it is; it is
    no interval over seeds. Fewer than two losses a block: as many blocks as there are pairs. Raises ValueError for blocks < 2.
    """
    if blocks < 2:
        raise ValueError(f"loss_interval: {blocks} blocks, an interval needs two")
    values = np.asarray(losses.detach().cpu() if isinstance(losses, Tensor) else losses, dtype=np.float64)  # (n,)
    blocks = min(blocks, max(len(values) // 2, 1))
    if not len(values):
        return Interval(math.nan, math.nan, math.nan, 0)
    edges = np.linspace(0, len(values), blocks, endpoint=False).astype(int)
    mean = values.mean()
    # Lengths may differ by one: the blocks' sums of deviations, not their means, average to that of the tokens.
    return mean_interval((mean + np.add.reduceat(values - mean, edges) * blocks / len(values)).tolist(), level)


def bits_per_byte(total_nats: float, n_bytes: int) -> float:
    """Σ loss / (ln 2 · bytes), the same for all tokenizers; n_bytes: of the UTF-8 text that the scored tokens stand for."""
    return total_nats / (math.log(2) * n_bytes) if n_bytes else math.nan


def _packed(bounds: Sequence[int], block: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of runs of whole documents, as long as `block` allows."""
    start, stop = bounds[0], bounds[0]
    for after in bounds[1:]:
        if after - start > block:
            yield start, stop
            start = stop
        stop = after
    yield start, stop


@contextmanager
def _evaluated(model: Model, autocast: torch.dtype | None) -> Iterator[Callable[[Tensor], Tensor]]:
    """rows (B, T + 1) -> losses (B, T) float64 on the CPU, while `model` is in eval mode; its modules get their modes back."""
    modes = {module: module.training for module in model.modules()} if isinstance(model, nn.Module) else {}
    parameter = next(model.parameters(), None) if isinstance(model, nn.Module) else None

    def score(rows: Tensor) -> Tensor:
        rows = rows if parameter is None else rows.to(parameter.device)
        with nullcontext() if autocast is None else torch.autocast(rows.device.type, autocast):
            logits = model(rows[:, :-1])  # (B, T, V)
        if logits.ndim != 3 or logits.shape[:2] != rows[:, 1:].shape:
            raise ValueError(f"a model gave {tuple(logits.shape)} for tokens {tuple(rows[:, :-1].shape)}, expected (B, T, V)")
        logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
        losses = F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="none")  # (B T,)
        return losses.cpu().double().view(len(rows), -1)

    try:
        if isinstance(model, nn.Module):
            model.eval()
        with torch.no_grad():  # tables that a model keeps from here may be trained with later, unlike inference_mode's
            yield score
    finally:
        for module, training in modes.items():
            module.training = training
