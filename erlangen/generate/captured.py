"""Texts from a GPU: reading a token and choosing the next one are one captured step, and the host only reads along.

    step:  logits = model(token);  token = select(logits, u);  position += 1

A launch takes the host some microseconds and a step of a GPT has hundreds of them, more than the GPU needs for the arithmetic: so
the step is captured as a CUDA graph and replayed (erlangen.generate.replay). The next steps begin before the host has seen the
token of this one; at the end of a text, at most `AHEAD` steps were in vain. Random numbers are those of the plain loop: row i
draws from its own stream on the host, `DRAWN` numbers at a time, so texts are the plain loop's up to rounding of the logits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from torch import Tensor

from erlangen.errors import ErlangenError
from erlangen.generate.decode import DRAWN, Streams
from erlangen.generate.filters import NOT_FINITE
from erlangen.generate.fused import fused_step
from erlangen.generate.ngrams import WrittenText, nothing_left, removable, repeated_ngrams
from erlangen.generate.replay import Capture, HostCopies, Replays, capture_for, on_device
from erlangen.generate.selection import select
from erlangen.generate.settings import Settings
from erlangen.generate.static import StaticReader
from erlangen.models.gpt import GPT

DAMAGED, STUCK = -1, -2  # in the place of a token: its logits are not finite; every token would repeat an n-gram
AHEAD = 2  # steps that a GPU may begin before the host has seen the token of the first


class CapturedDecoder:
    """A `Reader` and `Chooser` (erlangen.generate.decode) for `batch` texts.

    The weights are cast to `dtype` once: make another decoder if they change. The residual stream stays in float32. capture: by
    default that of the model's device. fused: whether a step runs by the kernels of erlangen.generate.fused; None where they can.
    """

    def __init__(
        self, model: GPT, batch: int, dtype: torch.dtype, capture: Capture | None = None, fused: bool | None = None
    ) -> None:
        self.device, self.vocabulary = model.embed.weight.device, model.config.vocabulary
        self.settings: Settings | None = None  # of the captures
        self.stop: int | None = None
        with on_device(self.device), torch.inference_mode():
            self.reader = StaticReader(model, batch, dtype)
            self.fused = fused_step(self.reader, fused)
            self.token = torch.zeros(batch, dtype=torch.int64, device=self.device)
            self.shown = torch.zeros_like(self.token)  # the token, or DAMAGED or STUCK
            self.uniform = torch.zeros(batch, dtype=torch.float64, device=self.device)
            self.ended = torch.zeros(batch, dtype=torch.bool, device=self.device)
            self.seen: Tensor | None = None  # (B, vocabulary), tokens that occurred before, if they are penalized
            self.text = torch.zeros(batch, model.config.block, dtype=torch.int64, device=self.device)  # by position
            self.written = WrittenText(batch, self.device)  # all of the text, if its n-grams must not be repeated
            self.ahead = AHEAD if self.device.type == "cuda" else 0
            self.copies = HostCopies(self.shown, self.ahead)
            self.capture, self.replays = capture, Replays(None)  # `begin` sets it

    def __call__(self, tokens: Tensor) -> Tensor:
        """Tokens (B, T) that follow those already read -> logits (B, vocabulary) of the next token."""
        with on_device(self.device):
            return self.reader(tokens.to(self.device))

    def reset(self) -> None:
        """Forget what was read; the next call begins a new text."""
        with on_device(self.device), torch.inference_mode():
            self.reader.reset()

    def choose(
        self, prompt: Tensor, new_tokens: int, settings: Settings, rows: Sequence[int], stop: int | None
    ) -> Iterator[Tensor]:
        """The tokens (B,) of each step, on the device of the prompt (B, T), as `erlangen.generate.decode.stream` has them.

        A prompt on the CPU is best: then nothing waits for the device but for the tokens themselves. Raises ValueError for a
        prompt of another batch size, and ErlangenError as `stream` does.
        """
        if len(prompt) != len(self.token):
            raise ValueError(f"this decoder is for {len(self.token)} texts at a time, but the prompt has {len(prompt)} rows")
        streams, ended = Streams(settings.seed, rows, prompt), torch.zeros(len(prompt), dtype=torch.bool, device="cpu")
        begun, pending = 0, deque[Callable[[], Tensor]]()
        while begun < new_tokens or pending:
            with on_device(self.device), torch.inference_mode():
                while begun < new_tokens and len(pending) <= self.ahead:
                    if begun == 0:
                        self.begin(prompt, settings, stop)
                    self.draw(streams, begun)
                    pending.append(self.advance(begun))
                    begun += 1
            chosen = pending.popleft()().clone()
            if bool((chosen == DAMAGED).any()):
                raise ErlangenError(NOT_FINITE)
            if settings.no_repeat_ngram_size is not None and bool((chosen == STUCK).any()):
                raise nothing_left(settings.no_repeat_ngram_size)
            yield chosen.to(prompt.device)
            if stop is not None:
                ended |= chosen == stop
                if bool(ended.all()):
                    return

    def begin(self, prompt: Tensor, settings: Settings, stop: int | None) -> None:
        """Forget the last text, and its captures if they chose by other rules; read the prompt's part for the device."""
        rules = replace(settings, seed=0)
        if (self.settings, self.stop) != (rules, stop):
            if self.device.type == "cuda":
                torch.cuda.synchronize()  # a replay may still be running
            self.replays = Replays(self.capture or capture_for(self.device))
            self.settings, self.stop = rules, stop
        self.reset()
        self.ended.zero_()
        self.prompt = prompt.to(self.device)
        if settings.repetition_penalty != 1:
            if self.seen is None:
                self.seen = torch.zeros(len(prompt), self.vocabulary, dtype=torch.bool, device=self.device)
            self.seen.zero_().scatter_(1, self.prompt, True)
        if settings.no_repeat_ngram_size is not None:
            self.written.begin(self.prompt)

    def draw(self, streams: Streams, number: int) -> None:
        """Move the random numbers of step `number` to their place, from the device, where they are brought in helpings."""
        if cast(Settings, self.settings).temperature == 0:
            return
        if number % DRAWN == 0:
            numbers = streams.ahead()
            self.numbers = numbers.pin_memory().to(self.device, non_blocking=True) if self.copies.cuda else numbers
        self.uniform.copy_(self.numbers[number % DRAWN])

    def advance(self, number: int) -> Callable[[], Tensor]:
        """Begin step `number`; returns the function that fetches its tokens."""
        cache, block = self.reader.cache, self.reader.block
        if cast(Settings, self.settings).no_repeat_ngram_size is not None:
            self.written.make_room(self.prompt.shape[1] + number + 1)
        if number == 0:
            self.read(self.prompt[:, -block:])
        elif self.reader.hops and cache.length == block:
            kept = max(block // 2, 1)
            self.read(torch.cat([self.text[:, block - kept + 1 :], self.token[:, None]], 1))
        elif cache.length == self.reader.turn:
            self.read(torch.cat([self.text[:, : cache.length], self.token[:, None]], 1))
        else:
            self.replays(*self.next_step())
            cache.length += 1
        return self.copies.send(self.shown)

    def read(self, tokens: Tensor) -> None:
        """Read the tokens (B, T) that a text begins with, or begins again with after a hop, and choose the next."""
        self.text[:, : tokens.shape[1]] = tokens
        self.pick(self.reader.read(tokens))

    def next_step(self) -> tuple[Hashable, Callable[[], None]]:
        """The next step and its key: the number of slots that it reads, where a fused step reads those in use, and the room for
        the text.
        """
        if self.fused is not None:
            return ("fused", self.written.room), partial(self.step, self.fused)
        n = self.reader.reach()
        return (n, self.written.room), partial(self.step, partial(self.reader.step, n=n))

    def step(self, read: Callable[[Tensor], Tensor]) -> None:
        """Read the last token and choose the next. This is what is captured."""
        if self.reader.hops or self.reader.turn is not None:
            self.text.index_copy_(1, self.reader.cache.slot(), self.token[:, None])
        self.pick(read(self.token))

    def pick(self, logits: Tensor) -> None:
        """Choose the next token from logits (B, vocabulary); rows that have ended repeat the stop token."""
        rules = cast(Settings, self.settings)
        seen = self.seen if rules.repetition_penalty != 1 else None
        banned, lost = None, self.ended
        if rules.no_repeat_ngram_size is not None:
            repeated = repeated_ngrams(self.written.tokens, rules.no_repeat_ngram_size, self.vocabulary, self.written.length)
            banned, stuck = removable(repeated)
            lost = stuck & ~self.ended
        chosen, best = select(logits, rules, self.uniform, seen, banned)
        if self.stop is not None:
            chosen = chosen.masked_fill(self.ended, self.stop)
            self.ended.logical_or_(chosen == self.stop)
        chosen = chosen.clamp_max(self.vocabulary - 1)  # beyond it if the logits are not finite
        if seen is not None:
            seen.scatter_(1, chosen[:, None], True)
        if banned is not None:
            self.written.append(chosen)
        self.token.copy_(chosen)
        if banned is not None:
            chosen = chosen.masked_fill(lost, STUCK)
        self.shown.copy_(chosen.masked_fill(best - best != 0, DAMAGED))  # inf - inf and NaN are not 0
