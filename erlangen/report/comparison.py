"""What changed between two runs of one experiment: verdict by verdict, and table by table, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from erlangen.errors import ErlangenError
from erlangen.records.files import Scalar
from erlangen.records.runs import Answer, Figure, Verdict
from erlangen.report.folder import read_answers, read_figures, read_run, read_verdicts
from erlangen.report.numbers import cell, measured
from erlangen.report.wording import answered, needed, outcome, word

COLUMNS = ("of", "row", "quantity", "before", "after")
Cells = dict[tuple[str, str, str], Scalar]  # claim or table, part or row, quantity -> its value


@dataclass(frozen=True)
class Change:
    """One value that differs. of: a claim or a table; row: a part of the claim or a row of the table. None: it is not there."""

    of: str
    row: str
    quantity: str
    before: Scalar
    after: Scalar


@dataclass(frozen=True)
class Comparison:
    """Two runs: what differs, and how many parts and rows of tables both have and agree on."""

    changes: tuple[Change, ...]
    same: int

    def figure(self) -> Figure:
        """The changes as a table."""
        rows = tuple((one.of, one.row, one.quantity, one.before, one.after) for one in self.changes)
        return Figure(name="comparison", title="What changed", caption="One row for each value.", columns=COLUMNS, rows=rows)


def compare(before: Path, after: Path) -> Comparison:
    """Two run folders. Raises ErlangenError where one is none, or where they hold runs of different experiments."""
    names = [read_run(folder).experiment for folder in (before, after)]
    if names[0] != names[1]:
        raise ErlangenError(f"{before} holds {names[0]} and {after} {names[1]}: compare two runs of one experiment")
    old, new = (cells(folder) for folder in (before, after))
    changes = tuple(Change(*key, old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key))
    changed = {(one.of, one.row) for one in changes}
    return Comparison(changes, len({key[:2] for key in old.keys() & new.keys()} - changed))


def cells(folder: Path) -> Cells:
    """All values of a run that can be compared: answers, verdicts, and the tables that are figures by themselves."""
    found: Cells = {}
    for answer in read_answers(folder):
        found |= answer_cells(answer)
    for verdict in read_verdicts(folder):
        found |= verdict_cells(verdict)
    for figure in read_figures(folder).figures:
        if figure.spec is None:
            found |= table_cells(figure)
    return found


def answer_cells(answer: Answer) -> Cells:
    return {(answer.claim, "answer", "outcome"): word(answer), (answer.claim, "answer", "sentence"): answered(answer)}


def verdict_cells(verdict: Verdict) -> Cells:
    """Its outcome, and effect, interval and region as the terminal prints them."""
    values = {"outcome": outcome(verdict), "effect": measured(verdict), "region": needed(verdict)}
    return {(verdict.claim, verdict.part, name): value for name, value in values.items() if value}


def table_cells(figure: Figure) -> Cells:
    """A table's entries by row, which its first columns name: as few of them as tell all rows apart."""
    keys = row_names(figure.rows)
    return {
        (figure.title, name, column): cell(value)
        for name, row in zip(keys, figure.rows, strict=True)
        for column, value in zip(figure.columns, row, strict=True)
    }


def row_names(rows: Sequence[Sequence[Scalar]]) -> list[str]:
    """'pooled, valid' for each row."""
    widths = range(1, len(rows[0]) + 1 if rows else 1)
    width = next((width for width in widths if len({tuple(row[:width]) for row in rows}) == len(rows)), 1)
    return [", ".join(cell(value) for value in row[:width]) for row in rows]
