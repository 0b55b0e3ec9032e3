"""Audits: named checks of any model -> verdicts. Models and inputs come from the caller; none of ours is needed.

from erlangen.auditing import Audit, audit, generated
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen._lazy import attach

if TYPE_CHECKING:
    from erlangen.auditing.audit import audit as audit
    from erlangen.auditing.calling import ModelError as ModelError
    from erlangen.auditing.inputs import generated as generated
    from erlangen.auditing.result import Audit as Audit, BrokenError as BrokenError
else:
    __getattr__, __dir__, __all__ = attach(__name__, __file__)
