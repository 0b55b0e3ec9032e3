"""Claim T9: what a small GPT writes after it has seen each character of a book hundreds of times, and what of it is memory.

The source's regime, scaled down: gpt-mini has 20 parameters and 640 views for each character of its book, and nothing held out.
Here a net of 3 layers, 64 wide, has as many for a slice of 8 192 characters, another for each seed, no two of which overlap. A
test part is kept outside, so that it can be measured. Where the texts are tales from a grammar, it is known what makes sense, and
what the least possible loss is: many tales seen once against few seen hundreds of times. `standard` takes about 30 minutes on two
cores, 20 with `--precision bfloat16`, where the machine has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from erlangen.records.files import Scalar
from erlangen.records.runs import Claim, Job

TITLE = "A book seen hundreds of times"
MEMORY_MB = 900

WEIGHTS = ("stopped", "last")
SETTINGS = {"published": (0.7, 0.9), "plain": (1.0, 1.0)}  # temperature, top-p: the first of the source's four, and none
CHARACTERS, WORDS = (5, 10, 20, 40), (2, 3, 5, 8)  # lengths of the n-grams that are looked for in the training text
PHRASE = 5  # words
ARMS = ("few", "many")

Count = Annotated[int, Ge(1), Le(100_000_000)]
Dictionary = Literal["english", "training"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """book: what the slices of `characters` are cut from; views: of each character, on average, in all of training.

    samples: texts of `length` characters that a net writes, each after `prompt` characters of the test part, as many passages of
    which are the baseline. dictionary: the list of words that a word has to be in, English ones or those of the training text.
    few: tales that are seen again and again; tale_steps: of `tale_batch` windows of 256, for few and many tales alike.
    margin: of a share, or of nats per character, below which two count as equal.
    """

    book: Literal["grimm", "tales"] = "grimm"
    dictionary: Dictionary = "english"
    seeds: Annotated[int, Ge(1), Le(1000)] = 5
    characters: Annotated[int, Ge(512), Le(1_000_000)] = 8192
    views: Annotated[int, Ge(1), Le(10_000)] = 640
    layers: Annotated[int, Ge(1), Le(48)] = 3
    heads: Annotated[int, Ge(1), Le(64)] = 4
    width: Annotated[int, Ge(8), Le(4096)] = 64
    block: Annotated[int, Ge(16), Le(4096)] = 128
    batch: Count = 8
    lr: Annotated[float, Ge(1e-6), Le(1)] = 3e-3
    dropout: Annotated[float, Ge(0), Le(0.9)] = 0.1
    evaluations: Annotated[int, Ge(4), Le(1000)] = 80
    samples: Annotated[int, Ge(2), Le(10_000)] = 64
    prompt: Annotated[int, Ge(4), Le(1000)] = 48
    length: Annotated[int, Ge(40), Le(10_000)] = 400
    few: Annotated[int, Ge(2), Le(100_000)] = 48
    tale_steps: Count = 2800
    tale_batch: Count = 4
    tale_samples: Annotated[int, Ge(4), Le(10_000)] = 200
    margin: Annotated[float, Ge(0), Le(1)] = 0.02

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width}: an even number for each of {self.heads} heads")
        if self.steps < self.evaluations:
            raise ValueError(f"evaluations: {self.evaluations} in {self.steps} steps: fewer, or more views")
        if self.prompt >= self.block:
            raise ValueError(f"prompt: {self.prompt} characters, a window has {self.block}")

    @property
    def steps(self) -> int:
        """Of the book: views · characters / (batch · block)."""
        return round(self.views * self.characters / (self.batch * self.block))


PRESETS = {
    "quick": Recipe(
        book="tales", dictionary="training", seeds=3, characters=1024, views=320, layers=2, heads=2, width=48, block=64, lr=4e-3,
        evaluations=16, samples=16, prompt=24, length=160, few=6, tale_steps=220, tale_samples=40, margin=0.05,
    ),
    "standard": Recipe(),
    "full": Recipe(characters=40_960, layers=4, heads=4, width=128, lr=1e-3, batch=32, few=240, tale_steps=8000),
}  # fmt: skip

CLAIMS = (
    Claim(
        id="T9",
        statement="After five passes a small GPT repeats phrases in the tales' style and makes little sense.",
        how="A net with as many parameters and views for each character as the source's, no early stopping, and the same net at "
        "its least validation loss. Loss on the text seen and on a test part, n-grams of what it writes that are in the training "
        "text, words, repetition; beside each the same of held-out text of the book. Sense only where a grammar decides it: "
        "tales, few of them again and again against many about once. Paired by seed, each with a slice of its own.",
        parts={
            "regime": "training loss, beside the published one: whether the source's regime is reached",
            "held-out": "test loss at the last step less that at the least validation loss",
            "repeats": "share of five-word phrases found in the training text, above held-out text",
            "itself": "share of words in phrases that the text says twice, above held-out text",
            "words": "share of words that are words, against held-out text",
            "early-stopping": "share of phrases found in the training text at the least validation loss, above held-out text",
            "sense/grammar": "grammatical tales that are no copies: after many texts, above those after few again and again",
            "sense/floor": "distance to the true entropy after few texts, above that after many",
            "sense/copies": "grammatical tales after few texts: copies of them above others",
            "sense/book": "sense of what is written in the book's style",
        },
    ),
)  # fmt: skip


def fetch(recipe: Recipe) -> None:
    """Have book and word list at hand before any job starts. Raises ErlangenError where they are not to be had."""
    if recipe.dictionary == "english":
        from erlangen.measure.text_statistics import english_words

        english_words()
    if recipe.book == "grimm":
        from erlangen.data.grimm import grimm

        grimm()


def jobs(recipe: Recipe, precision: str = "float32", device: str = "cpu") -> list[Job]:
    """One training a job: of a slice of the book, of few tales, of many."""
    net: dict[str, Scalar] = {
        "layers": recipe.layers,
        "heads": recipe.heads,
        "width": recipe.width,
        "dropout": recipe.dropout,
        "lr": recipe.lr,
    }
    book: dict[str, Scalar] = {
        "task": "book", "book": recipe.book, "dictionary": recipe.dictionary, "characters": recipe.characters,
        "steps": recipe.steps, "batch": recipe.batch, "block": recipe.block, "evaluations": recipe.evaluations,
        "samples": recipe.samples, "prompt": recipe.prompt, "length": recipe.length, **net,
    }  # fmt: skip
    tales: dict[str, Scalar] = {
        "task": "tales", "few": recipe.few, "steps": recipe.tale_steps, "batch": recipe.tale_batch,
        "samples": recipe.tale_samples, **net,
    }  # fmt: skip
    arms: list[dict[str, Scalar]] = [book, *({**tales, "arm": arm} for arm in ARMS)]
    found = [
        Job(
            experiment="fairytales",
            params=params,
            seed=seed,
            precision=precision,  # type: ignore[arg-type]
            device=device,
            seconds=seconds(recipe, params, precision),
        )
        for seed in range(recipe.seeds)
        for params in arms
    ]
    return sorted(found, key=lambda job: -job.seconds)


def seconds(recipe: Recipe, params: dict[str, Scalar], precision: str) -> float:
    """An estimate for one core, from nets of 2 to 4 layers, 32 to 128 wide: training, then writing."""
    tokens = math.prod(int(str(params.get(name, 256))) for name in ("steps", "batch", "block"))
    writing = 0.04 * recipe.tale_samples if "arm" in params else 4e-4 * recipe.samples * recipe.length
    return tokens * seconds_a_token(recipe.layers, recipe.width, precision) + writing


def seconds_a_token(layers: int, width: int, precision: str) -> float:
    """Of training on one core."""
    return layers * (2e-7 * width + 8e-6) * (0.62 if precision == "bfloat16" else 1.0)
