"""Claim T10: whether temperature and top-p change what a small GPT writes.

The source's four pairs of temperature and top-p, then a range far wider; the same prompts for all of them. "No significant
difference" is shown by an interval within a stated margin, not by a difference that four texts could not show. The margin is 0.2
standard deviations between passages of the text itself, a small effect by Cohen's convention. `standard` takes about 25 minutes
on two cores with `--precision bfloat16`, 35 without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.kit.texts import require_text, text_parameters
from erlangen.experiments.sampling.tasks import SETTINGS, SOURCE, Setting, Write, label
from erlangen.records.runs import Claim, Job

TITLE = "Temperature and top-p"
QUESTION = "Do temperature and top-p make a difference to what a small GPT writes?"
MEMORY_MB = 1500
PRECISIONS = ("float32", "bfloat16")
DEVICES = ("cpu", "cuda")

OUTCOMES = {  # name of its parts, what it is
    "distinct": ("distinct phrases", "The share of two-word phrases that are distinct"),
    "repetition": ("repetition", "The share of words in four-word phrases that come twice"),
    "verbatim": ("copied strings", "The share of 20-character strings that are in the training text"),
    "words": ("real words", "The share of words that are in the dictionary"),
    "loss": ("loss, same net", "The loss of a text under the net that wrote it"),
    "other-loss": ("loss, another net", "The loss of a text under a net of another seed"),
}
RISING = ("distinct", "loss", "other-loss")  # expected to be higher where more is left to chance; the others lower
REPORT = "the report's settings"
EXTREMES: dict[str, tuple[Setting, Setting]] = {  # where least and most is left to chance
    REPORT: (SOURCE[0], SOURCE[-1]),
    "temperature 0.3 to 1.5": ((0.3, 1.0), (1.5, 1.0)),
    "top-p 0.5 to 1": ((1.0, 0.5), (1.0, 1.0)),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """corpus: grimm, tales (generated) or a UTF-8 text file; split into 0.77 to train, 0.03 to stop by and 0.2 for prompts.

    dictionary: what counts as a word: an English word list, or the words of the training text. steps: updates of each net.
    other_steps: of a second net with each, of another seed and trained for less long, which only reads what the first writes.
    block: characters that a net sees at once. prompts: passages of the test part after which every net writes, in every setting.
    prompt: characters of a passage. length: characters that a net writes after it.
    fit: nats per character of validation loss above which a net is not judged; single English letters have an entropy of 2.9.
    margin: the smallest difference that matters, in standard deviations between the text's own passages.
    """

    corpus: str = "grimm"
    dictionary: Literal["english", "training"] = "english"
    seeds: Annotated[int, Ge(2), Le(100)] = 4
    steps: Annotated[int, Ge(10), Le(1_000_000)] = 2300
    other_steps: Annotated[int, Ge(10), Le(1_000_000)] = 800
    layers: Annotated[int, Ge(1), Le(48)] = 4
    heads: Annotated[int, Ge(1), Le(64)] = 4
    width: Annotated[int, Ge(8), Le(4096)] = 96
    block: Annotated[int, Ge(16), Le(4096)] = 128
    batch: Annotated[int, Ge(1), Le(100_000)] = 16
    lr: Annotated[float, Ge(1e-6), Le(1)] = 3e-3
    prompts: Annotated[int, Ge(8), Le(10_000)] = 200
    prompt: Annotated[int, Ge(4), Le(1000)] = 48
    length: Annotated[int, Ge(40), Le(10_000)] = 300
    fit: Annotated[float, Ge(0), Le(20)] = 2.5
    margin: Annotated[float, Ge(0), Le(5)] = 0.2

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not an even number for each of {self.heads} heads")
        if self.corpus == "tales" and self.block < 256:
            raise ValueError(f"block {self.block}: the longest tale has 256 characters")


PRESETS = {
    "quick": Recipe(
        corpus="tales", dictionary="training", seeds=3, steps=200, other_steps=70, layers=2, heads=2, width=48, block=256,
        batch=4, prompts=24, prompt=24, length=120,
    ),
    "standard": Recipe(),
    "full": Recipe(seeds=8, steps=9600, other_steps=3200, width=128, prompts=220),
}  # fmt: skip


def part_name(outcome: str, where: str) -> str:
    """'real words, top-p 0.5 to 1'"""
    return f"{OUTCOMES[outcome][0]}, {where}"


def higher_first(outcome: str, where: str) -> tuple[Setting, Setting]:
    """The extremes of a range, that where the outcome is expected to be higher first."""
    cold, hot = EXTREMES[where]
    return (hot, cold) if outcome in RISING else (cold, hot)


def statement(outcome: str, where: str) -> str:
    """What the report says of its range, where an outcome does not change by definition; else what is expected."""
    if where == REPORT and outcome != "loss":
        return f"{OUTCOMES[outcome][1]} is the same in the report's four settings of temperature and top-p."
    higher, lower = map(label, higher_first(outcome, where))
    return f"{OUTCOMES[outcome][1]} is higher at temperature/top-p {higher} than at {lower}."


CLAIMS = (
    Claim(
        id="T10",
        statement="Temperature and top-p make no significant difference.",
        how="Nets stopped at their least validation loss write after the same prompts in every setting. Differences are paired "
        "by net and prompt, both drawn at random, and held against a margin of 0.2 standard deviations between passages of "
        "held-out text. In the report's range: the largest difference between any two of its four settings.",
        parts={
            REPORT: "The report's four settings of temperature and top-p make no difference to what is written.",
            **{part_name(outcome, where): statement(outcome, where) for where in EXTREMES for outcome in OUTCOMES},
        },
    ),
)
QUOTES = {REPORT: "Adjusting temperature or top_p did not make a significant difference."}


def fetch(recipe: Recipe) -> None:
    """Have text and word list at hand before any job starts. Raises ErlangenError where they cannot be had."""
    task = task_of(Write, recipe, **text_parameters(recipe.corpus))
    require_text(recipe.corpus, task.span, recipe.dictionary, "fewer or shorter prompts")


def jobs(recipe: Recipe) -> list[Job]:
    """A net per seed: trained, then asked in every setting, and another that reads what it writes; seconds on one core."""
    task = task_of(Write, recipe, **text_parameters(recipe.corpus))
    tokens = (recipe.steps + recipe.other_steps) * recipe.batch * recipe.block
    training = tokens * recipe.layers * (2e-7 * recipe.width + 8e-6)
    writing = 4e-4 * len(SETTINGS) * recipe.prompts * recipe.length
    return [job(task, seed=seed, seconds=training + writing + 3, portable=True) for seed in range(recipe.seeds)]
