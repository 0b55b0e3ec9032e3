"""What an audit is asked to do: one record for the command line, the worker process and `erlangen.audit`. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erlangen.auditing.declarations import Declaration, declarations, parse_outputs
from erlangen.auditing.domain import check_domain
from erlangen.auditing.output_kinds import parse_permutations, suggestion
from erlangen.auditing.targets import MODEL_FILES, parse_shape, parse_target
from erlangen.errors import ErlangenError

LAYOUTS = {  # order of the axes -> domain
    "chw": "images", "hwc": "images", "ct": "series", "tc": "series", "tbc": "series", "cdhw": "volumes", "dhwc": "volumes",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AuditRequest:
    """What an audit is asked to do. Raises ErlangenError for numbers that make no sense, and for an unknown domain or layout.

    target, input, n, build: what names the model and its inputs on the command line, how many inputs to read or make (0: all),
    and arguments of the builder; `erlangen.audit` is given model and inputs as objects. symmetries: names of checks, symmetries
    or checks; None: those that are the default of the domain. skip: names of checks to leave out. domain: None if it can be
    guessed. layout: the order of the axes, one of LAYOUTS; None if it can be told from the sizes. preprocess: a
    function of one input, or `FILE.py:function`. arguments: further arguments of the model by name: a value, or `ones` or
    `zeros` like its first argument. select: the name or the place of the output to judge (a function goes to `audit` itself).
    output: how the main output is read, `vector`, `map`, `pixels`, `tokens`, `steps`, `boxes:FORMAT` or `keypoints`, or each by
    its name, `logits=vector,mask=map` or a mapping; None if it can be told from their shape. permuted_classes: name of a
    symmetry, or of an output and a symmetry as in `mask:reflection` -> cycles of the classes that it permutes.
    state: of an ONNX graph, the name of each input that takes a state -> the output that returns it. threshold: in units of the
    output's spread.
    """

    target: str = ""
    input: str | None = None
    n: int = 32
    build: Mapping[str, Any] | None = None
    symmetries: tuple[Any, ...] | None = None
    skip: tuple[str, ...] = ()
    domain: str | None = None
    layout: str | None = None
    preprocess: Any = None
    arguments: Mapping[str, Any] | None = None
    select: Any = None
    output: str | Mapping[str, str] | None = None
    permuted_classes: Mapping[str, Any] | None = None
    state: Mapping[str, str] | None = None
    vocabulary: int | None = None
    threshold: float = 0.1
    elements: int = 8
    batch_size: int = 32
    seed: int = 0
    only_exact: bool = False
    where: bool = True
    baseline: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "symmetries", as_names(self.symmetries))  # JSON gives a list
        object.__setattr__(self, "skip", as_names(self.skip) or ())
        if not 0 < self.threshold < math.inf:
            raise ErlangenError(
                f"threshold {self.threshold:g} must be positive and finite; it is in units of the output's spread, usually 0.1"
            )
        if self.elements < 1 or self.batch_size < 1:
            raise ErlangenError(f"elements ({self.elements}) and batch_size ({self.batch_size}) must be at least 1")
        if self.domain is not None:
            check_domain(self.domain)
        parse_outputs(self.output)
        object.__setattr__(self, "permuted_classes", parse_permutations(self.permuted_classes))
        if self.layout is not None:
            check_layout(self.layout, self.domain)

    @property
    def declared(self) -> dict[str, Declaration]:
        """What is declared of each output, by name; of the main one, by ''."""
        return declarations(parse_outputs(self.output), self.permuted_classes or {})

    def check_files(self) -> None:
        """Raises ErlangenError if the request names a file that is not there, before seconds are spent on loading torch."""
        place = parse_target(self.target).place
        if place.endswith((".py", *MODEL_FILES)) and not Path(place).is_file():
            raise ErlangenError(f"there is no file {place}: name the model as FILE.py:build, package.module:build or FILE.onnx")
        if self.input is not None and not Path(self.input).exists():
            parse_shape(self.input)
        named = {"--preprocess": [self.preprocess], "--symmetry": [name for name in self.symmetries or () if ":" in str(name)]}
        for option, targets in named.items():
            for target in targets:
                if isinstance(target, str) and not (file := Path(parse_target(target).place)).is_file() and file.suffix == ".py":
                    raise ErlangenError(f"{option} {target}: there is no file {file}")


def as_names(names: Any) -> tuple[Any, ...] | None:
    """Names of checks, or symmetries, as a tuple: one alone need not be in a list. None stays None."""
    if names is None:
        return None
    return (names,) if isinstance(names, str) or not hasattr(names, "__iter__") else tuple(names)


def check_layout(layout: str, domain: str | None) -> None:
    """Raises ErlangenError for an unknown layout, or for one of another domain."""
    if layout not in LAYOUTS:
        choices = "choose chw or hwc for images, ct, tc or tbc for series, cdhw or dhwc for volumes"
        raise ErlangenError(f"unknown layout {layout!r}; {suggestion(layout, tuple(LAYOUTS), choices)}")
    if domain is not None and domain != LAYOUTS[layout]:
        raise ErlangenError(f"layout {layout} is one of {LAYOUTS[layout]}, not of {domain}")
