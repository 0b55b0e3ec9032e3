"""A book seen hundreds of times: verdicts and the answer."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.fairytales import Recipe
from erlangen.experiments.fairytales.book_parts import early_parts, last_step_parts
from erlangen.experiments.fairytales.evidence import books, copied, tales
from erlangen.experiments.fairytales.regime_parts import regime_parts
from erlangen.experiments.fairytales.report_parts import net_parts, quote_parts
from erlangen.experiments.fairytales.tale_parts import tale_parts
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.texts import TEXTS, beyond_the_report
from erlangen.records.runs import Answer, Verdict


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """The report's regime, what its nets repeat, what is in its book, what becomes of a text seen too often, and of tales."""
    nets = books(evidence)
    return decide(
        [
            *net_parts(recipe, nets),
            *tale_parts(recipe, evidence),
            *quote_parts(recipe, evidence),
            *early_parts(recipe, nets),
            *last_step_parts(recipe, nets),
            *(regime_parts(recipe, nets) if recipe.corpus in TEXTS else []),
        ]
    )


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """What the nets copy, and what they know of new tales: what the report speaks of."""
    nets = books(evidence)
    last, held_out = (100 * nets.mean(copied(of)).estimate for of in ("last_published", "held_out"))
    sentence = (
        f"After {nets.mean('views').estimate:.4g} views of each character, {last:.3g} % of the five-word phrases that a small "
        f"GPT writes are in its training text (held-out pages: {held_out:.2g} %)."
    )
    return [
        answer(
            "T9",
            verdicts,
            sentence + sense(recipe, evidence),
            figure="memory",
            whole=recipe.corpus == "grimm" and recipe.tale_steps > 0,
            beyond=beyond_the_report(recipe.corpus),
        )
    ]


def sense(recipe: Recipe, evidence: Evidence) -> str:
    """What it knows of the grammar of tales; '' where no net saw any."""
    if not recipe.tale_steps:
        return ""
    order, kinds = (100 * tales(evidence, "few").mean(f"last_{kind}").estimate for kind in ("order", "kinds"))
    return (
        f" Of new tales, whose grammar is known, a net that saw few chooses the right order of words in {order:.3g} % and a "
        f"noun that makes sense in {kinds:.3g} %, where a coin is right in 50 %."
    )
