"""What the user declares of each output: `map` of the main one, `logits=vector,mask=map` by name. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from erlangen.auditing.output_kinds import Cycles, listed, parse_output, suggestion
from erlangen.auditing.spelling import option
from erlangen.errors import ErlangenError

MAIN = ""  # in place of the name of the main output
FORM = "as in logits=vector,mask=map"


@dataclass(frozen=True)
class Declaration:
    """How one output is read, None if that can be told; and the classes that symmetries permute in it, by their names."""

    output: str | None = None
    permuted: Mapping[str, Cycles] = field(default_factory=dict)


def parse_outputs(given: str | Mapping[str, str] | None) -> dict[str, str]:
    """The kind of each output: {'': 'map'} for 'map', {'logits': 'vector', 'mask': 'map'} for 'logits=vector,mask=map'.

    Raises ErlangenError for an output that is named twice, and as `parse_output` does.
    """
    kinds = split_outputs(given) if isinstance(given, str) else dict(given or {})
    for name, kind in kinds.items():
        if not isinstance(kind, str):
            raise ErlangenError(f"the kind of output {name!r} must be a word such as vector, not {kind!r}")
        parse_output(kind)
    return kinds


def split_outputs(text: str) -> dict[str, str]:
    """Words without '=' belong to the output named before them."""
    kinds: dict[str, str] = {}
    name = MAIN
    for word in text.split(","):
        before, equals, after = word.partition("=")
        if not equals:
            kinds[name] = f"{kinds[name]},{word}" if name in kinds else word
            continue
        name = before.strip()
        if not name or name in kinds:
            raise ErlangenError(f"{option('output', text)}: each output needs a name of its own, {FORM}")
        kinds[name] = after
    return kinds


def declarations(outputs: Mapping[str, str], permuted: Mapping[str, Cycles]) -> dict[str, Declaration]:
    """Everything declared, by the name of the output. permuted: by `reflection`, or `mask:reflection` for one output."""
    by_name = {name: Declaration(kind) for name, kind in outputs.items()}
    for key, cycles in permuted.items():
        name, _, symmetry = key.rpartition(":")
        known = by_name.get(name, Declaration())
        by_name[name] = replace(known, permuted={**known.permuted, symmetry: cycles})
    return by_name


def check_declared(named: Sequence[str], judged: Sequence[str], left_out: Mapping[str, Any]) -> None:
    """Raises ErlangenError for a declared output that is not judged. judged: () if the model returns a single one."""
    for name in named:
        if name in judged:
            continue
        if not judged:
            example = option("output", "map")
            raise ErlangenError(f"there is only one output to judge: declare it without the name {name!r}, as in {example}")
        if name in left_out:
            raise ErlangenError(f"output {name!r} was declared, but cannot be judged: {left_out[name]}")
        hint = suggestion(name, judged, f"the model returns {listed(judged).replace(' or ', ' and ')}")
        raise ErlangenError(f"the model returns no output {name!r} to declare; {hint}")
