"""A domain: one kind of input, and everything that an audit has to know about it. Imports no torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from erlangen.auditing.output_kinds import listed, suggestion
from erlangen.errors import ErlangenError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from erlangen.auditing.model import Adapter
    from erlangen.symmetries.symmetry import Symmetry

DOMAINS = (
    "images",
    "texts",
    "graphs",
    "points",
    "series",
    "volumes",
)  # the catalog: each is a module in `domains` that defines DOMAIN


@dataclass(frozen=True, kw_only=True)
class Domain:
    """One kind of input.

    axes: of one input, as in ("C", "H", "W"). symmetries: all that can be checked; those whose `default` is set are checked if
    the caller names none. recognize: the inputs in an object that only this domain has (a graph, a tokenizer's batch), None for
    anything else. read: one tensor per input, and the size of the vocabulary if known -> inputs. generate: the sizes of the axes,
    a vocabulary and random numbers -> one input. adapter: a model -> how it is called.
    describe: an input in a few words. pictures: x and g·x as text or as PNG data URLs. smooth: an input without fine detail, for
    derivatives. fitted: the domain with those symmetries alone that can act on these inputs. site: the word for one row of an
    output, where the worst row is judged and not the mean of all.
    """

    name: str
    axes: tuple[str, ...]
    symmetries: tuple[Symmetry, ...]
    read: Callable[[Sequence[Tensor], int | None], list[Any]]
    generate: Callable[[Sequence[int], int, np.random.Generator], Any]
    adapter: Callable[[Callable[..., Any]], Adapter]
    describe: Callable[[Any], str]
    recognize: Callable[[Any], list[Any] | None] = lambda given: None
    pictures: Callable[[Any, Any], tuple[str, ...]] = lambda x, moved: ()
    smooth: Callable[[Tensor], Tensor] | None = None
    fitted: Callable[[Domain, Sequence[Any]], Domain] = lambda domain, inputs: domain
    site: str = ""


def load_domain(name: str) -> Domain:
    """A domain by its name. Raises ErlangenError, with a suggestion, if there is none."""
    check_domain(name)
    domain: Domain = importlib.import_module(f"erlangen.auditing.domains.{name}").DOMAIN
    return domain


def all_domains() -> list[Domain]:
    """Every domain of the catalog."""
    return [load_domain(name) for name in DOMAINS]


def check_domain(name: str) -> None:
    """Raises ErlangenError, with a suggestion, if there is no domain of this name."""
    if name not in DOMAINS:
        raise ErlangenError(f"unknown domain {name!r}; {suggestion(name, DOMAINS, f'choose {listed(DOMAINS)}')}")
