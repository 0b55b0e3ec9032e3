"""The words for whose sentence a part of a claim is, and for what came of it. Nobody claimed an extension: it is not refuted."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.records.runs import Answer, Of, Outcome, Verdict
from erlangen.report.numbers import region

TOGETHER = 0.95  # the level at which all intervals of a claim hold together
MARKS = {"supported": "✓", "refuted": "✗", "inconclusive": "?", "not measured": "–"}
OUTCOMES: dict[tuple[Of, Outcome], str] = {
    ("extension", "refuted"): "does not hold",
    ("control", "supported"): "passed",
    ("control", "refuted"): "failed",
}
STATED: tuple[Of, ...] = ("report", "rival", "claim")  # that somebody stated: headlines count these
SOURCES: dict[Of, str] = {
    "report": "the report", "rival": "the literature", "claim": "the claim", "extension": "this package", "control": "control",
}  # fmt: skip
CONDITIONS: dict[Of, str] = {**dict.fromkeys(STATED, "supported if"), "extension": "holds if", "control": "passes if"}
BEYOND = "beyond the claim"  # what stands for the outcome of an answer about something else than the claim as stated


def outcome(verdict: Verdict) -> str:
    """What came of a part, in a word or two."""
    return OUTCOMES.get((verdict.of, verdict.verdict), verdict.verdict)


def word(answer: Answer) -> str:
    """What a claim came to, in a word; BEYOND where the run judged something else."""
    return BEYOND if answer.beyond else answer.answer


def answered(answer: Answer) -> str:
    """The sentence of an answer; what the run judged in the claim's place stands before it."""
    return f"{sentence(answer.beyond)} {answer.sentence}" if answer.beyond else answer.sentence


def quoted(fragments: Sequence[str], unjudged: Sequence[str] = ()) -> str:
    """'“acc valid < sconv < fconv” … “because larger maps keep more” (not judged)': the report's own words, in its order."""
    return " … ".join(f"“{fragment}”{' (not judged)' * (fragment in unjudged)}" for fragment in fragments)


def counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many of the parts that somebody stated came to each outcome."""
    outcomes = [verdict.verdict for verdict in verdicts if verdict.of in STATED]
    return {outcome: outcomes.count(outcome) for outcome in MARKS if outcome in outcomes}


def authors(verdicts: Sequence[Verdict]) -> str:
    """Who stated the parts: 'the report and the literature', 'the claim', or both."""
    kinds = {verdict.of for verdict in verdicts}
    others = "the report and the literature" if kinds & {"report", "rival"} or "claim" not in kinds else ""
    claims = "the claims" if len({verdict.claim for verdict in verdicts if verdict.of == "claim"}) > 1 else "the claim"
    return " and ".join(filter(None, (others, claims if "claim" in kinds else "")))


def mark(verdict: Verdict) -> str:
    """A sign for the outcome."""
    return "≠" if outcome(verdict) == "does not hold" else MARKS[verdict.verdict]


def condition(verdict: Verdict) -> str:
    """'supported if > 0', 'passes if none'; '' where there is no region."""
    return f"{CONDITIONS[verdict.of]} {needed(verdict)}" if needed(verdict) else ""


def needed(verdict: Verdict) -> str:
    """The region in words; of cases that are counted 'none' for zero."""
    words = region(verdict).removeprefix("= ")
    return "none" if words == "0" and verdict.kind == "exact" else words


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def simultaneous(verdicts: Sequence[Verdict]) -> str:
    """'All intervals: 95 % simultaneous over 10 parts (99.5 % each).'; '' where no part of the claim has an interval."""
    levels = [verdict.level for verdict in verdicts if verdict.level is not None]
    if not levels:
        return ""
    parts = round((1 - TOGETHER) / (1 - levels[0]))  # Bonferroni, see `statistics.regions.simultaneous_level`
    if parts == 1:
        return "The interval of its one statistical part: 95 %."
    return f"All intervals: 95 % simultaneous over {parts} parts ({100 * levels[0]:.4g} % each)."
