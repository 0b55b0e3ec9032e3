"""The loop of generation: read tokens, choose the next, read it.

    t_{n+1} ~ p(· | t_1 ... t_n),   of which the model reads the last `block` tokens

A *reader* takes tokens (B, T) that follow those it has read, and gives the logits (B, V) of the token after the last:

Recomputing   the last `block` tokens anew at every step; any model that is callable. O(T²) products for T tokens.
Cached        keys and values in a ring (erlangen.nn.cache); O(T). Up to `block` tokens both give the same. Beyond:
              rotary, ALiBi, none   the ring slides. With two layers or more that is not cropping: what is kept of a token was
                                    computed when tokens before it, now let go, were still seen.
              absolute              places do not slide: the older half of the block is dropped and the newer half read anew,
                                    in hops of block / 2 tokens. A token is read twice on average, and sees between block / 2
                                    and block tokens.

Of a prompt longer than the block its last `block` tokens are read.

Randomness: row i draws from a stream of its own, that of (seed, i, its prompt), step by step, so that sample i of a prompt is the
same text alone and among others, up to the rounding of logits, which in a batch may add up in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.generate.filters import Settings, choose

Model = Callable[..., Tensor]
DRAWN = 128  # numbers of each stream at a time


class Reader(Protocol):
    """Tokens (B, T) that follow those read before -> logits (B, V) of the next."""

    def __call__(self, tokens: Tensor) -> Tensor: ...


class Recomputing:
    """Reads all again at every step. block: tokens that the model may read at once; None: any number."""

    def __init__(self, model: Model, block: int | None) -> None:
        self.model, self.block = model, block
        self.tokens: Tensor | None = None  # the last `block`

    def __call__(self, tokens: Tensor) -> Tensor:
        self.tokens = _joined(self.tokens, tokens, self.block)
        return self.model(self.tokens)[:, -1]


class Cached:
    """Reads each token once (where positions are absolute, twice), for `batch` texts. model: a GPT, or what decodes like one."""

    def __init__(self, model: nn.Module, batch: int) -> None:
        self.model, config = cast(Any, model), cast(Any, model).config
        self.block: int = config.block
        self.hops = config.positions == "absolute"
        self.cache = self.model.cache(batch)
        self.tokens: Tensor | None = None  # the last `block`, where they may have to be read again

    def __call__(self, tokens: Tensor) -> Tensor:
        if self.hops:
            self.tokens = _joined(self.tokens, tokens, self.block)
            if self.cache.length + tokens.shape[1] > self.block:
                self.cache.reset()
                kept = self.block if tokens.shape[1] >= self.block else max(self.block // 2, tokens.shape[1])
                return self._read(self.tokens[:, -kept:])
        if self.cache.length == 0:
            return self._read(tokens[:, -self.block :])
        if tokens.shape[1] > 1 and self.cache.length + tokens.shape[1] > self.block:  # the ring slides a token at a time
            return [self._read(tokens[:, i : i + 1]) for i in range(tokens.shape[1])][-1]
        return self._read(tokens)

    def reset(self) -> None:
        """Forget what was read; the next call begins a text."""
        self.cache.reset()
        self.tokens = None

    def _read(self, tokens: Tensor) -> Tensor:
        return cast(Tensor, self.model.unembed(self.model.states(tokens, self.cache)[-1][:, -1]))


def _joined(before: Tensor | None, tokens: Tensor, block: int | None) -> Tensor:
    tokens = tokens if before is None else torch.cat([before, tokens], 1)
    return tokens if block is None else tokens[:, -block:]


class Streams:
    """Numbers in [0, 1): (B,) float64 a call, the r-th from the stream of (seed, rows[r], prompt[r])."""

    def __init__(self, seed: int, rows: Sequence[int], prompt: Tensor) -> None:
        self.streams = [np.random.default_rng([seed, row, *text]) for row, text in zip(rows, prompt.tolist(), strict=True)]
        self.numbers: list[Tensor] = []

    def __call__(self) -> Tensor:
        if not self.numbers:
            drawn = torch.from_numpy(np.stack([stream.random(DRAWN) for stream in self.streams], 1))  # (DRAWN, B)
            self.numbers = list(drawn.unbind(0))[::-1]
        return self.numbers.pop()


def reader(model: Model, batch: int, cache: bool = True) -> Reader:
    """The reader for a model: with a cache where it is asked for and the model has one."""
    if cache and isinstance(model, nn.Module) and hasattr(model, "cache"):
        return Cached(model, batch)
    return Recomputing(model, getattr(getattr(model, "config", None), "block", None))


def stream(
    model: Model,
    prompt: Tensor,
    new_tokens: int,
    *,
    settings: Settings | None = None,
    cache: bool = True,
    rows: Sequence[int] | None = None,
    stop: int | None = None,
    read: Reader | None = None,
) -> Iterator[Tensor]:
    """The next tokens of prompt (B, T) or (T,), (B,) int64 a step, as they come.

    rows: which sample each row is, 0 ... B - 1 by default: rows=[7] makes sample 7 alone. stop: a token after which a text ends;
    its row then repeats it, and the stream ends with the last row. read: another reader, as of `erlangen.generate.fast`, that
    has read nothing yet.
    The model is in eval mode while it runs and in its own again afterwards, also where the stream is left early.
    Raises ValueError for an empty prompt, or rows that do not fit.
    """
    prompt = prompt[None] if prompt.ndim == 1 else prompt
    if prompt.ndim != 2 or not prompt.numel():
        raise ValueError(f"prompt: (B, T) or (T,) with one token or more, got {tuple(prompt.shape)}")
    rows = range(len(prompt)) if rows is None else rows
    if len(rows) != len(prompt):
        raise ValueError(f"{len(rows)} rows named for a batch of {len(prompt)}")
    return _stream(model, prompt, new_tokens, settings or Settings(), cache, rows, stop, read)


def _stream(
    model: Model, prompt: Tensor, new_tokens: int, settings: Settings, cache: bool, rows: Sequence[int],
    stop: int | None, read: Reader | None,
) -> Iterator[Tensor]:  # fmt: skip
    uniform, penalized = Streams(settings.seed, rows, prompt), settings.repetition_penalty != 1
    ended = torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    text, tokens = prompt, prompt
    with evaluating(model):
        read = read or reader(model, len(prompt), cache)
    for _ in range(new_tokens):
        with evaluating(model), torch.inference_mode():  # left at each yield: the caller's code runs in the caller's modes
            chosen = choose(read(tokens), settings, uniform(), text if penalized else None)  # (B,)
            if stop is not None:
                chosen = chosen.masked_fill(ended, stop)
                ended |= chosen == stop
            tokens = chosen[:, None]
            if penalized:
                text = torch.cat([text, tokens], 1)
        yield chosen.clone()
        if stop is not None and bool(ended.all()):
            return


def generate(
    model: Model,
    prompt: Tensor,
    new_tokens: int,
    *,
    settings: Settings | None = None,
    cache: bool = True,
    on_token: Callable[[Tensor], None] | None = None,
    rows: Sequence[int] | None = None,
    stop: int | None = None,
    read: Reader | None = None,
) -> Tensor:
    """prompt (B, T) or (T,) -> tokens (B, T + new), new = new_tokens, or fewer where every row has met `stop`.

    on_token is given the (B,) tokens of each step. The rest as for `stream`.
    """
    parts = [prompt[None] if prompt.ndim == 1 else prompt]
    for chosen in stream(model, prompt, new_tokens, settings=settings, cache=cache, rows=rows, stop=stop, read=read):
        parts.append(chosen[:, None])
        if on_token is not None:
            on_token(chosen)
    return torch.cat(parts, 1)


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """A model in eval mode, and then in the mode that it was in."""
    training = isinstance(model, nn.Module) and model.training
    if training:
        cast(nn.Module, model).eval()
    try:
        yield
    finally:
        if training:
            cast(nn.Module, model).train()
