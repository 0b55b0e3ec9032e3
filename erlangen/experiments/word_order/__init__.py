"""Claim T6: what a Transformer without positions knows of the order of its words.

An encoder, and a causal net of one layer, see a bag of words: a theorem, checked here in float64. A causal net of more layers
need not: what a token sees of the tokens before it depends on where it stands, and the next layer reads it (Haviv et al.,
"Transformer language models without positional encodings still learn positional information", 2022; Kazemnejad et al., "The
impact of positional encoding on length generalization", 2023). `standard` takes about a quarter of an hour on two cores.
"""

from __future__ import annotations

import math
from itertools import product

from erlangen.claims import statement_of
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.kit.texts import require_text
from erlangen.experiments.word_order.recipe import DEPTHS, Recipe
from erlangen.experiments.word_order.statements import PARTS
from erlangen.experiments.word_order.tasks import VALIDATION, Puzzle, Sentences, Text
from erlangen.experiments.word_order.trainings import NETS, POSITIONS, puzzle_nets, seconds, text_nets
from erlangen.records.runs import Claim, Job

TITLE = "Word order without positions"
QUESTION = "Without positions, is a sentence a bag of words to a Transformer?"
MEMORY_MB = 700

PRESETS = {
    "quick": Recipe(
        corpus="tales", seeds=4, depths=(1, 2), text_depths=(1,), width=32, heads=2, sentence_steps=80, marks_steps=150,
        reverse_steps=300, text_steps=300, tests=300, rates=(6e-3,), text_lr=2e-2, bag_rates=(1e-2, 3e-2, 1e-1), text_fit=0.05,
    ),
    "standard": Recipe(),
}  # fmt: skip


CLAIMS = (
    Claim(
        id="T6",
        statement=statement_of("T6"),
        how="Sensitivity: how much the output after the last token changes, in float64, when the tokens before it change places, "
        "over the spread of the outputs of other texts; with random and with trained weights. Ability: how far a net gets from "
        "the best predictor that sees no order to the same net with rotary positions. That predictor's score is known exactly "
        "on two puzzles. On a text it is trained: an MLP on the count of each character so far, and on the last one.",
        parts=PARTS,
    ),
)


def fetch(recipe: Recipe) -> None:
    """Have the text at hand before any job starts. Raises DataError where it cannot be had."""
    if recipe.text_depths:
        window = (recipe.block + 1) / VALIDATION  # the validation part is the shortest, and holds one at least
        require_text(recipe.corpus, math.ceil(window) + 2 * recipe.block + 1, "training", "a smaller block")


def jobs(recipe: Recipe) -> list[Job]:
    """The sentences, then the nets that learn puzzles and texts, the longest first; seconds on one core."""
    read = [
        job(
            task_of(Sentences, recipe, net=net, depth=depth, positions=positions, steps=recipe.sentence_steps),
            seed=seed,
            seconds=0.2 + 0.0007 * depth * recipe.sentence_steps,
        )
        for seed, net, depth, positions in product(range(recipe.seeds), NETS, DEPTHS, POSITIONS)
    ]
    tasks: list[Puzzle | Text] = [*puzzle_nets(recipe), *text_nets(recipe)]
    learned = [job(task, seed=seed, seconds=seconds(task)) for seed in range(recipe.seeds) for task in tasks]
    return [*read, *sorted(learned, key=lambda job: -job.seconds)]
