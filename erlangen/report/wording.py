"""The words for whose sentence a part of a claim is, and for what came of it. Nobody claimed an extension: it is not refuted."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.records.runs import Of, Outcome, Verdict
from erlangen.report.numbers import region

TOGETHER = 0.95  # the level at which all intervals of a claim hold together
MARKS = {"supported": "✓", "refuted": "✗", "inconclusive": "?", "not measured": "–"}
OUTCOMES: dict[tuple[Of, Outcome], str] = {
    ("extension", "refuted"): "does not hold",
    ("control", "supported"): "passed",
    ("control", "refuted"): "failed",
}
SOURCES: dict[Of, str] = {"report": "the report", "rival": "the literature", "extension": "this package", "control": "control"}
CONDITIONS: dict[Of, str] = {"report": "supported if", "rival": "supported if", "extension": "holds if", "control": "passes if"}


def outcome(verdict: Verdict) -> str:
    """What came of a part, in a word or two."""
    return OUTCOMES.get((verdict.of, verdict.verdict), verdict.verdict)


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
