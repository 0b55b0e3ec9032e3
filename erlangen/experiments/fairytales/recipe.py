"""What `fairytales` trains and where its edges stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

Count = Annotated[int, Ge(1), Le(100_000_000)]
Share = Annotated[float, Ge(0), Le(1)]
Nats = Annotated[float, Ge(0), Le(20)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """corpus: grimm, tales (generated) or a UTF-8 text file. characters: of the slice of it that a net is trained on. views: of
    each character, on average, in all of training. block: characters that a net sees at once. dropout: a fifth of
    the report's, because the same share of noise costs so small a net more of its training loss.

    evaluations: times that the losses are measured in training. samples: texts that a net writes, each after a passage of the
    test part; as many passages are the baseline, and as many are asked for their next word. prompt: characters of a passage.
    length: characters of a text.
    dictionary: the list of words that a word has to be in, English ones or those of the training text.
    few: tales that are seen again and again. tale_steps: updates, for few and many tales alike; 0 leaves tales out.
    tale_batch: windows of 256 characters per update. tale_lr: learning rate of the nets that see tales. tale_samples: fresh
    tales on which a net chooses between right and wrong, and tales that it tells.

    fit: nats per character of training loss above which a net is not compared; single English letters have an entropy of 2.9.
    near: nats per character around the published training loss that count as the report's regime.
    copying: how far from the share of 20-character strings that the report's samples have in common with the book still counts
    as its regime.
    margin: of a share, or of nats per character, below which a difference does not matter.
    fluent: real words of a net that was stopped early, as a share of held-out text's, that count as writing words.
    times: as often as held-out text's a net that was stopped early may have phrases in common with its training text.
    aware: share of right choices, of a coin's 0.5, up to which a net shows no awareness of what it chooses by.
    sees: share of right choices that nets that saw many tales must reach; else the test of awareness sees nothing.
    separates: share of pages that the classifier of style must get right, of the book and of other prose; else it sees no style.
    """

    corpus: str = "grimm"
    dictionary: Literal["english", "training"] = "english"
    seeds: Annotated[int, Ge(1), Le(1000)] = 6
    characters: Annotated[int, Ge(512), Le(1_000_000)] = 8192
    views: Annotated[int, Ge(1), Le(10_000)] = 400
    layers: Annotated[int, Ge(1), Le(48)] = 3
    heads: Annotated[int, Ge(1), Le(64)] = 4
    width: Annotated[int, Ge(8), Le(4096)] = 64
    block: Annotated[int, Ge(16), Le(4096)] = 128
    batch: Count = 16
    lr: Annotated[float, Ge(1e-6), Le(1)] = 3e-3
    dropout: Annotated[float, Ge(0), Le(0.9)] = 0.02
    evaluations: Annotated[int, Ge(4), Le(1000)] = 80
    samples: Annotated[int, Ge(2), Le(10_000)] = 64
    prompt: Annotated[int, Ge(4), Le(1000)] = 48
    length: Annotated[int, Ge(40), Le(10_000)] = 400
    few: Annotated[int, Ge(2), Le(100_000)] = 64
    tale_steps: Annotated[int, Ge(0), Le(100_000_000)] = 600
    tale_batch: Count = 16
    tale_lr: Annotated[float, Ge(1e-6), Le(1)] = 1e-2
    tale_samples: Annotated[int, Ge(4), Le(10_000)] = 200
    fit: Nats = 2.5
    near: Nats = 0.15
    copying: Share = 0.2
    margin: Share = 0.02
    fluent: Share = 0.95
    times: Annotated[float, Ge(1), Le(100)] = 2.0
    aware: Annotated[float, Ge(0.5), Le(1)] = 0.6
    sees: Annotated[float, Ge(0.5), Le(1)] = 0.75
    separates: Annotated[float, Ge(0.5), Le(1)] = 0.8

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not an even number for each of {self.heads} heads")
        if self.steps < self.evaluations:
            raise ValueError(f"evaluations: {self.evaluations} in {self.steps} steps; choose fewer evaluations or more views")
        if self.prompt >= self.block:
            raise ValueError(f"prompt: {self.prompt} characters do not fit into a window of {self.block}")

    @property
    def steps(self) -> int:
        """Of the book: views · characters / (batch · block)."""
        return round(self.views * self.characters / (self.batch * self.block))


PRESETS = {
    "quick": Recipe(
        corpus="tales", dictionary="training", seeds=6, characters=1024, views=480, layers=2, heads=2, width=48, block=64,
        batch=16, lr=5e-3, dropout=0.02, evaluations=16, samples=24, prompt=24, length=160, tale_steps=0, margin=0.05,
    ),
    "standard": Recipe(),
    "full": Recipe(characters=40_960, layers=4, heads=4, width=128, lr=1e-3, batch=32, few=240, tale_steps=8000),
}  # fmt: skip
