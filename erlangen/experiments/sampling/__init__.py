"""Claim T10: whether temperature and top-p change what a small GPT writes.

In two regimes: nets that have learned a slice of the book by heart, as the report's net has its book, and nets that were stopped
early. One knob at a time over the range of the report's four settings, then those four; the same prompts for all of them. "No
significant difference" is shown by an interval within a stated margin, not by a difference that a few texts could not show. The
margin is 0.2 standard deviations between texts of one setting, a small effect by Cohen's convention. The loss of a text under the
net that wrote it changes with temperature by definition: it is a control. `quick` has the memorizing nets alone, on generated
tales; `standard` takes about 35 minutes on two cores.
"""

from __future__ import annotations

from erlangen.claims import statement_of
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.kit.texts import require_text, text_parameters
from erlangen.experiments.sampling.recipe import PRESETS as PRESETS, Recipe as Recipe
from erlangen.experiments.sampling.tasks import ALONE, REFERENCE, SETTINGS, SOURCE, WIDE, Regime, Setting, Write
from erlangen.records.runs import Claim, Job

TITLE = "Temperature and top-p"
QUESTION = "Do temperature and top-p make a difference to what a small GPT writes?"
MEMORY_MB = 1500
PRECISIONS = ("float32", "bfloat16")
DEVICES = ("cpu", "cuda")

OUTCOMES = {  # what a text is measured by, and what that is
    "distinct": ("distinct phrases", "the share of two-word phrases that are distinct"),
    "verbatim": ("copied strings", "the share of 20-character strings that are in the training text"),
    "words": ("real words", "the share of words that are in the dictionary"),
}
REGIMES: dict[Regime, str] = {"memorizing": "nets that know their text by heart", "stopped": "nets that were stopped early"}
REPORT = "the report's settings"
RANGES: dict[str, tuple[Setting, ...]] = {
    REPORT: SOURCE,
    "temperature alone": (ALONE[0], REFERENCE, SOURCE[3]),
    "top-p alone": (ALONE[1], REFERENCE, ALONE[2]),
}
EXTREMES: dict[str, tuple[Setting, Setting]] = {  # far apart: what the outcomes must show
    "temperature 0.3 to 1.5": (WIDE[0], WIDE[1]),
    "top-p 0.5 to 1": (WIDE[2], WIDE[3]),
}
TURNED = {
    REPORT: "The report's four settings of temperature and top-p make no difference to what {nets} write.",
    "temperature alone": "The temperature alone, from 0.65 to 1 at top-p 0.9, makes no difference to what {nets} write.",
    "top-p alone": "Top-p alone, from 0.85 to 0.95 at temperature 0.7, makes no difference to what {nets} write.",
    "temperature 0.3 to 1.5": "The temperature makes a difference to what {nets} write where it goes from 0.3 to 1.5.",
    "top-p 0.5 to 1": "Top-p makes a difference to what {nets} write where it goes from 0.5 to 1.",
}


def part_name(where: str, regime: Regime) -> str:
    """'top-p alone, stopped early'; the report's own regime goes without saying."""
    return where if regime == "memorizing" else f"{where}, stopped early"


CLAIMS = (
    Claim(
        id="T10",
        statement=statement_of("T10"),
        how="Nets that know a slice of the book by heart, as the report's net does, and nets stopped at their least validation "
        "loss write after the same prompts in every setting. Each text is measured by its distinct two-word phrases, by what it "
        "copies, and by its real words. Differences are paired by net and prompt, both drawn at random, and held against a "
        "margin of 0.2 standard deviations between texts of one setting: the largest difference in any of the three between any "
        "two settings.",
        parts={
            "training loss": "The memorizing nets reach the training loss that the report states for its last epoch.",
            "copied strings": "As large a share of what the memorizing nets write is in their training text as of the report's "
            "samples.",
            **{part_name(where, regime): TURNED[where].format(nets=nets) for where in TURNED for regime, nets in REGIMES.items()},
        },
    ),
)
QUOTES = {REPORT: "Adjusting temperature or top_p did not make a significant difference."}


def tasks(recipe: Recipe) -> tuple[Write, ...]:
    """A net of each regime, the longer training first."""
    text = text_parameters(recipe.corpus)
    memorizing = {
        "steps": recipe.memorizing_steps,
        "layers": recipe.memorizing_layers,
        "width": recipe.memorizing_width,
    }
    made = {
        "stopped": task_of(Write, recipe, regime="stopped", **text),
        "memorizing": task_of(Write, recipe, regime="memorizing", **text, **memorizing),
    }
    return tuple(task for regime, task in made.items() if regime in recipe.regimes)


def fetch(recipe: Recipe) -> None:
    """Have text and word list at hand before any job starts. Raises ErlangenError where they cannot be had."""
    span = tasks(recipe)[0].span(recipe.seeds)
    require_text(recipe.corpus, span, recipe.dictionary, "fewer seeds, fewer or shorter prompts, or smaller slices")


def training_seconds(task: Write) -> float:
    """Of one core in float32, from nets 32 to 128 wide."""
    return task.layers * (1.4e-7 * task.width + 7e-6) * task.steps * task.batch * task.block


def jobs(recipe: Recipe) -> list[Job]:
    """A net of each regime per seed: trained, then asked in every setting."""
    writing = len(SETTINGS) * recipe.length * (1.5e-3 + 6e-5 * recipe.prompts)
    return [
        job(task, seed=seed, seconds=training_seconds(task) + writing + 1, portable=True)
        for task in tasks(recipe)
        for seed in range(recipe.nets(task.regime))
    ]
