"""What an audit is expected to find: a judgment for each check, from a TOML file or from an audit that was recorded before."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from erlangen.errors import BREACHED, NOT_MEASURED, DamagedFileError, ErlangenError
from erlangen.records.audit import AuditRecord, Checked, Judgment
from erlangen.records.files import from_json, read_json

ORDER: tuple[str, ...] = ("exact", "holds", "undecided", "broken")  # from best to worst
IGNORED = "ignored"
ALLOWED = ("exact", "holds", "undecided", "broken", IGNORED)


@dataclass(frozen=True)
class Expectations:
    """check -> the worst judgment that is accepted, or `ignored`. source: the file that says so.

    optional: checks that need not be run. model, domain, threshold, inputs: of the audit that was recorded; "" or None if the
    file is no such record.
    """

    judgments: Mapping[str, str]
    source: str
    optional: frozenset[str] = frozenset()
    model: str = ""
    domain: str = ""
    threshold: float | None = None
    inputs: int | None = None

    def check_domain(self, domain: str) -> None:
        """Raises ErlangenError if the recorded audit is one of another domain, with which nothing can be compared."""
        if self.domain and self.domain != domain:
            other = f"an audit of {self.domain} ({self.model}), not of {domain}"
            raise ErlangenError(f"{self.source} is {other}: there is nothing to compare")

    def accepts(self, check: Checked) -> bool | None:
        """Whether a judgment is as good as expected, or better; None if nothing is expected of this check."""
        expected = self.judgments.get(check.name)
        if expected is None:
            return None
        if expected == IGNORED or check.judgment == expected:
            return True
        if expected not in ORDER:  # it could not be measured then: what can be now is judged as any other check
            return None
        return check.judgment in ORDER and ORDER.index(check.judgment) <= ORDER.index(expected)

    def missing(self, record: AuditRecord) -> list[str]:
        """Checks with an expectation that were not run."""
        run = {check.name for check in record.checks}
        return [
            name
            for name, expected in self.judgments.items()
            if name not in run and expected in ORDER and name not in self.optional
        ]

    def applied(self, record: AuditRecord) -> AuditRecord:
        """The record as CI is to read it: an accepted check is informational, and one that is worse than expected is not."""
        return replace(record, checks=tuple(self.apply(check) for check in record.checks))

    def apply(self, check: Checked) -> Checked:
        accepted = self.accepts(check)
        if accepted is None:
            return check
        expected = f"{self.judgments[check.name]} is expected by {self.source}"
        if accepted and check.judgment in ("exact", "holds"):
            return check
        if accepted:
            return replace(check, informational=True, reason=f"{check.reason}; accepted by {self.source}")
        if check.judgment in ("not measured", "broken"):
            return replace(check, informational=False, reason=f"{check.reason}; {expected}")
        worse: Judgment = "broken"
        return replace(check, informational=False, judgment=worse, reason=f"{check.judgment}, but {expected}: {check.reason}")

    def exit_code(self, record: AuditRecord, strict: bool = False) -> int:
        """That of the record as CI is to read it; NOT_MEASURED if a check with an expectation was not run.

        If all checks are accepted, the code is 0.
        """
        applied = self.applied(record)
        counted = replace(applied, checks=tuple(check for check in applied.checks if not check.informational))
        code = counted.exit_code(strict) if counted.checks else 0
        return code if code == BREACHED or not self.missing(record) else NOT_MEASURED

    def summary(self, record: AuditRecord) -> list[str]:
        """One line for each check that is better than expected, and for each difference between the two audits."""
        lines = []
        if self.model and self.model != record.model:
            lines.append(f"{self.source} is an audit of {self.model}, this one of {record.model}")
        if self.threshold not in (None, record.threshold):
            lines.append(f"{self.source} has a threshold of {self.threshold:g}, this audit one of {record.threshold:g}")
        if self.inputs not in (None, record.inputs):
            lines.append(f"{self.source} is an audit of {self.inputs} inputs, this one of {record.inputs}")
        for check in record.checks:
            expected = self.judgments.get(check.name)
            if expected in ORDER and check.judgment in ORDER and ORDER.index(check.judgment) < ORDER.index(str(expected)):
                lines.append(f"{check.name} is {check.judgment}, better than the {expected} of {self.source}")
        return lines


def read_expectations(path: Path) -> Expectations:
    """From TOML: `translation = "holds"`, one line for each check. Raises ErlangenError for anything else."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ErlangenError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ErlangenError(f"{path} is not TOML: {error}") from None
    for name, expected in content.items():
        if expected not in ALLOWED:
            close = difflib.get_close_matches(str(expected), ALLOWED, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"expect one of {', '.join(ALLOWED)}"
            raise ErlangenError(f"{path}: {name} = {expected!r} is not a judgment; {hint}")
    return Expectations(content, str(path))


def recorded_expectations(path: Path) -> Expectations:
    """The judgments of an audit that `--json` wrote: none may become worse. Raises ErlangenError if it holds none."""
    data = read_json(path)
    if not isinstance(data, dict) or not isinstance(data.get("schema"), int) or not {"fault", "checks"} & data.keys():
        raise DamagedFileError(f"{path} is not a record of `erlangen audit --json`")
    if "fault" in data:
        raise DamagedFileError(f"{path} records an audit that failed: {data['fault']}")
    record = from_json(AuditRecord, data, str(path))
    optional = frozenset(check.name for check in record.checks if check.informational)
    judgments: dict[str, str] = {check.name: check.judgment for check in record.checks}
    return Expectations(judgments, str(path), optional, record.model, record.domain, record.threshold, record.inputs)


assert set(ORDER) < set(get_args(Judgment))
