"""What every symmetry keeps to: its elements, and how they act on inputs. Beside it are the laws of outputs and of precision."""

from __future__ import annotations

import copy
import math
from typing import Any

from erlangen.symmetries.law_case import Case, require
from erlangen.symmetries.leaves import apart
from erlangen.symmetries.output_laws import known_model_keeps_it, outputs_fit, tangents_fit
from erlangen.symmetries.precision_laws import float64_is_not_rounded, precision_is_kept
from erlangen.symmetries.symmetry import Symmetry

SOME = 60  # elements among which the identity would be noticed
MANY = 200  # elements that are asked for to see whether they can be listed
SEEDS = 8
LABEL = 60  # characters of a label, in a message or below a picture


def check_laws(case: Case) -> None:
    """All laws, the plainest first. Raises BrokenLawError for the first that is broken."""
    for law in (
        is_a_value, elements_are_values, elements_are_drawn, act_is_a_function, no_element_is_the_identity,
        generators_are_elements, precision_is_kept, float64_is_not_rounded, elements_can_be_shown, sweep_can_be_used, outputs_fit,
        tangents_fit,
        group_acts, known_model_keeps_it,
    ):  # fmt: skip
        law(case)


def is_a_value(case: Case) -> None:
    """A frozen dataclass that can be hashed."""
    require(isinstance(case.symmetry, Symmetry), "is not derived from erlangen.symmetries.Symmetry")
    require(can_be_hashed([case.symmetry]), "cannot be hashed: its fields must be numbers, texts or tuples")


def elements_are_values(case: Case) -> None:
    """Generators and elements can be hashed, none comes twice, and there are some."""
    for kind, listed in (("generators", case.generators), ("elements", case.drawn(case.n))):
        require(can_be_hashed(listed), f"its {kind} cannot be hashed: they must be numbers, tuples or frozen dataclasses")
        require(
            len(set(listed)) == len(listed), f"some of its {kind} are equal: {len(listed)}, of which {len(set(listed))} differ"
        )
    require(len(case.used) > 0, "has neither generators nor elements for this input: pass an input that it acts on")
    require(len(case.drawn(case.n)) > 0, "has generators but no elements for this input")


def can_be_hashed(values: list[Any]) -> bool:
    try:
        return len({hash(value) for value in values}) >= 0
    except TypeError:
        return False


def elements_are_drawn(case: Case) -> None:
    """At most as many as asked for, the same for the same random numbers, and others for others."""
    for n in (0, 1, case.n):
        count = len(case.drawn(n))
        require(count <= n, f"elements(x, {n}, rng) gives {count}: at most n are asked for")
    require(
        case.drawn(case.n) == case.drawn(case.n),
        "elements differ between two calls with the same random numbers: draw them with rng alone",
    )
    require(list(case.call("generators", case.x)) == case.generators, "generators differ between two calls")
    some = min(case.n, len(case.drawn(MANY)) - 1)  # fewer than there are, so that there is a choice
    vary = some < 1 or any(case.drawn(some, seed) != case.drawn(some) for seed in range(1, SEEDS))
    require(vary, "elements do not depend on the random numbers: draw them with rng")


def act_is_a_function(case: Case) -> None:
    """No method changes x, and acting again gives the same."""
    before = copy.deepcopy(case.x)
    for g in case.used:
        first = case.act(case.x, g)
        for method, arguments in (("act", (g,)), ("reference", (g,)), ("loss", (g,)), ("tangent", ())):
            case.call(method, case.x, *arguments)
            require(apart(before, case.x) == 0, f"{method} changes its input ({case.label(g)}): work on a copy")
        kinds = type(first).__name__, type(case.x).__name__
        require(kinds[0] == kinds[1], f"act gives a {kinds[0]} for a {kinds[1]}")
        again = case.act(case.x, g)
        require(apart(first, again) == 0, f"act differs between two calls ({case.label(g)}): the element must fix what is random")


def no_element_is_the_identity(case: Case) -> None:
    """Every element changes x."""
    for g in [*case.generators, *case.drawn(SOME)]:
        require(
            apart(case.act(case.x, g), case.reference(case.x, g)) > 0,
            f"an element leaves the input as it is ({case.label(g)}): leave out the identity, or pass an input that it changes",
        )


def generators_are_elements(case: Case) -> None:
    """Where the elements can be listed, each generator acts as one of them."""
    listed = case.drawn(MANY)
    if len(listed) == MANY:
        return
    moved = [case.act(case.x, g) for g in listed]
    for g in case.generators:
        start = case.act(case.x, g)
        among = any(case.equal(other, start) for other in moved)
        require(among, f"a generator is not among the {len(listed)} elements ({case.label(g)})")


def elements_can_be_shown(case: Case) -> None:
    """Labels are short, sizes and losses are plain numbers."""
    for g in case.used:
        label, size, loss = case.call("label", g), case.call("size", g), case.call("loss", case.x, g)
        short = isinstance(label, str) and 0 < len(label) < LABEL and "\n" not in label
        require(short, f"a label must be one line of 1 to {LABEL - 1} characters, not {label!r}")
        require(size is None or is_amount(size), f"size must be a number of at least 0, or None, not {size!r} ({label})")
        both = (size is None) != bool(case.symmetry.unit)
        require(both, f"size is {size!r} and unit {case.symmetry.unit!r}: give both or neither")
        require(is_amount(loss), f"loss must be a number of at least 0, not {loss!r} ({label})")
        lossless = not loss or g not in case.generators or case.reference(case.x, g) is not case.x
        require(lossless, f"a generator loses {loss:.3g} of the input ({label}), and its reference does not lose the same")


def sweep_can_be_used(case: Case) -> None:
    """What is tried on one input alone are elements like all others; what may be refused and what was tried is said plainly."""
    swept = list(case.call("sweep", case.x))
    require(can_be_hashed(swept) and len(set(swept)) == len(swept), "elements of its sweep are equal, or cannot be hashed")
    for g in swept[:: max(len(swept) // SOME, 1)]:
        moved = apart(case.act(case.x, g), case.reference(case.x, g)) > 0
        require(moved, f"an element of its sweep leaves the input as it is ({case.label(g)})")
    optional = [case.call("optional", g) for g in [*case.used, *swept]]
    require(all(isinstance(value, bool) for value in optional), "optional must give True or False")
    require(not all(optional), "a model may refuse all of its elements: then nothing is tested")
    scope = case.call("scope", case.x)
    require(isinstance(scope, str) and "\n" not in scope, f"scope must be one line, not {scope!r}")


def is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def group_acts(case: Case) -> None:
    """The identity, composition and inverses, as far as they are stated."""
    x, act, group = case.x, case.act, case.group
    if group.identity is not None:
        same = case.equal(case.reference(x, group.identity), act(x, group.identity))
        require(same, f"the identity {group.identity!r} changes the input")
    for g in case.used:
        if group.inverse is not None:
            back = case.equal(case.reference(x, g), act(act(x, g), group.inverse(g)))
            require(back, f"the round trip, g and then its inverse, does not give the input back ({case.label(g)})")
        for h in case.used if group.compose is not None else ():
            composed = case.equal(act(x, group.compose(g, h)), act(act(x, h), g))  # type: ignore[misc]
            require(composed, f"g·(h·x) is not (g·h)·x (g: {case.label(g)}; h: {case.label(h)})")
