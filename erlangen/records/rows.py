"""Tables as rows: a list of dicts that pandas, a spreadsheet or plain Python can take up."""

from __future__ import annotations

import csv
import importlib
import io
import json
from pathlib import Path
from typing import Any

from erlangen.errors import ErlangenError
from erlangen.records.files import write_atomically


class Rows(list[dict[str, Any]]):
    """A list of dicts, one for each row, all with the same keys."""

    @property
    def columns(self) -> list[str]:
        """The keys of the rows, in order."""
        return list(self[0]) if self else []

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`. Raises ErlangenError where pandas is not installed."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError:
            raise ErlangenError("to_pandas needs pandas, which is not installed: pip install pandas") from None
        return pandas.DataFrame(list(self), columns=self.columns)

    def to_csv(self, path: str | Path | None = None) -> str:
        """The rows as CSV text with a header line, written to `path` as well where one is given.

        Tuples become JSON lists, None an empty field.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self:
            writer.writerow(self.columns)
        for row in self:
            writer.writerow(json.dumps(value) if isinstance(value, list | tuple) else value for value in row.values())
        if path is not None:
            write_atomically(Path(path), text.getvalue())
        return text.getvalue()
