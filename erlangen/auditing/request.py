"""What an audit is asked to do: one record for the command line, the worker process and `erlangen.audit`. Imports no torch."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erlangen.auditing.domain import check_domain
from erlangen.errors import ErlangenError


@dataclass(frozen=True, kw_only=True)
class AuditRequest:
    """What an audit is asked to do. Raises ErlangenError for numbers that make no sense, and for an unknown domain.

    target, input, n: what names the model and its inputs on the command line, and how many inputs to read or make (0: all);
    `erlangen.audit` is given model and inputs as objects. symmetries: names of checks, symmetries or checks; None: those that are
    the default of the domain. domain: None if it can be guessed. threshold: in units of the output's spread.
    """

    target: str = ""
    input: str | None = None
    n: int = 32
    symmetries: tuple[Any, ...] | None = None
    domain: str | None = None
    vocabulary: int | None = None
    threshold: float = 0.1
    elements: int = 8
    batch_size: int = 32
    seed: int = 0
    only_exact: bool = False
    where: bool = True
    baseline: bool = False

    def __post_init__(self) -> None:
        if self.symmetries is not None:
            object.__setattr__(self, "symmetries", tuple(self.symmetries))  # JSON gives a list
        if not 0 < self.threshold < math.inf:
            raise ErlangenError(
                f"threshold {self.threshold:g} must be positive and finite; it is in units of the output's spread, usually 0.1"
            )
        if self.elements < 1 or self.batch_size < 1:
            raise ErlangenError(f"elements ({self.elements}) and batch_size ({self.batch_size}) must be at least 1")
        if self.domain is not None:
            check_domain(self.domain)

    def check_files(self) -> None:
        """Raises ErlangenError if target or input name nothing, before seconds are spent on loading torch and a model."""
        place, _ = split_target(self.target)
        if place.endswith((".py", ".onnx")) and not Path(place).is_file():
            raise ErlangenError(f"there is no file {place}: name the model as FILE.py:build, package.module:build or FILE.onnx")
        if self.input is not None and not Path(self.input).exists():
            parse_shape(self.input)


def split_target(target: str) -> tuple[str, str]:
    """The file or module of a model, and the name in it; ('FILE.onnx', '') for an ONNX file."""
    if target.endswith(".onnx"):
        return target, ""
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise ErlangenError(f"{target}: name the function that builds the model, as FILE.py:build or package.module:build")
    return place, name


def parse_shape(text: str) -> tuple[int, ...]:
    """(3, 32, 32) for '3x32x32' or '3,32,32'."""
    if re.fullmatch(r"[0-9]+([x,][0-9]+)*", text) is None:
        raise ErlangenError(f"--input {text} is neither a file nor a folder, nor a shape like 3x224x224")
    return tuple(int(size) for size in re.split("[x,]", text))
