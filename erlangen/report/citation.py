"""How a result is cited, in one line, and the words of the report that it is about."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.claims import catalog
from erlangen.records.runs import Answer, Run, Verdict
from erlangen.report.folder import setting
from erlangen.report.wording import BEYOND, quoted


def citation(run: Run, answer: Answer) -> str:
    """'C4, “Four layers …”: partly (erlangen 0.1.0, experiment padding, quick preset, 3 seeds, float32 on cpu, 2026-11-27).'

    The statement is the one that the run recorded. Older folders have no date; then it is left out.
    """
    statement = next((claim.statement.rstrip(".") for claim in run.claims if claim.id == answer.claim), "")
    outcome = f"{BEYOND}, {answer.beyond}" if answer.beyond else answer.answer
    version = f"erlangen {run.versions['erlangen']}" if "erlangen" in run.versions else "erlangen"
    facts = [version, f"experiment {run.experiment}", setting(run), f"{run.precision} on {run.device}", run.date]
    named = f"{answer.claim}, “{statement}”" if statement else answer.claim
    return f"{named}: {outcome} ({', '.join(filter(None, facts))})."


def report_words(claim: str, verdicts: Sequence[Verdict]) -> str:
    """The report's own words of a claim, in its order, those marked that no part judges; '' for a claim that is not the report's.

    verdicts: those of the claim. Without a quote among them, a claim of that id is the user's own.
    """
    quotes = [verdict.quote for verdict in verdicts if verdict.quote]
    listed = catalog().get(claim)
    if listed is None or not quotes:
        return quoted(list(dict.fromkeys(quotes)))
    return quoted(listed.quotes, listed.open)
