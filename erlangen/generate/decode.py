"""The generation loop: read tokens, choose the next one, read it.

    t_{n+1} ~ p(· | t_1 ... t_n),   where the model reads only the last `block` tokens

A *reader* takes tokens (B, T) that follow those it has already read, and returns the logits (B, V) of the next token:

Recomputing   reads the last `block` tokens again at every step. Works with any callable model; O(T²) products for T tokens.
Cached        keeps keys and values in a ring (erlangen.nn.cache); O(T). Up to `block` tokens both give the same result. Beyond:
              rotary, ALiBi, none   the ring slides. With two or more layers this is not the same as cropping the text: the cached
                                    keys and values still carry information from tokens that have left the window.
              absolute              positions cannot slide: the older half of the block is dropped and the newer half is read
                                    again, in hops of block / 2 tokens. A token is read twice on average, and sees between
                                    block / 2 and block tokens.

Two scalings of rotary positions depend on the length of the text. longrope: when the text grows past the trained length, all of
it is read again, once, with the other frequencies. dynamic: past the trained length, every token changes the frequencies; cached
keys keep those with which they were read, as in transformers, so that the result differs from recomputation.

Only the last `block` tokens of a longer prompt are read.

Randomness: row i draws from its own stream, seeded by (seed, i, its prompt). Sample i of a prompt is therefore the same text
alone and in a batch, up to rounding of the logits, since a batch may add numbers in another order. Prompts of unequal length are
padded on the left, which changes no text either, as long as padding and text together are no longer than `block`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.generate.filters import PADDING, choose
from erlangen.generate.left_padding import check_left
from erlangen.generate.settings import Settings

Model = Callable[..., Tensor]
DRAWN = 128  # numbers drawn from each stream at a time


class Reader(Protocol):
    """Tokens (B, T) that follow those already read -> logits (B, V) of the next token."""

    def __call__(self, tokens: Tensor) -> Tensor: ...


@runtime_checkable
class Chooser(Protocol):
    """A reader that also chooses the tokens, where the model is, for example in a captured step of a GPU."""

    def choose(
        self, prompt: Tensor, new_tokens: int, settings: Settings, rows: Sequence[int], stop: int | None
    ) -> Iterator[Tensor]:
        """The tokens (B,) of each step, with the meaning of `stream`."""
        ...


class Recomputing:
    """A reader that reads the whole text again at every step. block: most tokens that the model can read; None for any number.

    mask (B, T): of the first tokens, 0 for padding; the model then takes `attention_mask`.
    """

    def __init__(self, model: Model, block: int | None, mask: Tensor | None = None) -> None:
        self.model, self.block, self.mask = model, block, mask
        self.tokens: Tensor | None = None  # the last `block`

    def __call__(self, tokens: Tensor) -> Tensor:
        self.mask = _extended(self.mask, self.tokens, tokens)
        self.tokens = _joined(self.tokens, tokens, self.block)
        if self.mask is None:
            return self.model(self.tokens)[:, -1]
        return self.model(self.tokens, attention_mask=self.mask[:, -self.tokens.shape[1] :])[:, -1]


class Cached:
    """A reader for `batch` texts that reads each token once, or twice if positions are absolute.

    model: a GPT, or a module with the same `config`, `cache`, `states` and `unembed`. cache: the memory of a subclass that has
    its own `_read`, with a `length` and `reset`. mask (B, T): of the first tokens, 0 for padding.
    """

    def __init__(self, model: nn.Module, batch: int, cache: Any = None, mask: Tensor | None = None) -> None:
        self.model, config = cast(Any, model), cast(Any, model).config
        self.block: int = config.block
        self.hops = config.positions == "absolute"
        self.turn = turning_length(config)
        self.cache = self.model.cache(batch) if cache is None else cache
        self.tokens: Tensor | None = None  # the last `block` tokens, if they may have to be read again
        self.mask, self.begun = mask, False

    def __call__(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] > 1 and not self.hops and 0 < self.cache.length > self.block - tokens.shape[1]:
            return [self(tokens[:, i : i + 1]) for i in range(tokens.shape[1])][-1]  # the ring slides a token at a time
        self.mask = _extended(self.mask, tokens if self.begun else None, tokens)
        self.begun = True
        if self.hops or self.turn is not None:
            self.tokens = _joined(self.tokens, tokens, self.block)
            if self.hops and self.cache.length + tokens.shape[1] > self.block:
                self.cache.reset()
                kept = self.block if tokens.shape[1] >= self.block else max(self.block // 2, tokens.shape[1])
                return self._read(self.tokens[:, -kept:])
            if self._turns(tokens.shape[1]):
                self.cache.reset()
                return self._read(self.tokens)
        if self.cache.length == 0:
            return self._read(tokens[:, -self.block :])
        return self._read(tokens)

    def _turns(self, new: int) -> bool:
        """Whether a text grows past `turn` with so many new tokens, which `mask` has already."""
        cached: int = self.cache.length
        if self.turn is None or cached == 0:
            return False
        if self.mask is None:
            return cached <= self.turn < cached + new
        lengths = (self.mask != 0).sum(1)
        return bool(((lengths > self.turn) & (lengths - new <= self.turn)).any())

    def reset(self) -> None:
        """Forget what was read; the next call begins a new text."""
        self.cache.reset()
        self.tokens = self.mask = None
        self.begun = False

    def _read(self, tokens: Tensor) -> Tensor:
        mask = {} if self.mask is None else {"attention_mask": self.mask[:, -self.cache.length - tokens.shape[1] :]}
        return cast(Tensor, self.model.unembed(self.model.states(tokens, self.cache, **mask)[-1][:, -1]))


def turning_length(config: Any) -> int | None:
    """The tokens up to which longrope has other frequencies than beyond; None if there are none beyond in a block."""
    if config.positions != "rotary" or config.rotary.scaling != "longrope":
        return None
    trained: int = config.rotary.original_max_position_embeddings
    return trained if trained < config.block else None


def _joined(before: Tensor | None, tokens: Tensor, block: int | None) -> Tensor:
    tokens = tokens if before is None else torch.cat([before, tokens], 1)
    return tokens if block is None else tokens[:, -block:]


def _extended(mask: Tensor | None, before: Tensor | None, tokens: Tensor) -> Tensor | None:
    """The mask of all tokens, the new ones included; it has that of the first tokens (before None) already."""
    return mask if mask is None or before is None else torch.cat([mask, mask.new_ones(tokens.shape)], 1)


class Streams:
    """Random numbers in [0, 1): (B,) float64 per call, number r from the stream seeded by (seed, rows[r], prompt[r]).

    mask: that of the prompt; padding is no part of it.
    """

    def __init__(self, seed: int, rows: Sequence[int], prompt: Tensor, mask: Tensor | None = None) -> None:
        texts = prompt.tolist() if mask is None else [text[seen != 0].tolist() for text, seen in zip(prompt, mask, strict=True)]
        self.streams = [np.random.default_rng([seed, row, *text]) for row, text in zip(rows, texts, strict=True)]
        self.numbers: list[Tensor] = []

    def __call__(self) -> Tensor:
        if not self.numbers:
            self.numbers = list(self.ahead().unbind(0))[::-1]
        return self.numbers.pop()

    def ahead(self) -> Tensor:
        """The next numbers of each stream, (DRAWN, B), as `DRAWN` calls would return them."""
        return torch.from_numpy(np.stack([stream.random(DRAWN) for stream in self.streams], 1))


def reader(model: Model, batch: int, cache: bool = True, mask: Tensor | None = None) -> Reader:
    """A reader for a model: with a cache if `cache` is true and the model has one. mask (B, T): of the prompt, 0 for padding."""
    if cache and isinstance(model, nn.Module) and hasattr(model, "cache"):
        return Cached(model, batch, mask=mask)
    return Recomputing(model, getattr(getattr(model, "config", None), "block", None), mask)


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
    attention_mask: Tensor | None = None,
) -> Iterator[Tensor]:
    """Yield the next tokens of prompt (B, T) or (T,) one step at a time, each (B,) int64.

    rows: the sample number of each row, by default 0 ... B - 1; rows=[7] makes only sample 7. stop: a token that ends a text; its
    row then repeats this token, and the stream ends when all rows have. read: another reader, for example from
    `erlangen.generate.fast`, that has not read anything yet; a `Chooser` also chooses the tokens. attention_mask (B, T): 0 for
    padding on the left of shorter prompts (`left_padded`); not with `read`.
    The model is in eval mode while it runs and then returns to its previous mode, even if the stream is left early.
    Raises ValueError for an empty prompt, if the number of rows is not B, or if padding is not on the left, and ErlangenError for
    logits that are not finite and for a text that cannot continue without repeating an n-gram.
    """
    prompt = prompt[None] if prompt.ndim == 1 else prompt
    if prompt.ndim != 2 or not prompt.numel():
        raise ValueError(f"prompt: the shape must be (B, T) or (T,) with at least one token, but is {tuple(prompt.shape)}")
    rows = range(len(prompt)) if rows is None else rows
    if len(rows) != len(prompt):
        raise ValueError(f"rows: there are {len(rows)} sample numbers for a batch of {len(prompt)}: give one per row")
    if attention_mask is not None:
        attention_mask = (attention_mask[None] if attention_mask.ndim == 1 else attention_mask).to(prompt.device)
        check_left(attention_mask, prompt)
        if read is not None:
            raise ValueError("attention_mask: only the model itself reads padded prompts: leave `read` out")
    if isinstance(read, Chooser):
        return read.choose(prompt, new_tokens, settings or Settings(), rows, stop)
    return _stream(model, prompt, new_tokens, settings or Settings(), cache, rows, stop, read, attention_mask)


def _stream(
    model: Model, prompt: Tensor, new_tokens: int, settings: Settings, cache: bool, rows: Sequence[int],
    stop: int | None, read: Reader | None, mask: Tensor | None,
) -> Iterator[Tensor]:  # fmt: skip
    uniform, remembers = Streams(settings.seed, rows, prompt, mask), settings.needs_text
    ended = torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    tokens = prompt
    text = prompt if mask is None else prompt.masked_fill(mask == 0, PADDING)
    with evaluating(model):
        read = read or reader(model, len(prompt), cache, mask)
    for _ in range(new_tokens):
        with evaluating(model), torch.inference_mode():  # left at each yield, so that the caller's code runs in its own modes
            chosen = choose(read(tokens), settings, uniform(), text if remembers else None, ended)  # (B,)
            if stop is not None:
                chosen = chosen.masked_fill(ended, stop)
                ended |= chosen == stop
            tokens = chosen[:, None]
            if remembers:
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
    attention_mask: Tensor | None = None,
) -> Tensor:
    """prompt (B, T) or (T,) -> tokens (B, T + new); new is new_tokens, or less if every row has reached `stop`.

    on_token: called with the (B,) tokens of each step. For the other arguments see `stream`.
    """
    parts = [prompt[None] if prompt.ndim == 1 else prompt]
    steps = stream(
        model, prompt, new_tokens, settings=settings, cache=cache, rows=rows, stop=stop, read=read, attention_mask=attention_mask
    )
    for chosen in steps:
        parts.append(chosen[:, None])
        if on_token is not None:
            on_token(chosen)
    return torch.cat(parts, 1)


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """A context in which the model is in eval mode; afterwards it returns to its previous mode."""
    training = isinstance(model, nn.Module) and model.training
    if training:
        cast(nn.Module, model).eval()
    try:
        yield
    finally:
        if training:
            cast(nn.Module, model).train()
