"""Claims T7 and T8: which positions let a net read texts longer than those it learned from, and what they cost.

Nets of 64 tokens are tested at up to 512, on the same target tokens at every length. *Near*: the loss does not rise where a
longer text tells no more. *Far*: what lies beyond the trained length is used. The second is measured on generated text,
`registers`, in which a window of 64 tokens knows nothing of an answer: on Grimms' tales even a net that reaches gains almost
nothing from it. `standard` takes about 40 minutes on two cores: its nets have 2 or 3 layers of width 64 and learn for 500 to
2000 updates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from erlangen.experiments.kit.texts import require_text
from erlangen.experiments.length.claims import CLAIMS as CLAIMS, QUOTES as QUOTES
from erlangen.experiments.length.plan import jobs as jobs
from erlangen.experiments.length.tasks import characters

TITLE = "Positions and length"
QUESTION = "Which positions let a Transformer read texts longer than those it was trained on, and what do they cost?"
MEMORY_MB = 1500

Rate = Annotated[float, Ge(1e-6), Le(1)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """corpus: grimm, tales (generated) or a UTF-8 text file. Nets learn from windows of 64 tokens and are tested at up to 512.

    layers: number of layers of the nets on registers. text_layers: number of layers of the nets on the text and on tales.
    batch: windows of 64 tokens per update. lr: learning rate on registers and on the text.
    steps: updates of the nets on registers. absolute_steps: updates of those with learned positions, which need more.
    tuning: further updates on registers of 512 tokens, of rotary nets with interpolated positions.
    episodes: episodes of registers on which each net is tested.
    text_steps: updates of the nets on the text. text_tuning: further updates on 512 characters, as in `tuning`.
    passages: passages of the text on which each net is tested.
    rarely: the rows of a table that are trained rarely are used in one of so many updates.
    tale_steps: updates of the nets on generated tales. tale_batch: windows of 128 characters per update.
    tale_lrs: learning rates tried on tales, in rising order; each kind of positions is compared at its best.
    pairs: tales of each of two kinds of error between which and the right tale each net chooses.
    near: the rise of a loss, in nats, that does not matter yet. reach: nats below chance from which an answer counts as known.
    fit: loss of near answers at the trained length, in nats, above which a net is not judged.
    text_fit: loss of the text at the trained length, in nats per character, above which a net is not judged.
    tale_fit: validation loss on tales, in nats per character, above which a net is not judged.
    syntax: points of the share of pairs from which a difference counts as help.
    """

    corpus: str = "grimm"
    seeds: Annotated[int, Ge(2), Le(100)] = 6
    layers: Annotated[int, Ge(1), Le(48)] = 3
    text_layers: Annotated[int, Ge(1), Le(48)] = 2
    width: Annotated[int, Ge(8), Le(1024)] = 64
    batch: Annotated[int, Ge(8), Le(4096)] = 32
    lr: Rate = 6e-3
    steps: Annotated[int, Ge(1), Le(1_000_000)] = 1200
    absolute_steps: Annotated[int, Ge(1), Le(1_000_000)] = 2000
    tuning: Annotated[int, Ge(1), Le(1_000_000)] = 180
    episodes: Annotated[int, Ge(16), Le(100_000)] = 256
    text_steps: Annotated[int, Ge(1), Le(1_000_000)] = 500
    text_tuning: Annotated[int, Ge(1), Le(1_000_000)] = 100
    passages: Annotated[int, Ge(16), Le(100_000)] = 192
    rarely: Annotated[int, Ge(2), Le(100_000)] = 50
    tale_steps: Annotated[int, Ge(1), Le(1_000_000)] = 700
    tale_batch: Annotated[int, Ge(1), Le(4096)] = 16
    tale_lrs: tuple[Rate, ...] = (3e-3, 1e-2, 3e-2, 6e-2)
    pairs: Annotated[int, Ge(10), Le(10_000)] = 400
    near: Annotated[float, Gt(0), Le(1)] = 0.02
    reach: Annotated[float, Gt(0), Le(1.3)] = 0.5
    fit: Annotated[float, Gt(0), Le(2)] = 0.4
    text_fit: Annotated[float, Gt(0), Le(20)] = 2.2
    tale_fit: Annotated[float, Gt(0), Le(20)] = 1.6
    syntax: Annotated[float, Gt(0), Le(50)] = 1.0

    def __post_init__(self) -> None:
        if self.width % 8:
            raise ValueError(f"width {self.width} is not an even number for each of 4 heads: choose a multiple of 8")
        if list(self.tale_lrs) != sorted(set(self.tale_lrs)) or not self.tale_lrs:
            raise ValueError("tale_lrs: give learning rates in rising order, as in tale_lrs=0.003,0.01,0.03")


PRESETS = {
    "quick": Recipe(  # the text alone has nets that learn it in so few updates
        corpus="tales", seeds=3, layers=1, width=32, lr=1e-2, steps=10, absolute_steps=10, tuning=2, episodes=16,
        text_steps=200, text_tuning=15, passages=24, tale_steps=10, tale_lrs=(1e-2,), pairs=10, rarely=20,
    ),
    "standard": Recipe(),
}  # fmt: skip


def fetch(recipe: Recipe) -> None:
    """Have the text at hand before any job starts. Raises DataError where it cannot be had or is too short."""
    require_text(recipe.corpus, characters(recipe.passages), "training", "fewer passages")
