"""What the report says of its net and of its book: copying, style, one continued quote, and two quotes."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from erlangen.experiments.fairytales import Recipe
from erlangen.experiments.fairytales.evidence import HELD_OUT, LAST, contrast, copied
from erlangen.experiments.fairytales.parts import in_the_regime, part, said, untrained
from erlangen.experiments.fairytales.tasks import Quotes
from erlangen.experiments.kit.evidence import NO_JOB, Arm, Evidence, mean
from erlangen.experiments.kit.parts import Check, Exact, Part
from erlangen.statistics.regions import at_least, exceeds


def net_parts(recipe: Recipe, nets: Arm) -> list[Part]:
    """Does a net repeat phrases, style and passages that it has seen? Of the report's net only one in its regime can tell."""
    return [copied_phrases(recipe, nets), style(recipe, nets), next_word(recipe, nets)]


def copied_phrases(recipe: Recipe, nets: Arm) -> Part:
    """Phrases, beside those that other pages of the book have in common with the training text."""
    return part(
        recipe,
        "copied phrases",
        contrast(nets, (LAST, copied("last_published")), (HELD_OUT, copied("held_out"))),
        "share of phrases, above held-out text's",
        untrained=untrained(recipe, nets),
        checks=in_the_regime(recipe, nets),
        corrected="It has no more phrases in common with its training text than held-out text has.",
        note=f"With temperature 1 and without top-p the net's share is {nets.mean(copied('last_plain')).estimate:.3g}.",
    )


def style(recipe: Recipe, nets: Arm) -> Part:
    """Function words, by which a classifier tells the book from other prose."""
    taken = {name: nets.mean(f"{name}_taken_for_the_book").estimate for name in ("held_out", "other_prose", "last_published")}
    right = float(np.min([taken["held_out"], 1 - taken["other_prose"]]))  # NaN where one of them is
    return part(
        recipe,
        "style",
        contrast(
            nets, (LAST, "last_published_style"), (HELD_OUT, "held_out_style"), "nats per function word", times=0.5
        ),
        "nats per function word, above half of held-out text's",
        region=at_least(0, why="halfway between no evidence for the book and as much as held-out pages give"),
        untrained=untrained(recipe, nets),
        checks=(
            *in_the_regime(recipe, nets),
            Check(
                f"a classifier of style that is right of {100 * recipe.separates:g} % of held-out pages, the book's and others",
                None if math.isnan(right) else right >= recipe.separates,
            ),
        ),
        corrected="It reads less than half as clearly like the book.",
        note=f"Taken for the book: {100 * taken['last_published']:.0f} % of the net's texts, {100 * taken['held_out']:.0f} % of "
        f"held-out pages, {100 * taken['other_prose']:.0f} % of other prose. That is technical English: other prose of the "
        "Grimms' time is not at hand offline, so this tells a tale from a manual, not one author from another.",
    )  # fmt: skip


def next_word(recipe: Recipe, nets: Arm) -> Part:
    """The word after a passage that the net has seen; of passages that it has not, it must know less."""
    unseen = nets.mean("last_next_word_held_out").estimate
    return part(
        recipe,
        "next word",
        mean(nets, "last_next_word_seen", unit="of 1"),
        "mean probability of the next word",
        region=exceeds(than=0.5, why="more likely than not"),
        bounds=(0.0, 1.0),
        untrained=untrained(recipe, nets),
        checks=(
            *in_the_regime(recipe, nets),
            Check("passages of held-out text, which it continues so less often", None if math.isnan(unseen) else unseen < 0.5),
        ),
        corrected=lambda share: f"It does so with probability {share.estimate:.2f}.",
        note=f"After held-out passages the probability is {unseen:.2f}. The report has one such passage and two samples of it; "
        "one of them continues with the book's “gold”.",
    )


def quote_parts(recipe: Recipe, evidence: Evidence) -> list[Exact]:
    """What the report says of its book, looked up there; another text has nothing to look up."""
    if recipe.corpus != "grimm":
        return []
    book = evidence.arm(Quotes)
    found = {name: book.mean(name).estimate for name in ("glass", "prompt", "prompt_and_next_word", "invented_prompts")}
    others = found["invented_prompts"]
    known = np.max([found["glass"], found["prompt"]])  # NaN where one of them is
    controls = (
        Check("the report's three other prompts are not in the book", None if math.isnan(others) else others == 0),
        Check("a search that finds one of the report's two quotes at least", None if math.isnan(known) else bool(known > 0)),
    )
    gone = book.missing or (() if book.results else (f"the book{NO_JOB}",))
    times = partial(
        Exact, cases=1, unit="times in the book", region=at_least(1, why="once is enough"), missing=gone, checks=controls,
        corrected="It is not.",
    )  # fmt: skip
    note = f"Line breaks count as spaces. The book goes on with “gold”: {found['prompt_and_next_word']:.0f} time(s)."
    return [
        times(**said(recipe, "Tell me, glass"), count=found["glass"]),
        times(**said(recipe, "prompt 2"), count=found["prompt"], note=note),
    ]
