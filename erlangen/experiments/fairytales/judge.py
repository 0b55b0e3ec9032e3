"""A book seen hundreds of times: verdicts and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from erlangen.experiments.fairytales import Recipe
from erlangen.experiments.fairytales.evidence import NATS, NEW, TRAINING_LOSS, books, contrast, copied, published, tales
from erlangen.experiments.fairytales.tale_parts import check, least, part, tale_parts, untrained
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Arm, Evidence, mean
from erlangen.experiments.kit.parts import Part
from erlangen.experiments.kit.texts import TEXTS, beyond_the_report
from erlangen.records.runs import Answer, Verdict
from erlangen.statistics.regions import Region, at_least, at_most, within

LAST, BEST, HELD_OUT = "the net, last step", "the net, best step", "held-out text"


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """The report's regime and what its nets copy, what becomes of a text that is seen too often, and of tales."""
    nets = books(evidence)
    regime = [training_loss(recipe, nets)] if recipe.corpus in TEXTS else []
    return decide([*regime, copied_phrases(recipe, nets), *book_parts(recipe, nets), *tale_parts(recipe, evidence)])


def near_the_report(recipe: Recipe) -> Region:
    """Training losses that count as those of the report's regime."""
    loss = published()["train_loss_by_epoch"][-1]
    return within(recipe.near, around=loss, why=f"the published loss, give or take {recipe.near:g} {NATS}")


def training_loss(recipe: Recipe, nets: Arm) -> Part:
    """Control: are these nets in the report's regime?"""
    views, parameters, plain = (nets.mean(name).estimate for name in ("views", "parameters_a_character", "last_train_loss"))
    region = near_the_report(recipe)
    return part(
        recipe,
        "training loss",
        mean(nets, TRAINING_LOSS, unit=NATS),
        f"{NATS}, with dropout, in the last fifth of the steps",
        of="control",
        region=region,
        corrected=lambda loss: f"Scaled down, the nets reach {loss.estimate:.2f} {NATS}, not {region.center:.2f}.",
        published=region.center,
        note=f"{views:.4g} views and {parameters:.3g} parameters per character (the report's net: {published()['views']} and "
        f"{published()['parameters_a_character']}). Without dropout the training loss is {plain:.3g}.",
    )


def copied_phrases(recipe: Recipe, nets: Arm) -> Part:
    """Does a net repeat what it has seen? Of the report's net only one in its regime can tell."""
    region, loss = near_the_report(recipe), nets.mean(TRAINING_LOSS).estimate
    name = f"a training loss within {recipe.near:g} {NATS} of the report's"
    return part(
        recipe,
        "copied phrases",
        contrast(nets, (LAST, copied("last_published")), (HELD_OUT, copied("held_out"))),
        "share of phrases, above held-out text's",
        untrained=untrained(recipe, nets),
        checks=check(name, loss, lambda loss: region.low <= loss <= region.high) if recipe.corpus in TEXTS else (),
        corrected="It has no more phrases in common with its training text than held-out text has.",
        note=f"With temperature 1 and without top-p the net's share is {nets.mean(copied('last_plain')).estimate:.3g}.",
    )


def book_parts(recipe: Recipe, nets: Arm) -> list[Part]:
    """What becomes of the held-out loss, and of what the nets write at the last step and at the best one."""
    book = partial(part, recipe, untrained=untrained(recipe, nets))
    fell = nets.mean("last_train_loss").estimate - nets.mean("stopped_train_loss").estimate
    words, known = nets.mean("stopped_published_words").estimate, nets.mean("held_out_words").estimate
    fluent = f"{100 * recipe.fluent:g} % as many words in the dictionary as held-out text has, at the best step"
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
            checks=check("a dictionary that knows words of held-out text", known, lambda share: share > recipe.margin),
            corrected=lambda share: (
                f"{-100 * share.estimate:.0f} in 100 words more than in held-out text are not in the dictionary."
            ),
        ),
        book(
            "stopped early",
            contrast(nets, (BEST, copied("stopped_published")), (HELD_OUT, copied("held_out"))),
            "share of phrases, above held-out text's",
            region=at_most(recipe.margin, why=least(recipe)),
            checks=check(
                fluent, words, lambda share: 0 < recipe.fluent * known <= share
            ),  # what writes no word cannot copy either
            corrected=lambda share: f"It still copies {100 * share.estimate:.0f} in 100 phrases more.",
        ),
    ]


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """What the nets copy, and what a grammar finds in tales."""
    nets, new = books(evidence), 100 * tales(evidence, "few").mean(NEW).estimate
    last, best, held_out = (100 * nets.mean(copied(of)).estimate for of in ("last_published", "stopped_published", "held_out"))
    sentence = (
        f"After {nets.mean('views').estimate:.4g} views of each character, {last:.3g} % of a net's five-word phrases are copied "
        f"from its training text (held-out text: {held_out:.2g} %; the net at its best step: {best:.2g} %); no grammar decides "
        f"whether a book makes sense, but of the tales that a net tells after few tales {new:.2g} % are grammatical and new."
    )
    return [answer("T9", verdicts, sentence, figure="copied", beyond=beyond_the_report(recipe.corpus))]
