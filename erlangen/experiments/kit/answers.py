"""What a claim comes to: its parts as one word, beside one plain sentence."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.kit.wording import with_minus_signs
from erlangen.records.runs import Answer, AnswerOutcome, Of, Verdict

HEADLINES: tuple[Of, ...] = ("report", "rival", "claim")
"""The first kind that a claim has decides its answer."""


def answer(
    claim: str,
    verdicts: Sequence[Verdict],
    sentence: str,
    figure: str = "",
    *,
    whole: bool = True,
    needs: str = "",
    beyond: str = "",
) -> Answer:
    """The claim's answer from the verdicts of its parts; `sentence` says it in measured numbers, `figure` shows it.

    whole: whether the parts are all that the claim states; one that nothing judges yet leaves the claim partly supported at
    best. needs: what a recipe must have for the claim to be judged, as in "the rows a and b". beyond: see `Answer`. Where nothing
    was measured, the sentence says so in place of the judge's own.
    """
    own = headline([verdict for verdict in verdicts if verdict.claim == claim], bool(beyond))
    outcome = combine(own)
    if outcome == "supported" and not whole:
        outcome = "partly"
    if outcome == "not measured":
        why = next((verdict.next_step for verdict in own if verdict.verdict == "not measured"), "")
        why = why or (f"it needs {needs}" if needs and not own else "")
        sentence = f"This run did not measure the claim{f': {why}' if why else ''}."
    return Answer(claim=claim, answer=outcome, sentence=with_minus_signs(sentence), figure=figure, beyond=beyond)


def headline(verdicts: Sequence[Verdict], beyond: bool = False) -> list[Verdict]:
    """The parts that decide a claim's answer: the report's; without any, its rivals'; then the claim's own.

    Extensions say nothing of what was claimed. They decide only an answer that says it is about something else, with `beyond`.
    """
    kinds: tuple[Of, ...] = (*HEADLINES, "extension") if beyond else HEADLINES
    return next((kept for of in kinds if (kept := [verdict for verdict in verdicts if verdict.of == of])), [])


def combine(verdicts: Sequence[Verdict]) -> AnswerOutcome:
    """supported or refuted where all are; partly where some hold and some do not; else what is open: not measured first."""
    outcomes = {verdict.verdict for verdict in verdicts}
    if {"supported", "refuted"} <= outcomes:
        return "partly"
    if not outcomes or "not measured" in outcomes:
        return "not measured"
    if len(outcomes) == 1:
        return outcomes.pop()
    return "inconclusive"
