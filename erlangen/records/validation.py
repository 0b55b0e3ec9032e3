"""Why a value is not valid, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}
BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def describe_invalid(error: ValidationError) -> str:
    """`must be a whole number, not 'five'`, for the first of the faults; pydantic's own words for rare ones."""
    first = error.errors()[0]
    context, given = first.get("ctx", {}), first["input"]
    kind = KINDS.get(first["type"].partition("_")[0])
    bound = next((f"{words} {context[name]}" for name, words in BOUNDS.items() if name in context), None)
    wanted = context.get("expected") if first["type"] == "literal_error" else bound or kind
    return f"must be {wanted}, not {given!r}" if wanted else f"is not valid: {first['msg']}"
