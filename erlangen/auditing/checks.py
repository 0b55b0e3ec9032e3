"""The checks by name and what each asks: for `--list`, and to find a misspelled name before anything is loaded. No torch."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from erlangen.errors import ErlangenError

ANY = "any domain"


class Question(NamedTuple):
    """What a check asks, whether it is asked where no check is named, and whether sound models may fail it then."""

    asks: str
    default: bool = True
    informational: bool = False


class Named(Protocol):
    @property
    def name(self) -> str: ...


AnyCheck = TypeVar("AnyCheck", bound=Named)

CHECKS: dict[str, dict[str, Question]] = {
    "images": {
        "translation": Question("Does the output follow shifts that wrap around?", informational=True),
        "translation-zeros": Question("Does the output follow shifts that fill with zeros?", informational=True),
        "translation-crop": Question("Does the output follow shifts of the window that the model sees?", default=False),
        "translation-subpixel": Question("Does the output follow shifts by fractions of a pixel?", default=False),
        "quarter-turns": Question("Does the output follow rotations by 90, 180 and 270 degrees?", informational=True),
        "rotation": Question("Does the output follow rotations by any angle?", default=False),
        "reflection": Question("Does the output follow an exchange of left and right?", informational=True),
        "scale": Question("Does the output follow zooming?", default=False),
        "intensity": Question("Is the output the same for another brightness and contrast?", informational=True),
        "channel-permutation": Question("Is the output the same for another order of the channels?", informational=True),
    },
    "texts": {
        "causality": Question("Is the output at each position the same whatever comes later?"),
        "token-permutation": Question("Does the output follow a permutation of the tokens?", informational=True),
        "prefix-shift": Question("Is the output the same behind other tokens that are not masked?", default=False),
        "position-shift": Question("Is the output the same if all position ids grow by the same number?", informational=True),
        "left-padding": Question("Is the output the same with masked padding on the left?"),
    },
    "graphs": {
        "node-permutation": Question("Does the output follow a renumbering of the nodes?"),
        "edge-order": Question("Is the output the same for another order of the edges?"),
        "isolated-node": Question("Are all outputs the same beside one more node without edges?", informational=True),
        "duplicate-edges": Question("Is the output the same if some edges are listed twice?", informational=True),
        "node-rotation": Question("Does the output follow rotations of the coordinates `pos`?", default=False),
        "node-reflection": Question("Does the output follow mirror images of the coordinates `pos`?", default=False),
        "node-translation": Question("Is the output the same for shifted coordinates `pos`?", default=False),
    },
    "points": {
        "point-permutation": Question("Does the output follow a permutation of the points?"),
        "point-rotation": Question("Is the output the same for rotated points?", informational=True),
        "point-translation": Question("Is the output the same for shifted points?", informational=True),
    },
    "series": {
        "time-shift": Question("Does the output follow shifts in time that wrap around?", informational=True),
        "time-shift-zeros": Question("Does the output follow shifts in time that fill with zeros?", informational=True),
        "causality": Question("Is the output at each step the same whatever comes later?", default=False),
    },
    "volumes": {
        "translation": Question("Does the output follow shifts that wrap around?", informational=True),
        "translation-zeros": Question("Does the output follow shifts that fill with zeros?", informational=True),
        "quarter-turns": Question("Does the output follow rotations by 90 degrees about the axes?", informational=True),
        "reflection": Question("Does the output follow a reversal of the axes?", informational=True),
        "intensity": Question("Is the output the same for another brightness and contrast?", informational=True),
        "channel-permutation": Question("Is the output the same for another order of the channels?", informational=True),
    },
    ANY: {
        "repeat": Question("Does the same call give the same output again?"),
        "batch-composition": Question("Is the output for an input the same beside other inputs of the batch?"),
        "batch-size": Question("Is the output for an input the same in a batch of another size?"),
        "bfloat16": Question("Is the output the same in bfloat16?", default=False),
        "cuda": Question("Is the output the same on a GPU?", default=False),
    },
}


def check_names(names: Iterable[str], domain: str | None, where: str = "") -> None:
    """Raises ErlangenError, with a suggestion, for a name that no check of the domain has; of any domain, if it is None.

    where: what the message starts with, such as the file that holds the names.
    """
    known = names_of(domain)
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            listed = f"the checks{f' for {domain}' if domain else ''} are {', '.join(dict.fromkeys(known))}"
            raise ErlangenError(f"{where}unknown check {name!r}; {f'did you mean {close[0]}?' if close else listed}")


def names_of(domain: str | None) -> list[str]:
    """The names of all checks of a domain; of any domain, if it is None."""
    return [name for kind, checks in CHECKS.items() if kind in (domain or kind, ANY) for name in checks]


def without_skipped(checks: Sequence[AnyCheck], skip: Sequence[str]) -> list[AnyCheck]:
    """The checks that are not skipped. Raises ErlangenError for a name that is not among them."""
    names = [check.name for check in checks]
    for name in skip:
        if name not in names:
            raise ErlangenError(f"cannot skip {name!r}: it is not among the checks to run, {', '.join(names)}")
    return [check for check in checks if check.name not in skip]


def listing(domain: str | None = None) -> str:
    """All checks by domain, one line each; `*` and `i` mark those that are run where none is named."""
    shown = {kind: checks for kind, checks in CHECKS.items() if kind in (domain or kind, ANY)}
    width = max(len(name) for checks in shown.values() for name in checks)
    lines = []
    for kind, checks in shown.items():
        rows = [f"  {mark(asked)} {name:<{width}}  {asked.asks}" for name, asked in checks.items()]
        lines += [kind, *rows, ""]
    said = "* runs by default and counts. i runs by default, but is informational: it counts only if you ask for it by name."
    return "\n".join([*lines, said])


def mark(question: Question) -> str:
    """The sign of a check in a list."""
    return " " if not question.default else "i" if question.informational else "*"
