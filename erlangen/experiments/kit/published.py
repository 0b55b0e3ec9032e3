"""Numbers of others: they stand beside a verdict and never enter a measurement."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def published_numbers(package: str) -> dict[str, Any]:
    """The `published.json` of an experiment's package."""
    text = resources.files(package).joinpath("published.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data
