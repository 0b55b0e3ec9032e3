"""Attention heads: verdicts and the answer."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.heads import Recipe
from erlangen.experiments.heads.evidence import heads_in_words, nets
from erlangen.experiments.heads.net_parts import RANK, of_nets
from erlangen.experiments.heads.rank_parts import PRODUCTS, counted
from erlangen.experiments.heads.tasks import Ranks
from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.counts import total
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.texts import beyond_the_report, text_title
from erlangen.records.runs import Answer, Verdict


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """What nets show, and what is counted."""
    return decide([*of_nets(recipe, evidence), *counted(recipe, evidence)])


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """Effective ranks and losses of one head and of several, and how often the formula fails."""
    several, one = (nets(evidence, heads).arm for heads in (recipe.several, 1))
    ranks = [arm.mean(RANK).estimate for arm in (several, one)]
    losses = [arm.mean("test_loss").estimate for arm in (several, one)]
    results = evidence.of(Ranks)
    below, draws = (sum(total(results, f"{kind}_{name}") for kind in PRODUCTS) for name in ("below", "draws"))
    words = heads_in_words(recipe.several)
    sentence = (
        f"At equal cost, on {text_title(recipe.corpus)}, the attention output of {words} has an effective rank of "
        f"{ranks[0]:.1f} of {recipe.width} and that of one head {ranks[1]:.1f}; their losses are {losses[0]:.3f} and "
        f"{losses[1]:.3f} nats per character. The rank of weights times values is at most the smaller of the two ranks, and was "
        f"below it in {below:.0f} of {draws:.0f} products."
    )
    return [answer("T4", verdicts, sentence, figure="heads", beyond=beyond_the_report(recipe.corpus))]
