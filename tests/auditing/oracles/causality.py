"""Models that see the future, or only how long it is, and their twins: texts (B, T), decoders and series (B, 2, 24)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from auditing.oracles.case import BROKEN, EXACT, UNMEASURED, Case, served
from auditing.oracles.series import waves
from auditing.oracles.texts import VOCABULARY, Attention, D, Sees, everyone, past, sentences
from torch import Tensor, nn
from torch.nn import functional

from erlangen.symmetries.text import Text

END, PAD = 2, 1


class Changed(nn.Module):
    """Causal attention, then a function of its answers (B, T, 5) and of the ids (B, T)."""

    def __init__(self, change: Callable[[Tensor, Tensor], Tensor], sees: Sees = past):
        super().__init__()
        self.inner, self.change = Attention(sees, 1), change

    def forward(self, ids: Tensor) -> Tensor:
        return self.change(self.inner(ids), ids)


class Mixed(nn.Module):
    """Embedded tokens (B, T, D) mixed by a function, and answers to each."""

    def __init__(self, mix: Callable[[Tensor], Tensor]):
        super().__init__()
        self.tokens, self.head, self.mix = nn.Embedding(VOCABULARY, D), nn.Linear(D, 5), mix

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.mix(self.tokens(ids)).tanh())


class Rotated(Attention):
    """Rotary positions, at a rate that the length of the text decides or not."""

    def __init__(self, dynamic: bool):
        super().__init__(past, 1, "rotary")
        self.dynamic = dynamic

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None) -> Tensor:
        slower = 4 if self.dynamic and ids.shape[1] > 6 else 1
        positions = place(ids) - 1 if position_ids is None else position_ids
        return super().forward(ids, attention_mask, positions // slower)


class OwnPadding(Attention):
    """Position ids are counted from the ids that are not its padding, as in MPNet and RoBERTa."""

    def __init__(self) -> None:
        super().__init__(everyone, 1, "absolute")

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        real = ids != PAD
        return super().forward(ids, real.long(), (real.cumsum(1) * real).clamp(max=39))


class OneLength(nn.Module):
    """Takes texts of seven tokens alone, as an exported graph does; its weights are those of seven positions."""

    def __init__(self, upper: bool):
        super().__init__()
        self.tokens, self.head = nn.Embedding(VOCABULARY, D), nn.Linear(D, 5)
        weight = torch.randn(7, 7)
        self.weight = nn.Parameter(weight if upper else weight.tril())

    def forward(self, ids: Tensor) -> Tensor:
        if ids.shape[1] != 7:
            raise ValueError("this model takes seven tokens")
        return self.head((self.weight @ self.tokens(ids)).tanh())


class Decoder(nn.Module):
    """Attention to what was decoded before, or to all of it, and to the mean of the encoder's input."""

    def __init__(self, sees: Sees):
        super().__init__()
        self.encode, self.decode = nn.Embedding(VOCABULARY, 5), Attention(sees, 1)

    def forward(self, input_ids: Tensor, decoder_input_ids: Tensor, decoder_attention_mask: Tensor | None = None) -> Tensor:
        memory = self.encode(input_ids).mean(1, keepdim=True)  # (B, 1, 5)
        return (self.decode(decoder_input_ids, decoder_attention_mask) * (1 + memory)).tanh() + memory


def texts(length: int, n: int = 16, **tokens: Any) -> Callable[[int, torch.dtype], list[Text]]:
    """Without padding and end tokens."""

    def make(seed: int, dtype: torch.dtype) -> list[Text]:
        rng = torch.Generator().manual_seed(7000 + seed)
        return [Text(torch.randint(3, VOCABULARY, (length,), generator=rng), VOCABULARY, **tokens) for _ in range(n)]

    return make


def pairs(seed: int, dtype: torch.dtype) -> list[Text]:
    """Texts with what stands before a decoder: another text of four tokens."""
    rng = torch.Generator().manual_seed(8000 + seed)
    memories = torch.randint(VOCABULARY, (16, 4), generator=rng)
    return [replace(text, fixed={"input_ids": memories[i]}) for i, text in enumerate(sentences(seed, dtype))]


