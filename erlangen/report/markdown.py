"""A run folder as Markdown: each claim's answer, the verdicts with the statements that they judge, the tables of the figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from erlangen.records.runs import Answer, Claim, Figure, Run, Verdict
from erlangen.report.citation import citation, report_words
from erlangen.report.folder import read_answers, read_figures, read_run, read_verdicts
from erlangen.report.numbers import measured, number
from erlangen.report.tables import markdown_table
from erlangen.report.wording import SOURCES, answered, needed, outcome, sentence, simultaneous, word

LONGEST = 30  # rows of the table behind a chart that are printed


def write_markdown(folder: Path) -> str:
    """One section for each claim, then one for each table."""
    run, figures = read_run(folder), read_figures(folder).figures
    return verdicts_markdown(folder) + "".join(table_section(run, folder, figure) for figure in figures)


def verdicts_markdown(folder: Path) -> str:
    """One section for each claim that the run judged, or says that it did not measure."""
    run, verdicts = read_run(folder), read_verdicts(folder)
    answers = {answer.claim: answer for answer in read_answers(folder)}
    judged = [claim for claim in run.claims if claim.id in answers or any(verdict.claim == claim.id for verdict in verdicts)]
    return "".join(
        claim_section(run, claim, answers.get(claim.id), [verdict for verdict in verdicts if verdict.claim == claim.id])
        for claim in judged
    )


def claim_section(run: Run, claim: Claim, answer: Answer | None, verdicts: Sequence[Verdict]) -> str:
    """The answer, how it was measured, a row for each part, and what corrects or explains it."""
    said = [f"**{word(answer).capitalize()}.** {answered(answer)}"] if answer else []
    if words := report_words(claim.id, verdicts):
        said.append(f"The report: {words}")
    said.append(f"{claim.how} Run: `{run.command}`.")
    if not verdicts:
        return "\n\n".join([f"## {claim.id}: {claim.statement}", *said]) + "\n\n"
    columns = ("outcome", "statement", "stated by", "measured", "holds if", "published")
    table = markdown_table(columns, [row(verdict) for verdict in verdicts])
    notes = "".join(f"- {note}\n" for verdict in verdicts for note in remarks(verdict))
    cited = f"Cite as: {citation(run, answer)}" if answer else ""
    below = [text for text in (simultaneous(verdicts), notes.rstrip("\n"), cited) if text]
    return "\n\n".join([f"## {claim.id}: {claim.statement}", *said, table.rstrip("\n"), *below]) + "\n\n"


def row(verdict: Verdict) -> tuple[str, ...]:
    """One part, with its statement."""
    published = "" if verdict.published is None else number(verdict.published)
    said = f"{verdict.statement} ({verdict.part})"
    return (outcome(verdict), said, SOURCES[verdict.of], measured(verdict), needed(verdict), published)


def remarks(verdict: Verdict) -> list[str]:
    """What corrects a part, what would decide it, and what a reader has to know."""
    texts = [
        verdict.corrected,
        verdict.next_step,
        verdict.sensitive and f"depends on the edge: {verdict.sensitive}",
        verdict.note,
    ]
    return [f"*{verdict.part}*: {sentence(text)}" for text in texts if text]


def table_section(run: Run, folder: Path, figure: Figure) -> str:
    """The table of a figure; of a long one behind a chart, how to get it."""
    if figure.spec is not None and len(figure.rows) > LONGEST:
        table = f"{len(figure.rows)} rows: `erlangen report {folder} --tables csv` writes them.\n"
    else:
        table = markdown_table(figure.columns, figure.rows)
    return f"\n### {figure.title}\n\n{figure.caption}\n\n{table}"
