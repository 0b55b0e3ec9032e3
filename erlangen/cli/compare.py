"""`erlangen compare`: what changed between two runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from erlangen.cli.outputs import Csv, Outputs
from erlangen.cli.text import print_text

if TYPE_CHECKING:
    from erlangen.report.comparison import Comparison

Before = Annotated[Path, typer.Argument(metavar="BEFORE", help="A run folder.")]
After = Annotated[Path, typer.Argument(metavar="AFTER", help="Another run of the same experiment.")]


def compare(
    before: Before,
    after: After,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the changes as Markdown.")] = False,
    csv_file: Csv = None,
) -> None:
    """Show what changed between two runs.

    Outcomes, effects and intervals of each part, and tables row by row. The exit code is 0 whether or not anything changed.
    """
    from erlangen.report.comparison import compare as compared
    from erlangen.report.folder import read_run
    from erlangen.report.tables import csv_table, markdown_table
    from erlangen.sweep.differences import differences

    outputs = Outputs({"--csv": csv_file})
    found = compared(before, after)
    table = found.figure()
    recipe = differences(read_run(before), read_run(after))

    def show() -> None:
        if markdown:
            print(markdown_table(table.columns, table.rows), end="")
        else:
            print_changes(found, recipe)

    raise SystemExit(outputs.deliver({"--csv": lambda: csv_table(table.columns, table.rows)}, show))


def print_changes(found: Comparison, recipe: list[str]) -> None:
    """How the recipes differ, then a block for each part and row that changed."""
    if recipe:
        print_text(f"Recipe: {', '.join(recipe)}.")
        print()
    place = None
    for change in found.changes:
        if (change.of, change.row) != place:
            place = (change.of, change.row)
            print_text(change.row, label=[(f"{change.of}  ", "bold")])
        old, new = ("(absent)" if value is None else str(value) for value in (change.before, change.after))
        print_text(f"{change.quantity}: {old} → {new}", 4)
    if found.changes:
        print()
    print_text(f"Unchanged parts and rows: {found.same}.")
