"""Models of texts (B, T) with an answer a position (B, T, 5), or one a text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from auditing.oracles.case import BROKEN, EXACT, UNMEASURED, Case, served
from torch import Tensor, nn
from torch.nn import functional

from erlangen.symmetries.prefix_shift import PositionShift
from erlangen.symmetries.symmetry import Symmetry
from erlangen.symmetries.text import Text

VOCABULARY, D = 13, 8
Sees = Callable[[Tensor, Tensor], Tensor]  # (i, j), two index grids -> whether position i sees position j


def sentences(seed: int, dtype: torch.dtype) -> list[Text]:
    """Sixteen of 7 tokens, some of 9."""
    rng = torch.Generator().manual_seed(2000 + seed)
    return [Text(torch.randint(1, VOCABULARY, (9 if k % 4 == 3 else 7,), generator=rng), VOCABULARY) for k in range(16)]


def many(seed: int, dtype: torch.dtype) -> list[Text]:
    return [text for k in range(3) for text in sentences(100 * k + seed, dtype)]


class Attention(nn.Module):
    """Layers of attention over embedded tokens, each with a residual; `sees` says who sees whom.

    where: what a token is told of its place: nothing, `absolute` (a learned vector), `rotary` (turned keys and queries) or
    `distance` (a bias that grows with i - j). counts: what position ids count: real tokens (`mask`) or all (`row`).
    deaf: keys of padding are seen. pool: the mean over positions. gain: size of weights.
    """

    def __init__(
        self,
        sees: Sees,
        depth: int = 2,
        where: str = "",
        counts: str = "mask",
        deaf: bool = False,
        pool: bool = False,
        gain: float = 1.5,
    ):
        super().__init__()
        self.sees, self.where, self.counts, self.deaf, self.pool = sees, where, counts, deaf, pool
        self.tokens, self.places = nn.Embedding(VOCABULARY, D), nn.Embedding(40, D)
        self.layers = nn.ModuleList(nn.Linear(D, 3 * D) for _ in range(depth))
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=gain * D**-0.5)
        self.head = nn.Linear(D, 5)

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None) -> Tensor:
        length = ids.shape[1]
        mask = torch.ones_like(ids) if attention_mask is None else attention_mask
        if position_ids is None:
            counted = mask if self.counts == "mask" else torch.ones_like(mask)
            position_ids = (counted.cumsum(1) - 1).clamp(min=0)
        places = torch.arange(length, device=ids.device)
        i, j = torch.meshgrid(places, places, indexing="ij")
        seen = self.sees(i, j).expand(len(ids), -1, -1)
        if not self.deaf:
            seen = seen & (mask[:, None, :] != 0)
        seen = seen | torch.eye(length, dtype=torch.bool, device=ids.device)  # padding sees itself at least: no row is empty
        h = self.tokens(ids)
        if self.where == "absolute":
            h = h + self.places(position_ids)
        for layer in self.layers:
            q, k, v = layer(h).chunk(3, -1)  # (B, T, D) each
            if self.where == "rotary":
                q, k = rotated(q, position_ids), rotated(k, position_ids)
            scores = q @ k.mT / D**0.5
            if self.where == "distance":
                scores = scores - 0.5 * (position_ids[:, :, None] - position_ids[:, None]).abs()
            h = h + scores.masked_fill(~seen, float("-inf")).softmax(-1) @ v
        return self.head(h.mean(1) if self.pool else h)


def rotated(x: Tensor, position: Tensor) -> Tensor:
    """Pairs of features turned by an angle that grows with the position, each pair at a rate of its own."""
    rates = 10.0 ** -torch.arange(D // 2, dtype=x.dtype, device=x.device)
    angle = position[..., None].to(x.dtype) * rates  # (B, T, D/2)
    u, v = x.chunk(2, -1)
    return torch.cat([u * angle.cos() - v * angle.sin(), u * angle.sin() + v * angle.cos()], -1)


def everyone(i: Tensor, j: Tensor) -> Tensor:
    return torch.ones_like(i, dtype=torch.bool)


def past(i: Tensor, j: Tensor) -> Tensor:
    return j <= i


def off_by_one(i: Tensor, j: Tensor) -> Tensor:
    return j <= i + 1


def third_sees_fourth(i: Tensor, j: Tensor) -> Tensor:
    return (j <= i) | ((i == 3) & (j == 4))


def first_sees_last(i: Tensor, j: Tensor) -> Tensor:
    return (j <= i) | ((i == 0) & (j == j.max()))


def sight(width: int) -> Sees:
    return lambda i, j: (i - j).abs() <= width


class Leaking(nn.Module):
    """A causal model with a little of the mean over all tokens in every answer."""

    def __init__(self, share: float):
        super().__init__()
        self.inner, self.whole, self.share = Attention(past), nn.Embedding(VOCABULARY, 5), share

    def forward(self, ids: Tensor) -> Tensor:
        return self.inner(ids) + self.share * self.whole(ids).mean(1, keepdim=True)


class Tokens(nn.Module):
    """Embedded tokens through plain parts: (B, T, D) -> (B, T, 5) or (B, 5)."""

    def __init__(self, change: Callable[..., Tensor], *parts: nn.Module):
        super().__init__()
        self.change, self.tokens, self.parts = change, nn.Embedding(VOCABULARY, D), nn.ModuleList(parts)

    def forward(self, ids: Tensor) -> Tensor:
        return self.change(self.tokens(ids), *self.parts)


def convolved(left: int, right: int) -> Callable[[], nn.Module]:
    return lambda: Tokens(lambda h, f: f(functional.pad(h.mT, (left, right))).mT, nn.Conv1d(D, 5, left + right + 1))


class Few(Attention):
    """With position vectors for as many positions as the longest text has, and two; they are all alike."""

    def __init__(self) -> None:
        super().__init__(everyone, 1, "absolute")
        self.places = nn.Embedding(11, D)
        nn.init.ones_(self.places.weight)


@dataclass(frozen=True)
class PrefixPermutation(Symmetry):
    """The first and the last but one of the tokens change places, and the text is turned: all but the last token."""

    name: ClassVar[str] = "prefix-permutation"

    def generators(self, x: Text) -> Sequence[int]:
        return (1, 2)

    def elements(self, x: Text, n: int, rng: np.random.Generator) -> Sequence[int]:
        return [k + 1 for k in range(min(n, len(x) - 2))]

    def act(self, x: Text, g: int) -> Text:
        return replace(x, ids=torch.cat([x.ids[:-1].roll(g), x.ids[-1:]]))


def module(make: Callable[[], nn.Module]) -> Callable[[torch.dtype], nn.Module]:
    return lambda dtype: served(make(), dtype)


def function(make: Callable[[], nn.Module]) -> Callable[[torch.dtype], Callable[..., Any]]:
    """The same, and nothing to see but a function."""

    def build(dtype: torch.dtype) -> Callable[..., Any]:
        held = [served(make(), dtype)]
        return lambda ids: held[0](ids)

    return build


def case(name: str, make: Callable[[], nn.Module], expected: dict[str, Any], **more: Any) -> Case:
    more = {"inputs": sentences, "build": module(make), **more}
    return Case(name=f"texts: {name}", domain="texts", expected=expected, **more)


def last(y: Tensor) -> Tensor:
    return y[:, -1]


PERMUTED = {"token-permutation": EXACT}

CASES = [
    # Attention is a sum over a set: rows move along with their tokens, their mean stays; everyone sees the future.
    case("both ways", lambda: Attention(everyone), {**PERMUTED, "causality": BROKEN, "left-padding": EXACT}),
    case("both ways, pooled", lambda: Attention(everyone, pool=True), {**PERMUTED, "causality": UNMEASURED}),
    # What a token sees before it depends on the order, though the model knows no positions.
    case(
        "causal, one layer", lambda: Attention(past, 1), {"causality": EXACT, "token-permutation": BROKEN, "left-padding": EXACT}
    ),
    # The last position of one layer sees a set before it; in two layers that set has itself seen an order.
    case(
        "causal, one layer, last",
        lambda: Attention(past, 1),
        {"prefix-permutation": EXACT, "token-permutation": BROKEN},
        select=last,
        symmetries=(PrefixPermutation(),),
    ),
    case(
        "causal, two layers, last",
        lambda: Attention(past, 2, gain=4),
        {"prefix-permutation": BROKEN},
        inputs=many,
        select=last,
        symmetries=(PrefixPermutation(),),
    ),
    case(
        "causal, two layers", lambda: Attention(past), {"causality": EXACT, "token-permutation": BROKEN, "position-shift": EXACT}
    ),
    # A learned vector for each place is another one k places on; sums of angles and distances depend on differences alone.
    case("absolute", lambda: Attention(everyone, where="absolute"), {"position-shift": BROKEN, "token-permutation": BROKEN}),
    case(
        "rotary",
        lambda: Attention(past, where="rotary"),
        {"position-shift": EXACT, "causality": EXACT, "token-permutation": BROKEN},
    ),
    case(
        "distances",
        lambda: Attention(everyone, where="distance"),
        {"position-shift": EXACT, "token-permutation": BROKEN, "causality": BROKEN},
    ),
    # Positions counted from the mask start at the text. Counted from the row they start at the padding: harmless to differences.
    case(
        "absolute, counted from the mask", lambda: Attention(past, where="absolute"), {"left-padding": EXACT, "causality": EXACT}
    ),
    case(
        "absolute, counted from the row",
        lambda: Attention(past, where="absolute", counts="row"),
        {"left-padding": BROKEN, "causality": EXACT},
    ),
    case(
        "rotary, counted from the row", lambda: Attention(past, where="rotary", counts="row"), {"left-padding": EXACT}, fast=False
    ),
    # Padding that is attended to is read as a word.
    case("deaf to the mask", lambda: Attention(past, deaf=True), {"left-padding": BROKEN}),
    # Leaks, from all to one in a million at every position, and whole ones at a single position.
    case("sees the next token", lambda: Attention(off_by_one, 1), {"causality": BROKEN}),
    case("position 3 sees position 4", lambda: Attention(third_sees_fourth, 1), {"causality": BROKEN}),
    case("the first sees the last", lambda: Attention(first_sees_last, 1), {"causality": BROKEN}),
    case("leaks one in a million", lambda: Leaking(1e-6), {"causality": BROKEN}),
    case("leaks one in 10⁹", lambda: Leaking(1e-9), {"causality": BROKEN}),
    # Of a bare function there is no float64 twin. In float32 one in a million is what rounding does: exact up to the floor, and
    # the audit says in which precision.
    case(
        "function that leaks one in a million",
        lambda: Leaking(1e-6),
        {"causality": BROKEN},
        build=function(lambda: Leaking(1e-6)),
        in_float32={"causality": EXACT},
    ),
    case(
        "function that leaks one in a hundred",
        lambda: Leaking(1e-2),
        {"causality": BROKEN},
        build=function(lambda: Leaking(1e-2)),
    ),
    # Each token by itself: nothing but the token counts.
    case(
        "each token alone",
        lambda: Tokens(lambda h, f: f(h).tanh(), nn.Linear(D, 5)),
        {**PERMUTED, "causality": EXACT, "prefix-shift": EXACT},
    ),
    # What stands in front is out of sight from two tokens on, but the first two see it.
    case("sees two back", convolved(2, 0), {"causality": EXACT, "token-permutation": BROKEN, "prefix-shift": BROKEN}),
    case("sees one ahead", convolved(1, 1), {"causality": BROKEN}),
    case("attends to neighbors, no causal mask", lambda: Attention(sight(1), 1), {"causality": BROKEN}),
    # A bag of words; running sums and recurrent nets read from left to right.
    case(
        "bag of words",
        lambda: Tokens(lambda h, f: f(h.sum(1)).tanh(), nn.Linear(D, 5)),
        {**PERMUTED, "causality": UNMEASURED, "prefix-shift": UNMEASURED},
    ),
    case(
        "running sum",
        lambda: Tokens(lambda h, f: f(h.cumsum(1)).tanh(), nn.Linear(D, 5)),
        {"causality": EXACT, "token-permutation": BROKEN},
    ),
    case(
        "recurrent",
        lambda: Tokens(lambda h, f: f(h)[0], nn.GRU(D, 5, batch_first=True)),
        {"causality": EXACT, "token-permutation": BROKEN},
    ),
    case(
        "recurrent both ways",
        lambda: Tokens(lambda h, f: f(h)[0], nn.GRU(D, 5, batch_first=True, bidirectional=True)),
        {"causality": BROKEN},
        fast=False,
    ),
    # A norm over positions sees them all, also the later ones.
    case(
        "normalized over time",
        lambda: Tokens(lambda h, f: f(h - h.mean(1, keepdim=True)), nn.Linear(D, 5)),
        {"causality": BROKEN, **PERMUTED},
    ),
    # It takes no mask and no position ids, so neither can be asked of it.
    case(
        "takes ids alone",
        lambda: Tokens(lambda h, f: f(h), nn.Linear(D, 5)),
        {"left-padding": UNMEASURED, "position-shift": UNMEASURED},
        says={"left-padding": "takes none", "position-shift": "takes none"},
    ),
    # Only two position ids more are known than the text has: the shift by 3 fails, by name.
    case(
        "knows few positions",
        lambda: Few(),
        {"position-shift": BROKEN},
        says={"position-shift": "positions + 3"},
        symmetries=(PositionShift(longest=3),),
    ),
]
