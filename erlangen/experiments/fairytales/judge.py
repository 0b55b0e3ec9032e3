"""A book seen hundreds of times: verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from erlangen.experiments.fairytales import PHRASE, Recipe
from erlangen.experiments.fairytales.evidence import books, phrases, tales, values
from erlangen.experiments.fairytales.figures import curve_figure, tale_figure, verbatim_figure
from erlangen.experiments.kit.judging import ends, not_measured, published_numbers
from erlangen.records.runs import Findings, JobResult, Outcome, Verdict
from erlangen.statistics.intervals import Interval, mean_interval, paired_interval

ASKED = "After hundreds of views of each character, does a small GPT write, or remember?"
NEAR = 0.15  # nats per character around the published training loss that count as the source's regime

LEARNED = 0.1  # share of tales that are grammatical and new, below which a net has not learned to tell them

published = partial(published_numbers, "erlangen.experiments.fairytales")


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """Ten parts; those whose jobs failed, and what nothing can measure, are `not measured`."""
    return [
        regime(recipe, books(results)),
        held_out(recipe, books(results)),
        repeats(recipe, books(results)),
        itself(recipe, books(results)),
        words(recipe, books(results)),
        early_stopping(recipe, books(results)),
        *sense(recipe, tales(results)),
        Verdict(
            claim="T9", part="sense/book", kind="statistical", statement="What it writes in the book's style makes little sense.",
            verdict="not measured", next_step="no grammar says what makes sense there: ask readers, blind, with held-out text",
        ),
    ]  # fmt: skip


def verdict(
    recipe: Recipe,
    part: str,
    statement: str,
    interval: Interval,
    outcome: Outcome,
    *,
    unit: str,
    test: str,
    corrected: str | None = None,
    published: float | None = None,
    measured: float | None = None,
    next_step: str = "more seeds",
) -> Verdict:
    """A verdict on a mean over seeds; `not measured` where a seed is missing or was not finite."""
    if interval.n < recipe.seeds or not math.isfinite(interval.estimate):
        return not_measured("T9", part, statement, "statistical")
    if not math.isfinite(interval.low):
        outcome = "inconclusive"
    return Verdict(
        claim="T9", part=part, kind="statistical", statement=statement, verdict=outcome, effect=interval.estimate, unit=unit,
        interval=ends(interval), n=interval.n, test=test, published=published,
        measured=interval.estimate if measured is None else measured, corrected=corrected if outcome == "refuted" else None,
        next_step=next_step if outcome == "inconclusive" else "",
    )  # fmt: skip


def above(interval: Interval, margin: float = 0.0) -> Outcome:
    """Refuted where the interval is below 0 or within the margin, which counts as equal; else supported where it is above 0."""
    if interval.high < 0 or interval.within(margin):
        return "refuted"
    return "supported" if interval.low > 0 else "inconclusive"


def shown(numbers: Sequence[float]) -> str:
    return f"{mean_interval(numbers).estimate:.3g}"


def regime(recipe: Recipe, found: list[JobResult]) -> Verdict:
    theirs = published()["train_loss_by_epoch"][-1]
    interval = mean_interval(values(found, "train_loss_in_training"))
    outcome: Outcome = "inconclusive"
    if theirs - NEAR <= interval.low and interval.high <= theirs + NEAR:
        outcome = "supported"
    elif interval.high < theirs - NEAR or interval.low > theirs + NEAR:
        outcome = "refuted"
    return verdict(
        recipe, "regime", f"Its training loss falls to about {theirs:.2f} nats per character, the source's.", interval, outcome,
        unit="nats per character", published=theirs,
        corrected=f"Scaled down it falls to {interval.estimate:.2f} only: the source's net remembers more than these.",
        test=f"t interval over seeds of the mean training loss, dropout on, in the last fifth, within {NEAR:g} of the source's; "
        f"{shown(values(found, 'views'))} views, {shown(values(found, 'parameters_a_character'))} parameters a character "
        f"(source {published()['views']} and {published()['parameters_a_character']}); without dropout "
        f"{shown(values(found, 'last_train_loss'))}",
    )  # fmt: skip


def held_out(recipe: Recipe, found: list[JobResult]) -> Verdict:
    stopped, last = (values(found, f"{which}_test_loss") for which in ("stopped", "last"))
    fell = paired_interval(values(found, "last_train_loss"), values(found, "stopped_train_loss"))
    seen = [result.values("curve_train") or (math.nan,) for result in found]
    learned = mean_interval([curve[-1] - curve[0] for curve in seen])
    interval = paired_interval(last, stopped)
    outcome = above(interval, recipe.margin)
    if outcome == "supported" and not fell.high < 0:
        outcome = "inconclusive"
    if outcome == "refuted" and not learned.high < 0:  # no "while"
        outcome = "inconclusive"
    return verdict(
        recipe, "held-out", "While the training loss falls, the loss on held-out text rises.", interval, outcome,
        unit="nats per character of test text, last step less the best", published=published()["train_loss_by_epoch"][-1],
        measured=mean_interval(values(found, "last_train_loss")).estimate,
        corrected=f"The loss on held-out text does not rise by {recipe.margin:g}.",
        test=f"paired t by seed; the best step is at {shown(values(found, 'best_views'))} views, chosen by validation text; test "
        f"loss {shown(stopped)} there, {shown(last)} at the end ({shown(values(found, 'last_test_bits'))} bits per byte); on the "
        f"text seen {shown(values(found, 'stopped_train_loss'))}, then {shown(values(found, 'last_train_loss'))}, which "
        "stands beside the published one",
    )  # fmt: skip


def repeats(recipe: Recipe, found: list[JobResult]) -> Verdict:
    mine, theirs, plain = (phrases(found, of) for of in ("last_published", "held_out", "last_plain"))
    interval = paired_interval(mine, theirs)
    return verdict(
        recipe, "repeats", "It repeats phrases of the text that it was trained on.", interval, above(interval, recipe.margin),
        unit=f"share of {PHRASE}-word phrases found in the training text, above held-out text",
        corrected=f"It has no more of its {PHRASE}-word phrases from the training text than the book's own next pages, give "
        f"or take {recipe.margin:g}.",
        test=f"paired t by seed; {shown(mine)} of its phrases stand in the training text, {shown(theirs)} of those of held-out "
        f"text; {shown(plain)} when drawn without temperature and top-p",
    )  # fmt: skip


def itself(recipe: Recipe, found: list[JobResult]) -> Verdict:
    mine, theirs = (values(found, f"{of}_repetition") for of in ("last_published", "held_out"))
    interval = paired_interval(mine, theirs)
    return verdict(
        recipe, "itself", "It repeats itself.", interval, above(interval, recipe.margin),
        unit="share of words in four-word phrases that come twice in the text, above held-out text",
        corrected=f"It repeats itself no more than the book does, give or take {recipe.margin:g}.",
        test=f"paired t by seed, equal within {recipe.margin:g}; {shown(mine)} of the words, {shown(theirs)} in held-out text",
    )  # fmt: skip


def words(recipe: Recipe, found: list[JobResult]) -> Verdict:
    mine, theirs = (values(found, f"{of}_words") for of in ("last_published", "held_out"))
    interval = paired_interval(mine, theirs)
    outcome: Outcome = "inconclusive"
    if interval.low > -recipe.margin:
        outcome = "supported"
    elif interval.high < -recipe.margin:
        outcome = "refuted"
    listed = {"english": "English words", "training": "words of the training text"}[recipe.dictionary]
    return verdict(
        recipe, "words", "What it writes are words.", interval, outcome, unit=f"share of {listed}, against held-out text",
        corrected=f"{-100 * interval.estimate:.0f} in 100 words more than in the book are none.",
        test=f"paired t by seed, at most {recipe.margin:g} below; {shown(mine)} are {listed}, {shown(theirs)} in held-out text, "
        f"{shown(values(found, 'stopped_published_words'))} at the least validation loss",
    )  # fmt: skip


def early_stopping(recipe: Recipe, found: list[JobResult]) -> Verdict:
    stopped, theirs, last = (phrases(found, of) for of in ("stopped_published", "held_out", "last_published"))
    interval = paired_interval(stopped, theirs)
    outcome: Outcome = "inconclusive"
    if interval.high <= recipe.margin:
        outcome = "supported"
    elif interval.low > recipe.margin:
        outcome = "refuted"
    return verdict(
        recipe, "early-stopping", "Stopped at its least validation loss, it copies no more than chance.", interval, outcome,
        unit=f"share of {PHRASE}-word phrases found in the training text, above held-out text",
        corrected=f"It still copies: {100 * interval.estimate:.0f} of 100 phrases more than held-out text.",
        test=f"paired t by seed, at most {recipe.margin:g} above; {shown(stopped)} of its phrases, {shown(theirs)} in held-out "
        f"text, {shown(last)} without stopping; {shown(values(found, 'stopped_published_words'))} of the words it then writes "
        f"are words, {shown(values(found, 'held_out_words'))} in held-out text",
    )  # fmt: skip


def sense(recipe: Recipe, found: dict[str, list[JobResult]]) -> list[Verdict]:
    """What a grammar can decide."""
    few, many = found["few"], found["many"]
    right = {arm: values(nets, "last_published_grammatical_and_new") for arm, nets in found.items()}
    far = {arm: values(nets, "last_above_floor") for arm, nets in found.items()}
    floor = shown(values(many, "last_floor"))
    copies = values(few, "last_published_copies")
    better, farther, copied = (
        paired_interval(right["many"], right["few"]),
        paired_interval(far["few"], far["many"]),
        paired_interval(copies, right["few"]),
    )
    followed = {arm: shown(values(nets, "last_published_followed")) for arm, nets in found.items()}
    grammatical = values(few, "last_published_grammatical")
    told, copying = above(better, recipe.margin), above(copied, recipe.margin)
    learned, sensible = (max(map(max, each), default=0) >= LEARNED if few else False for each in (right.values(), [grammatical]))
    told = "inconclusive" if told == "refuted" and not learned else told  # neither net tells tales
    copying = copying if sensible else "inconclusive"
    longer = "more tale_steps: no net has learned to tell tales"
    views = f"{shown(values(few, 'views'))} views of {recipe.few} tales against {shown(values(many, 'views'))} of many"
    return [
        verdict(
            recipe, "sense/grammar",
            "A net that saw few texts again and again tells fewer tales of its own that make sense than one that saw many.",
            better, told, unit="share of tales that are grammatical and no copies, many less few",
            corrected="It tells as many of its own.", next_step="more seeds" if learned else longer,
            test=f"paired t by seed, {views}, as many steps; {shown(right['many'])} against {shown(right['few'])}; "
            f"the share of a tale that the grammar follows {followed['many']} and {followed['few']}",
        ),
        verdict(
            recipe, "sense/floor", "Few texts seen again and again leave a net farther from the true distribution.",
            farther, above(farther, recipe.margin), unit="nats per character above the floor, few less many",
            corrected=f"They do not, give or take {recipe.margin:g} nats per character.",
            test=f"paired t by seed, {views}; fresh tales, the same characters, floor {floor}; above it {shown(far['few'])} and "
            f"{shown(far['many'])}, at the least validation loss {shown(values(few, 'stopped_above_floor'))} and "
            f"{shown(values(many, 'stopped_above_floor'))}",
        ),
        verdict(
            recipe, "sense/copies", "After few texts, most tales that make sense are copies of them.", copied, copying,
            unit="share of tales that are copies, above that of other grammatical ones",
            corrected="As many or more of those that make sense are of its own.", next_step="more seeds" if sensible else longer,
            test=f"paired t by seed; {shown(grammatical)} of its tales are grammatical, {shown(copies)} are copies; after many "
            f"texts {shown(values(many, 'last_published_copies'))}; {shown(values(few, 'fresh_copies'))} in the grammar's own",
        ),
    ]  # fmt: skip


def findings(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings:
    """The page's question, its answer, its figures."""
    found = books(results)
    if not found:
        return Findings(asked=ASKED, found="Nothing was measured.")
    mine, theirs, stopped = (
        100 * mean_interval(phrases(found, of)).estimate for of in ("last_published", "held_out", "stopped_published")
    )
    answer = (
        f"The loss on held-out text is least after {shown(values(found, 'best_views'))} views of each character, "
        f"{shown(values(found, 'stopped_test_loss'))} nats; after {shown(values(found, 'views'))} it is "
        f"{shown(values(found, 'last_test_loss'))}, and {shown(values(found, 'last_train_loss'))} on the text seen. Then "
        f"{mine:.0f} % of the {PHRASE}-word phrases it writes stand in the training text; {stopped:.0f} % at the best step, "
        f"{theirs:.1f} % of held-out text."
    )  # fmt: skip
    return Findings(
        asked=ASKED, found=answer, figures=(curve_figure(found), *verbatim_figure(found), *tale_figure(tales(results)))
    )
