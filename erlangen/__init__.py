"""erlangen: which symmetries does a neural network really have?

Importing the package loads no torch; the parts that compute do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from erlangen.auditing.audit import audit

__all__ = ["audit"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`erlangen.audit`, loaded when it is first asked for."""
    if name == "audit":
        from erlangen.auditing.audit import audit

        return audit
    raise AttributeError(f"module 'erlangen' has no attribute {name!r}")


def __dir__() -> list[str]:
    """With what is loaded late."""
    return [*globals(), "audit"]
