"""What every command leaves behind: frozen records, JSON in and out. They import nothing of ours but `errors`.

from erlangen.records import Claim, Job, Measurement, Verdict
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.records.audit import AuditRecord as AuditRecord, Checked as Checked
    from erlangen.records.evaluation import Evaluated as Evaluated
    from erlangen.records.inspection import Look as Look
    from erlangen.records.rows import Rows as Rows
    from erlangen.records.runs import (
        Answer as Answer,
        Claim as Claim,
        Figure as Figure,
        Group as Group,
        Job as Job,
        JobResult as JobResult,
        Measurement as Measurement,
        Run as Run,
        Verdict as Verdict,
    )
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
