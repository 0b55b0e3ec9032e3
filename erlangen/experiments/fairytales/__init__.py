"""Claim T9: what a small GPT writes after it has seen each character of a book hundreds of times, and what of it is memory.

The source's regime, scaled down: gpt-mini has 20 parameters and 640 views for each character of its book, and nothing held out.
Here a net of 3 layers, 64 wide, has as many for a slice of 8 192 characters, another for each seed, no two of which overlap. A
test part is kept outside, so that it can be measured. Where the texts are tales from a grammar, it is known what makes sense, and
what the least possible loss is: many tales seen once against few seen hundreds of times. `standard` takes about 30 minutes on two
cores, 20 with `--precision bfloat16`, where the machine has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from erlangen.experiments.fairytales.tasks import Book, Tales
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.kit.texts import require_text, text_parameters
from erlangen.records.runs import Claim, Job

TITLE = "A book seen hundreds of times"
QUESTION = "After hundreds of views of each character, does a small GPT write, or remember?"
MEMORY_MB = 900
PRECISIONS = ("float32", "bfloat16")
DEVICES = ("cpu", "cuda")
LONGEST_TALE = 256  # characters

Count = Annotated[int, Ge(1), Le(100_000_000)]
Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """corpus: grimm, tales (generated) or a UTF-8 text file. characters: of the slice of it that a net is trained on. views: of
    each character, on average, in all of training. block: characters that a net sees at once.

    evaluations: times that the losses are measured in training. samples: texts that a net writes, each after a passage of the
    test part; as many passages are the baseline. prompt: characters of a passage. length: characters of a text.
    dictionary: the list of words that a word has to be in, English ones or those of the training text.
    few: tales that are seen again and again; tale_steps: updates, for few and many tales alike. tale_batch: windows of 256
    characters per update. tale_samples: tales that a net tells, which the grammar checks.
    fit: nats per character of training loss above which a net is not compared; single English letters have an entropy of 2.9.
    near: nats per character around the published training loss that count as the source's regime.
    margin: of a share, or of nats per character, below which a difference does not matter.
    fluent: real words of a net that was stopped early, as a share of held-out text's, that count as writing words.
    learned: share of tales that are grammatical below which a net has not learned to tell them.
    """

    corpus: str = "grimm"
    dictionary: Literal["english", "training"] = "english"
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
    fit: Annotated[float, Ge(0), Le(20)] = 2.5
    near: Annotated[float, Ge(0), Le(20)] = 0.15
    margin: Share = 0.02
    fluent: Share = 0.95
    learned: Share = 0.1

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
        corpus="tales", dictionary="training", seeds=3, characters=1024, views=320, layers=2, heads=2, width=48, block=64,
        lr=4e-3, evaluations=16, samples=16, prompt=24, length=160, few=6, tale_steps=220, tale_samples=40, margin=0.05,
    ),
    "standard": Recipe(),
    "full": Recipe(characters=40_960, layers=4, heads=4, width=128, lr=1e-3, batch=32, few=240, tale_steps=8000),
}  # fmt: skip

CLAIMS = (
    Claim(
        id="T9",
        statement="After five passes a small GPT repeats phrases in the tales' style and makes little sense.",
        how="A net with as many parameters and views for each character as the source's is trained without early stopping, and "
        "compared with itself at its least validation loss and with held-out text: loss, n-grams that are in the training text, "
        "words, repetition. Only a grammar decides what makes sense, so that is judged on generated tales: few of them again and "
        "again against many about once. Paired by seed, each with a slice of the text of its own.",
        parts={
            "training loss": "The nets reach the training loss that the report states for its last epoch.",
            "copied phrases": "Trained to the end, a net copies five-word phrases from its training text.",
            "syntax of tales": "A net that saw few tales again and again tells hardly any grammatical tale that it did not see.",
            "held-out loss": "While the training loss falls, the loss on held-out text rises.",
            "repetition": "A net repeats itself more than held-out text does.",
            "real words": "As large a share of a net's words are in the dictionary as of held-out text's.",
            "stopped early": "Stopped at its least validation loss, a net has no more phrases of its training text than held-out "
            "text has.",
            "new tales": "A net that saw many tales about once tells more new grammatical ones than one that saw few again "
            "and again.",
            "distance to the true entropy": "A net that saw few tales again and again is farther from the true entropy than one "
            "that saw many about once.",
            "copied tales": "Most grammatical tales of a net that saw few again and again are copies.",
        },
    ),
)
QUOTES = {
    "copied phrases": "After 5 epochs gpt-mini repeats patterns, sentences and style",
    "syntax of tales": "shows no semantic or syntactic awareness",
}


def tasks(recipe: Recipe) -> tuple[Book, Tales, Tales]:
    """What is trained for each seed: a net on a slice of the text, one on few tales and one on many."""
    book = task_of(Book, recipe, **text_parameters(recipe.corpus))
    sizes = {"samples": recipe.tale_samples, "steps": recipe.tale_steps, "batch": recipe.tale_batch, "block": LONGEST_TALE}
    return book, task_of(Tales, recipe, arm="few", **sizes), task_of(Tales, recipe, arm="many", **sizes)


def fetch(recipe: Recipe) -> None:
    """Have text and word list at hand before any job starts. Raises ErlangenError where they cannot be had."""
    characters = recipe.seeds * tasks(recipe)[0].span
    require_text(recipe.corpus, characters, recipe.dictionary, "fewer seeds, characters or samples")


def jobs(recipe: Recipe) -> list[Job]:
    """Each task for each seed, the longest first; seconds on one core in float32, from nets 32 to 128 wide."""
    token = recipe.layers * (2e-7 * recipe.width + 8e-6)
    return [
        job(task, seed=seed, seconds=token * task.steps * task.batch * task.block + 0.1 * task.samples, portable=True)
        for task in tasks(recipe)
        for seed in range(recipe.seeds)
    ]
