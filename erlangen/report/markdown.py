"""A run folder's claims and verdicts as Markdown, for documents that live beside the code."""

from __future__ import annotations

from pathlib import Path

from erlangen.records.runs import Claim, Run, Verdict
from erlangen.report.folder import read_run, read_verdicts
from erlangen.report.page import interval, number


def write_markdown(folder: Path) -> str:
    """One section a claim: how it is measured, a row for each part, and what corrects or explains it."""
    run, verdicts = read_run(folder), read_verdicts(folder)
    sections = [section(run, claim, [v for v in verdicts if v.claim == claim.id]) for claim in run.claims]
    return "\n".join(part for part in sections if part)


def section(run: Run, claim: Claim, verdicts: list[Verdict]) -> str:
    """'' where the run judged no part of the claim."""
    if not verdicts:
        return ""
    lines = [f"## {claim.id}: {claim.statement}", "", f"`{run.command}`. {claim.how}", ""]
    lines += ["| part | verdict | effect | interval | n | measured | published |", "|---|---|---|---|---|---|---|"]
    for verdict in verdicts:
        effect = f"{number(verdict.effect)} {verdict.unit}".strip()
        numbers = (
            f"{effect} | {interval(verdict) or '–'} | {verdict.n} | {number(verdict.measured)} | {number(verdict.published)}"
        )
        lines.append(f"| {verdict.part} | {verdict.verdict} | {numbers} |")
    notes = []
    for verdict in verdicts:
        said = [("", verdict.corrected), ("test: ", verdict.test), ("next: ", verdict.next_step)]
        notes += [f"- {verdict.part}: {word}{text.rstrip('.')}." for word, text in said if text]
    return "\n".join([*lines, "", *notes, ""])
