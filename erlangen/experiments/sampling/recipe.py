"""What `sampling` trains and where its edges stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from erlangen.experiments.sampling.tasks import Regime

Count = Annotated[int, Ge(10), Le(1_000_000)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """corpus: grimm, tales (generated) or a UTF-8 text file; split into 0.77 to train, 0.03 to stop by and 0.2 for prompts.

    dictionary: what counts as a word: an English word list, or the words of the training part.
    regimes: memorizing nets, as the report's is, and nets that are stopped at their least validation loss. seeds: number of
    memorizing nets. stopped_seeds: number of nets that are stopped, at most as many; settings change more of what these write.
    steps, layers, width: updates and size of a net that is stopped early.
    characters: of the slice that a memorizing net is trained on, another for each seed. views: of each of them, on average.
    memorizing_layers, memorizing_width: size of that net, which has 20 parameters for each character, as the report's has.
    block: characters that a net sees at once. dropout: a fifth of the report's, because the same share of noise costs so small
    a net more of its training loss.
    prompts: passages of the test part after which every net writes, in every setting. prompt: characters of a passage. length:
    characters that a net writes after it.

    fit: nats per character above which a net is not judged, in training where it memorizes, else on validation text; single
    English letters have an entropy of 2.9.
    near: nats per character around the published training loss that count as the report's regime.
    copying: how far from the share of 20-character strings that the report's samples have in common with the book still counts
    as its regime.
    fluent: real words of a net that was stopped early, as a share of held-out text's, that count as writing words.
    margin: the smallest difference that matters, in standard deviations between texts written in one setting.
    """

    corpus: str = "grimm"
    dictionary: Literal["english", "training"] = "english"
    regimes: tuple[Regime, ...] = ("memorizing", "stopped")
    seeds: Annotated[int, Ge(2), Le(100)] = 8
    stopped_seeds: Annotated[int, Ge(2), Le(100)] = 5
    steps: Count = 2300
    characters: Annotated[int, Ge(512), Le(1_000_000)] = 8192
    views: Annotated[int, Ge(1), Le(10_000)] = 400
    layers: Annotated[int, Ge(1), Le(48)] = 4
    width: Annotated[int, Ge(8), Le(4096)] = 96
    memorizing_layers: Annotated[int, Ge(1), Le(48)] = 3
    memorizing_width: Annotated[int, Ge(8), Le(4096)] = 64
    heads: Annotated[int, Ge(1), Le(64)] = 4
    block: Annotated[int, Ge(16), Le(4096)] = 128
    batch: Annotated[int, Ge(1), Le(100_000)] = 16
    lr: Annotated[float, Ge(1e-6), Le(1)] = 3e-3
    dropout: Annotated[float, Ge(0), Le(0.9)] = 0.02
    prompts: Annotated[int, Ge(8), Le(10_000)] = 280
    prompt: Annotated[int, Ge(4), Le(1000)] = 48
    length: Annotated[int, Ge(40), Le(10_000)] = 300
    fit: Annotated[float, Ge(0), Le(20)] = 2.5
    near: Annotated[float, Ge(0), Le(20)] = 0.15
    copying: Annotated[float, Ge(0), Le(1)] = 0.2
    fluent: Annotated[float, Ge(0), Le(1)] = 0.95
    margin: Annotated[float, Ge(0), Le(5)] = 0.2

    def __post_init__(self) -> None:
        for width in (self.width, self.memorizing_width):
            if width % (2 * self.heads):
                raise ValueError(f"width {width} is not an even number for each of {self.heads} heads")
        if "memorizing" not in self.regimes or len(set(self.regimes)) < len(self.regimes):
            raise ValueError("regimes: give memorizing, the report's, or memorizing,stopped")
        if self.memorizing_steps < 10:
            raise ValueError(f"views: {self.views} of {self.characters} characters take {self.memorizing_steps} steps, too few")

    def nets(self, regime: Regime) -> int:
        """The number of nets of a regime."""
        return self.seeds if regime == "memorizing" else min(self.seeds, self.stopped_seeds)

    @property
    def memorizing_steps(self) -> int:
        """views · characters / (batch · block)."""
        return round(self.views * self.characters / (self.batch * self.block))


PRESETS = {
    "quick": Recipe(
        corpus="tales", dictionary="training", regimes=("memorizing",), seeds=6, characters=1024, views=440,
        memorizing_layers=2, memorizing_width=48, heads=2, block=64, lr=5e-3, prompts=48, prompt=24, length=120,
    ),
    "standard": Recipe(),
    "full": Recipe(seeds=12, stopped_seeds=12, steps=9600, width=128),
}  # fmt: skip
