"""Claim T9: what a small GPT writes after it has seen each character of a book hundreds of times, and what of it is memory.

The report's regime, scaled down: gpt-mini has 20 parameters for each of 540 000 characters and sees each 640 times, with
nothing held out. Here a net of 3 layers, 64 wide, has as many for a slice of 8 192 characters, another for each seed, no two of
which overlap. It takes 400 views and less dropout to get where the report's net was. Two controls say whether it did: the
source's training loss, and how much of what its eight samples say stands in the book. Where either is missed, what the report
says of its net stays undecided. A test part is kept outside, so that it can be measured. Of generated tales a grammar knows
what is wrong, and the least possible loss: few tales seen hundreds of times against many seen about once.

`quick` learns six generated tales by heart, in place of the book, and leaves out the choice between right and wrong tales, which
no net learns in a minute. `standard` takes about 27 minutes on two cores.
"""

from __future__ import annotations

from erlangen.claims import statement_of
from erlangen.experiments.fairytales.recipe import PRESETS as PRESETS, Recipe as Recipe
from erlangen.experiments.fairytales.tasks import Book, Quotes, Tales
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.kit.texts import require_text, text_parameters
from erlangen.records.runs import Claim, Job

TITLE = "A book seen hundreds of times"
QUESTION = "After hundreds of views of each character, does a small GPT write, or remember?"
MEMORY_MB = 900
PRECISIONS = ("float32", "bfloat16")
DEVICES = ("cpu", "cuda")
LONGEST_TALE = 256  # characters

CLAIMS = (
    Claim(
        id="T9",
        statement=statement_of("T9"),
        how="A net with as many parameters for each character as the report's is trained without early stopping to its loss, and "
        "compared with itself at its least validation loss and with held-out text: loss, n-grams that are in the training text, "
        "words, repetition, function words. What makes sense only a grammar decides, so that is judged on generated tales: which "
        "of two tales, one of them with a fault, has the higher probability under nets that saw few tales again and again "
        "or many about once. Paired by seed, each with a slice of the text of its own.",
        parts={
            "training loss": "The nets reach the training loss that the report states for its last epoch.",
            "copied strings": "As large a share of what the nets write is in their training text as of the report's samples.",
            "copied phrases": "Trained to the end, a net copies five-word phrases from its training text.",
            "style": "By its function words, what a net writes reads like the book: at least half as clearly as held-out pages.",
            "next word": "After a passage of its training text, a net is more likely than not to continue with the book's word.",
            "word order of tales": "A net that saw few tales again and again does not tell the right order of words from a wrong "
            "one in new tales.",
            "sense of tales": "A net that saw few tales again and again does not tell a noun that makes sense from one of "
            "another kind in new tales.",
            "Tell me, glass": "“Tell me, glass” is in the book.",
            "prompt 2": "The report's second prompt is in the book, word for word.",
            "held-out loss": "While the training loss falls, the loss on held-out text rises.",
            "repetition": "A net repeats itself more than held-out text does.",
            "real words": "As large a share of a net's words are in the dictionary as of held-out text's.",
            "stopped early": "Stopped at its least validation loss, a net writes words and does not copy.",
            "copying, stopped early": "Stopped at its least validation loss, a net has at most twice as many short phrases of "
            "its training text as held-out text has.",
            "words, stopped early": "Stopped at its least validation loss, a net writes nearly as many real words as held-out "
            "text has.",
            "distance to the true entropy": "A net that saw few tales again and again is farther from the true entropy than one "
            "that saw many about once.",
        },
    ),
)
STYLE, SENSE = "After 5 epochs gpt-mini repeats patterns, sentences and style", "shows no semantic or syntactic awareness"
QUOTES = {
    "copied phrases": STYLE,
    "style": STYLE,
    "word order of tales": SENSE,
    "sense of tales": SENSE,
    "Tell me, glass": '"Tell me, glass" is in the training data',
    "prompt 2": "prompt 2 is a direct quote",
    "next word": 'correctly continues "spin gold"',
}


def book_of(recipe: Recipe) -> Book:
    """A net on a slice of the text."""
    return task_of(Book, recipe, **text_parameters(recipe.corpus))


def tasks(recipe: Recipe) -> tuple[Book | Tales, ...]:
    """What is trained for each seed: a net on a slice of the text, one on few tales and one on many."""
    book = book_of(recipe)
    if not recipe.tale_steps:
        return (book,)
    sizes = {"steps": recipe.tale_steps, "batch": recipe.tale_batch, "block": LONGEST_TALE, "lr": recipe.tale_lr}
    sizes["samples"] = recipe.tale_samples
    return book, task_of(Tales, recipe, arm="few", **sizes), task_of(Tales, recipe, arm="many", **sizes)


def fetch(recipe: Recipe) -> None:
    """Have text and word list at hand before any job starts. Raises ErlangenError where they cannot be had."""
    characters = recipe.seeds * book_of(recipe).span
    require_text(recipe.corpus, characters, recipe.dictionary, "fewer seeds, characters or samples")


def jobs(recipe: Recipe) -> list[Job]:
    """Each task for each seed; seconds on one core in float32, from nets 32 to 128 wide, and 0.3 for a tale told and checked."""
    token = recipe.layers * (1.4e-7 * recipe.width + 7e-6)
    trained = [
        job(
            task,
            seed=seed,
            seconds=token * task.steps * task.batch * task.block + (0.3 if isinstance(task, Tales) else 0.1) * task.samples,
            portable=True,
        )
        for task in tasks(recipe)
        for seed in range(recipe.seeds)
    ]
    return trained + ([job(Quotes(corpus="grimm"))] if recipe.corpus == "grimm" else [])
