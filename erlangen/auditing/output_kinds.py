"""What is declared of outputs, as it is typed: `map`, `boxes:xyxy,normalized`, `reflection=0:1`. Imports no torch."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from erlangen.errors import ErlangenError

Cycles: TypeAlias = tuple[tuple[int, ...], ...]
OUTPUTS = ("vector", "map", "pixels", "tokens", "steps")  # see `symmetries.layout`
COORDINATES = ("boxes", "keypoints")  # see `symmetries.boxes`
FORMATS = ("xyxy", "xywh", "cxcywh")
OPTIONS: dict[str, tuple[str, ...]] = {  # words that may follow a kind
    "boxes": (*FORMATS, "normalized", "signed", "ordered"), "keypoints": ("normalized", "signed"), "steps": ("width", "height"),
}  # fmt: skip


def kind_of(output: str | None) -> str | None:
    """`boxes` of `boxes:xyxy`."""
    return None if output is None else output.partition(":")[0]


def parse_output(output: str) -> tuple[str, tuple[str, ...]]:
    """The kind of an output and the words behind it: ('boxes', ('xyxy', 'normalized')).

    Raises ErlangenError, with a suggestion, for a kind or a word that is not known, and for boxes without a format.
    """
    kind, _, rest = output.partition(":")
    words = tuple(rest.split(",")) if rest else ()
    if kind not in (*OUTPUTS, *COORDINATES):
        if kind in FORMATS:
            raise ErlangenError(f"unknown kind of output {kind!r}; did you mean boxes:{kind}?")
        known = (*OUTPUTS, *COORDINATES)
        raise ErlangenError(f"unknown kind of output {kind!r}; {suggestion(kind, known, f'choose {listed(known)}')}")
    options = OPTIONS.get(kind, ())
    for word in words:
        if word not in options:
            hint = suggestion(word, options, f"choose {listed(options)}") if options else "it takes none"
            raise ErlangenError(f"unknown option {word!r} of {kind}; {hint}")
    if kind == "boxes" and sum(word in FORMATS for word in words) != 1:
        raise ErlangenError(f"boxes need one format: {listed([f'boxes:{name}' for name in FORMATS])}")
    if {"normalized", "signed"} <= set(words):
        raise ErlangenError(f"{kind} are either normalized, from 0 to 1, or signed, from -1 to 1")
    return kind, words


def suggestion(word: str, known: Sequence[str], otherwise: str) -> str:
    """`did you mean map?`, or else what is said otherwise."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else otherwise


def listed(words: Sequence[str]) -> str:
    """`a, b or c`"""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def parse_permutations(given: Mapping[str, Any] | None) -> dict[str, Cycles]:
    """The classes that a symmetry permutes, as cycles: {'reflection': ((0, 1), (4, 5))} for {'reflection': '0:1,4:5'}.

    In a cycle, each class becomes the next one, and the last the first. Raises ErlangenError for anything else.
    """
    return {name: parse_cycles(name, cycles) for name, cycles in (given or {}).items()}


def parse_cycles(name: str, given: Any) -> Cycles:
    """`0:1,4:5`, or a list of cycles. A single cycle may stand for itself."""
    try:
        parts = [part.split(":") for part in given.split(",")] if isinstance(given, str) else list(given)
        if all(isinstance(part, int) for part in parts):
            parts = [parts]
        cycles = tuple(tuple(as_class(entry) for entry in part) for part in parts)
    except (TypeError, ValueError):
        cycles = ()
    entries = [entry for cycle in cycles for entry in cycle]
    if not cycles or min(map(len, cycles)) < 2 or min(entries) < 0 or len(set(entries)) < len(entries):
        raise ErlangenError(
            f"the classes that {name} permutes must be cycles of different classes, as in {name}=0:1,4:5, not {given!r}"
        )
    return cycles


def as_class(entry: Any) -> int:
    """Raises ValueError for anything but a whole number."""
    if isinstance(entry, str) or (isinstance(entry, int) and not isinstance(entry, bool)):
        return int(entry)
    raise ValueError(entry)


def check_permuted(permuted: Mapping[str, Cycles], names: Iterable[str]) -> None:
    """Raises ErlangenError for a name that is none of these, the symmetries to check. `mask:reflection` is for one output."""
    known = list(names)
    for name in (key.rpartition(":")[2] for key in permuted):
        if name not in known:
            hint = suggestion(name, known, f"the symmetries to check are {', '.join(known)}")
            raise ErlangenError(f"classes cannot be permuted under {name!r}; {hint}")
