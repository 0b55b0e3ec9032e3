"""The result of an audit: its record, with what a caller does with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from erlangen.records.audit import AuditRecord


class BrokenError(AssertionError):
    """A threshold was breached. The message has one line for each broken check."""


@dataclass(frozen=True, kw_only=True)
class Audit(AuditRecord):
    """The record that `audit` returns: print it, show it in a notebook, save it, or assert that nothing is broken."""

    def __str__(self) -> str:
        from erlangen.report.audit_text import audit_text

        return audit_text(self)

    def _repr_html_(self) -> str:
        from erlangen.report.audit_page import notebook_html

        return notebook_html(self)

    def save(self, path: str | Path) -> Path:
        """Writes a page (.html) or the record (.json). Raises ErlangenError for another suffix, or if it cannot be written."""
        from erlangen.report.audit_page import save

        return save(self, Path(path))

    def raise_if_broken(self, strict: bool = False) -> Audit:
        """Raises BrokenError if a check is broken (strict: or undecided, or not measured); otherwise returns the audit."""
        from erlangen.report.audit_text import reason_of

        bad = ("broken", "undecided", "not measured") if strict else ("broken",)
        lines = [f"{c.name} {c.judgment}: {reason_of(c)}" for c in self.checks if c.judgment in bad and not c.informational]
        if lines:
            raise BrokenError(f"{self.model}\n" + "\n".join(lines))
        return self