def scaled(size: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    """Answers times a number that `size` makes of the ids, (B,) or (B, T)."""
    return lambda: Changed(lambda y, ids: y * (1 + size(ids)).to(y.dtype).reshape(len(ids), -1, 1))


def length(ids: Tensor) -> Tensor:
    return torch.full_like(ids[:, 0], ids.shape[1]).double().log()


def place(ids: Tensor) -> Tensor:
    return torch.arange(1, ids.shape[1] + 1, device=ids.device).expand(len(ids), -1)


def count(token: int) -> Callable[[Tensor], Tensor]:
    return lambda ids: (ids == token).sum(1)


def count_so_far(token: int) -> Callable[[Tensor], Tensor]:
    return lambda ids: (ids == token).cumsum(1)


def blocks(i: Tensor, j: Tensor) -> Tensor:
    return i // 4 >= j // 4


def past_blocks(i: Tensor, j: Tensor) -> Tensor:
    return (i // 4 == j // 4) & (j <= i)


def prefix(i: Tensor, j: Tensor) -> Tensor:
    return (j <= i) | (j < 3)


def recent(i: Tensor, j: Tensor) -> Tensor:
    return (j <= i) & (i - j < 3)


def position_40_sees_41(i: Tensor, j: Tensor) -> Tensor:
    return (j <= i) | ((i == 40) & (j == 41))


def short_sees_all(i: Tensor, j: Tensor) -> Tensor:
    return (j <= i) | (len(i) < 4)


def halves(h: Tensor) -> Tensor:
    """Two tokens share a value, their mean: the first sees the second."""
    even = functional.pad(h, (0, 0, 0, h.shape[1] % 2))
    return even.unflatten(1, (-1, 2)).mean(2).repeat_interleave(2, 1)[:, : h.shape[1]]


def halves_before(h: Tensor) -> Tensor:
    """The same of the pair before."""
    return functional.pad(halves(h), (0, 0, 2, 0))[:, : h.shape[1]]


def if_odd(h: Tensor) -> Tensor:
    return h.cumsum(1) + (h.mean(1, keepdim=True) if h.shape[1] % 2 else 0)


def from_the_end(h: Tensor) -> Tensor:
    return h + torch.arange(h.shape[1], 0, -1, dtype=h.dtype, device=h.device)[:, None]


def from_the_start(h: Tensor) -> Tensor:
    return h + torch.arange(h.shape[1], dtype=h.dtype, device=h.device)[:, None]


def share_of_the_way(h: Tensor) -> Tensor:
    return h + torch.linspace(0, 1, h.shape[1], dtype=h.dtype, device=h.device)[:, None]


def text(name: str, make: Callable[[], nn.Module], expected: str, **more: Any) -> Case:
    return Case(
        name=f"causality: {name}",
        domain="texts",
        build=lambda dtype: served(make(), dtype),
        expected={"causality": expected},
        **{"inputs": sentences, **more},
    )


TEXTS = [
    # How long the text is, in a scale or in a place counted from the end: replaced tokens do not show it, cut ones do.
    text("scaled by the length", scaled(length), BROKEN),
    text("scaled by the place", scaled(lambda ids: place(ids).double().log()), EXACT),
    text("length as a feature", lambda: Changed(lambda y, ids: y + ids.shape[1] / 100), BROKEN),
    text("places from the end", lambda: Mixed(from_the_end), BROKEN),
    text("places from the start", lambda: Mixed(from_the_start), EXACT),
    text("share of the way", lambda: Mixed(share_of_the_way), BROKEN),
    text("divided by the length", lambda: Mixed(lambda h: h.cumsum(1) / h.shape[1]), BROKEN),
    text("divided by the place", lambda: Mixed(lambda h: h.cumsum(1) / place(h[..., 0])[..., None]), EXACT),
    text("rotary, slower in long texts", lambda: Rotated(True), BROKEN),
    text("rotary", lambda: Rotated(False), EXACT),
    text("all of a short text", lambda: Attention(short_sees_all, 1), BROKEN),
    text("a mean in odd texts", lambda: Mixed(if_odd), BROKEN, inputs=texts(8)),
    # Padding and end tokens, counted over all of the text or up to each token.
    text("padding counted", scaled(count(0)), BROKEN, inputs=texts(8)),
    text("padding counted so far", scaled(count_so_far(0)), EXACT, inputs=texts(8)),
    text("own padding counted", scaled(count(PAD)), BROKEN, inputs=texts(8, padding=PAD)),
    text("ends counted", scaled(count(END)), BROKEN, inputs=texts(8, end=END)),
    text("ends counted so far", scaled(count_so_far(END)), EXACT, inputs=texts(8, end=END)),
    text("ends with an end", scaled(lambda ids: ids[:, -1] == END), BROKEN, inputs=texts(8, end=END)),
    text("starts with an end", scaled(lambda ids: ids[:, 0] == END), EXACT, inputs=texts(8, end=END)),
    # One leak among many places: only a cut just there shows it.
    text("one leak of 64", lambda: Attention(position_40_sees_41, 1), BROKEN, inputs=texts(64, 8)),
    text("no leak of 64", lambda: Attention(past, 1), EXACT, inputs=texts(64, 8)),
    # Who sees whom.
    text("whole blocks", lambda: Attention(blocks, 1), BROKEN),
    text("past in blocks", lambda: Attention(past_blocks), EXACT),
    text("a prefix seen by all", lambda: Attention(prefix, 1), BROKEN),
    text("the last three", lambda: Attention(recent), EXACT),
    text("means of two", lambda: Mixed(halves), BROKEN),
    text("means of the two before", lambda: Mixed(halves_before), EXACT),
    text("the maximum", lambda: Mixed(lambda h: h + h.amax(1, keepdim=True)), BROKEN),
    text("the maximum so far", lambda: Mixed(lambda h: h + h.cummax(1).values), EXACT),
    text("the last token", lambda: Mixed(lambda h: h + h[:, -1:]), BROKEN),
    text("the first token", lambda: Mixed(lambda h: h + h[:, :1]), EXACT),
    text("reversed", lambda: Mixed(lambda h: h.flip(1)), BROKEN),
    text("one later", lambda: Mixed(lambda h: functional.pad(h, (0, 0, 1, 0))[:, :-1]), EXACT),
    text("rolled by one", lambda: Mixed(lambda h: h.roll(1, 1)), BROKEN),
    # Of a single length: what it refuses is no leak, and a leak is found without it.
    text("seven tokens alone", lambda: OneLength(False), EXACT, inputs=texts(7)),
    text("seven tokens alone, all seen", lambda: OneLength(True), BROKEN, inputs=texts(7)),
    # Behind an encoder, whose input stays.
    text("decoder", lambda: Decoder(past), EXACT, inputs=pairs),
    text("decoder without a mask", lambda: Decoder(everyone), BROKEN, inputs=pairs),
    # The padding that is put before a text must be the model's own.
    Case(
        name="causality: own padding",
        domain="texts",
        build=lambda dtype: served(OwnPadding(), dtype),
        inputs=texts(8, padding=PAD),
        expected={"left-padding": EXACT},
    ),
    Case(
        name="causality: foreign padding",
        domain="texts",
        build=lambda dtype: served(OwnPadding(), dtype),
        inputs=texts(8),
        expected={"left-padding": BROKEN},
    ),
]


class Layers(nn.Module):
    """Convolutions (left, right, dilation), zeros around them, and functions between."""

    def __init__(self, *steps: Callable[[Tensor], Tensor]):
        super().__init__()
        self.steps = steps
        self.parts = nn.ModuleList(step for step in steps if isinstance(step, nn.Module))

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = step(x)
        return x


def conv(into: int, left: int, right: int = 0, dilation: int = 1) -> nn.Module:
    kernel = (left + right) // dilation + 1
    return Layers(nn.ConstantPad1d((left, right), 0.0), nn.Conv1d(into, 4, kernel, dilation=dilation), nn.SiLU())


def instance_norm(h: Tensor) -> Tensor:
    return (h - h.mean(-1, keepdim=True)) / h.std(-1, keepdim=True)


def norm_so_far(h: Tensor) -> Tensor:
    n = torch.arange(1, h.shape[-1] + 1, dtype=h.dtype, device=h.device)
    mean = h.cumsum(-1) / n
    return (h - mean) / (1 + (h.square().cumsum(-1) / n - mean.square()).clamp(min=0)).sqrt()


def slow_waves(x: Tensor) -> Tensor:
    waves = torch.fft.rfft(x.double())  # there is no transform in bfloat16
    return torch.fft.irfft(waves * torch.linspace(1, 0, waves.shape[-1], device=x.device), n=x.shape[-1]).to(x.dtype)


class Recurrent(nn.Module):
    def __init__(self, both: bool):
        super().__init__()
        self.read = nn.GRU(2, 5, batch_first=True, bidirectional=both)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(x.mT)[0].mT


class Steps(nn.Module):
    """A matrix over 24 steps, which takes no other number of them."""

    def __init__(self, upper: bool):
        super().__init__()
        weight = torch.randn(24, 24) / 3
        self.weight = nn.Parameter(weight if upper else weight.triu())

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.weight).tanh()


def series(name: str, make: Callable[[], nn.Module], expected: str, **more: Any) -> Case:
    return Case(
        name=f"causality: series, {name}",
        domain="series",
        build=lambda dtype: served(make(), dtype),
        expected={"causality": expected},
        **{"inputs": waves, **more},
    )


SERIES = [
    series("padded on the left", lambda: Layers(conv(2, 2), conv(4, 2)), EXACT),
    series("padded on both sides", lambda: Layers(conv(2, 1, 1), conv(4, 1, 1)), BROKEN),
    series("dilated", lambda: Layers(conv(2, 2), conv(4, 4, dilation=2), conv(4, 8, dilation=4)), EXACT),
    series("dilated, one short", lambda: Layers(conv(2, 2), conv(4, 3, 1, dilation=2), conv(4, 8, dilation=4)), BROKEN),
    series("normalized over time", lambda: Layers(conv(2, 2), instance_norm), BROKEN),
    series("normalized so far", lambda: Layers(conv(2, 2), norm_so_far), EXACT),
    series("recurrent", lambda: Recurrent(False), EXACT),
    series("recurrent both ways", lambda: Recurrent(True), BROKEN),
    series("scaled by the length", lambda: Layers(conv(2, 2), lambda h: h / h.shape[-1]), BROKEN),
    series("silence counted", lambda: Layers(lambda x: x * (1 + (x == 0).sum((1, 2), keepdim=True)), conv(2, 2)), BROKEN),
    series("24 steps alone", lambda: Steps(False), EXACT),
    series("24 steps alone, all seen", lambda: Steps(True), BROKEN),
    series("steps first", lambda: Layers(conv(2, 2), lambda h: h.mT), EXACT),
    series("steps first, both sides", lambda: Layers(conv(2, 1, 1), lambda h: h.mT), BROKEN),
    series("the loudest", lambda: Layers(conv(2, 2), lambda h: h / h.abs().amax(-1, keepdim=True)), BROKEN),
    series("one step later", lambda: Layers(lambda x: functional.pad(x, (1, 0))[..., :-1], conv(2, 2)), EXACT),
    series("wrapped around", lambda: Layers(lambda x: x.roll(1, -1), conv(2, 2)), BROKEN),
    series("slow waves alone", lambda: Layers(slow_waves, conv(2, 2)), BROKEN),
    series("a vector", lambda: Layers(conv(2, 2), lambda h: h.mean(-1)), UNMEASURED),
]

CASES = [*TEXTS, *SERIES]
