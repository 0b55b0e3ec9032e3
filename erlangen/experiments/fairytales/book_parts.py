"""What becomes of a text that is seen too often, and of a net that is stopped early."""

from __future__ import annotations

from functools import partial

from erlangen.experiments.fairytales import Recipe
from erlangen.experiments.fairytales.evidence import BEST, HELD_OUT, LAST, NATS, SHORT_PHRASE, contrast, copied
from erlangen.experiments.fairytales.parts import check, least, part, said, untrained
from erlangen.experiments.kit.evidence import Arm
from erlangen.experiments.kit.parts import AllOf, Check, Part
from erlangen.statistics.regions import at_least, at_most


def last_step_parts(recipe: Recipe, nets: Arm) -> list[Part]:
    """The held-out loss, repetition and words of nets that were trained to the end."""
    book = partial(part, recipe, untrained=untrained(recipe, nets))
    fell = nets.mean("last_train_loss").estimate - nets.mean("stopped_train_loss").estimate
    return [
        book(
            "held-out loss",
            contrast(nets, (LAST, "last_test_loss"), (BEST, "stopped_test_loss"), NATS),
            f"{NATS}, last step minus best step",
            checks=check("a training loss that falls after the best step", fell, lambda change: change < 0),
            corrected="The loss on held-out text does not rise.",
        ),
        book(
            "repetition",
            contrast(nets, (LAST, "last_published_repetition"), (HELD_OUT, "held_out_repetition")),
            "share of words in four-word phrases that come twice, above held-out text's",
            corrected="It repeats itself no more than held-out text does.",
        ),
        book(
            "real words",
            contrast(nets, (LAST, "last_published_words"), (HELD_OUT, "held_out_words")),
            "share of words, above held-out text's",
            region=at_least(-recipe.margin, why=least(recipe)),
            checks=known_words(recipe, nets),
            corrected=lambda share: (
                f"{-100 * share.estimate:.0f} in 100 words more than in held-out text are not in the dictionary."
            ),
        ),
    ]


def known_words(recipe: Recipe, nets: Arm) -> tuple[Check]:
    """Whether the dictionary knows words of held-out text at all."""
    known = nets.mean("held_out_words").estimate
    return check("a dictionary that knows words of held-out text", known, lambda share: share > recipe.margin)


def early_parts(recipe: Recipe, nets: Arm) -> list[Part | AllOf]:
    """What writes no word copies nothing either, so a net that was stopped early has to do both: write, and not copy."""
    copies, writes = "copying, stopped early", "words, stopped early"
    book = partial(part, recipe, untrained=untrained(recipe, nets, loss="stopped_train_loss"))
    short = [copied(of, n=SHORT_PHRASE) for of in ("stopped_published", "held_out")]
    words, known = (nets.mean(name).estimate for name in ("stopped_published_words", "held_out_words"))
    again = nets.mean("stopped_published_repetition").estimate
    varied = check("texts of which most is no repetition of the same four words", again, lambda share: share < 0.5)
    return [
        AllOf(
            **said(recipe, "stopped early"),
            parts=(copies, writes),
            corrected=f"{100 * words:.0f} % of its words are in the dictionary, of held-out text's {100 * known:.0f} %.",
            note="Both must hold: that it does not copy, and that it writes words.",
        ),
        book(
            copies,
            contrast(nets, (BEST, short[0]), (HELD_OUT, short[1]), times=recipe.times),
            f"share of {SHORT_PHRASE}-word phrases, above {recipe.times:g} times held-out text's",
            region=at_most(0, why=f"{recipe.times:g} times what other pages of the book have in common with it by chance"),
            corrected=f"It has more than {recipe.times:g} times as many.",
        ),
        book(
            writes,
            contrast(nets, (BEST, "stopped_published_words"), (HELD_OUT, "held_out_words"), times=recipe.fluent),
            f"share of words, above {100 * recipe.fluent:g} % of held-out text's",
            region=at_least(0, why=f"{100 * recipe.fluent:g} % as many as held-out text has"),
            checks=(*known_words(recipe, nets), *varied),
            corrected=f"{100 * words:.0f} % of its words are in the dictionary, of held-out text's {100 * known:.0f} %.",
        ),
    ]
