"""Verdicts in a terminal: a block per claim, its answer first, then each part with the statement that it judges."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.cli.text import print_text
from erlangen.records.runs import Answer, Of, Verdict
from erlangen.report.numbers import measured, number
from erlangen.report.wording import BEYOND, answered, authors, condition, counts, mark, outcome, sentence, word

HEADINGS: dict[Of, str] = {
    "report": "Stated by the report:",
    "rival": "Stated in the literature:",
    "claim": "The claim:",
    "extension": "Beyond the claim:",
    "control": "Checks of the measurement:",
}
COLORS = {
    "supported": "green", "passed": "green", "partly": "yellow", "inconclusive": "yellow", "refuted": "red", "failed": "red",
    "does not hold": "cyan", BEYOND: "cyan",
}  # fmt: skip
NO_JOBS = "This run did not measure the claim: no job of its recipe does."
INDENT = 18  # of a part's text: two spaces, mark and outcome


def print_claims(answers: Sequence[Answer], verdicts: Sequence[Verdict], asked: Sequence[str] = ()) -> None:
    """A block for each claim, and under all of them how many statements came to which outcome.

    asked: claims that were asked for by their ids. They have a block even where nothing was judged, as has a claim whose answer
    says that it was not measured.
    """
    named = {answer.claim: answer for answer in answers}
    without = dict.fromkeys([*asked, *(answer.claim for answer in answers if answer.answer == "not measured")])
    for claim in dict.fromkeys(verdict.claim for verdict in verdicts):
        print_claim(claim, named.get(claim), [verdict for verdict in verdicts if verdict.claim == claim])
        print()
    for claim in unmeasured(list(without), verdicts):
        print_claim(claim, named.get(claim, Answer(claim=claim, answer="not measured", sentence=NO_JOBS)), [])
        print()
    print_text(summary(verdicts))


def unmeasured(asked: Sequence[str], verdicts: Sequence[Verdict], answers: Sequence[Answer] = ()) -> list[str]:
    """The claims that were asked for and of which no part was judged, or too few for an answer."""
    open_ones = {answer.claim for answer in answers if answer.answer == "not measured"}
    return [claim for claim in asked if claim not in {verdict.claim for verdict in verdicts} - open_ones]


def print_claim(claim: str, answer: Answer | None, verdicts: Sequence[Verdict]) -> None:
    """The answer, then the parts, grouped by whose sentences they judge."""
    if answer is not None:
        print_text(answered(answer), label=[(f"{claim}  ", "bold"), (f"{word(answer)}  ", COLORS.get(word(answer)))])
    for of, heading in HEADINGS.items():
        parts = [verdict for verdict in verdicts if verdict.of == of]
        if parts:
            print()
            print_text(heading, 2)
        for verdict in parts:
            print_part(verdict)


def print_part(verdict: Verdict) -> None:
    """Mark, outcome and statement; below it what was measured and what a reader has to know."""
    result = outcome(verdict)
    said = [numbers(verdict)]
    if verdict.corrected:
        said.append(f"{'Instead' if verdict.of == 'extension' else 'Corrected'}: {verdict.corrected}")
    if verdict.sensitive:
        said.append(f"Depends on the edge: {verdict.sensitive}.")
    if verdict.next_step:
        said.append(sentence(verdict.next_step))
    if verdict.note:
        said.append(f"Note: {verdict.note}")
    print_text(verdict.statement, label=[(f"  {mark(verdict)} {result:<{INDENT - 4}}", COLORS.get(result))])
    for paragraph in said:
        print_text(paragraph, INDENT)


def numbers(verdict: Verdict) -> str:
    """`gcn: 81.3 [80.8 to 81.8] %, n = 8; supported if between 79.6 and 82.5; published 81.5`"""
    said = [measured(verdict), condition(verdict)]
    if verdict.published is not None:
        said.append(f"published {number(verdict.published)}")
    return f"{verdict.part}: {'; '.join(filter(None, said))}"


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many statements came to which outcome, and what else was judged."""
    stated = ", ".join(f"{count} {outcome}" for outcome, count in counts(verdicts).items()) or "none judged"
    others = [
        f"{count} {name}{'s' * (count > 1)}"
        for of, name in (("extension", "extension"), ("control", "check"))
        if (count := sum(verdict.of == of for verdict in verdicts))
    ]
    beside = f" Judged beside them: {' and '.join(others)}." if others else ""
    return f"Statements of {authors(verdicts)}: {stated}.{beside} The intervals of a claim hold together at 95 %."
