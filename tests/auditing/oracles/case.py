"""One model, its inputs, and the judgment that is right for every check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.auditing import Audit, audit
from erlangen.symmetries.symmetry import Symmetry

EXACT, BROKEN, HOLDS, UNMEASURED = "exact", "broken", "holds", "not measured"
SHIFTED = frozenset(["broken", "undecided"])  # lost, by an amount that few inputs may leave undecided
CONDITIONS = ("repeat", "batch-composition")
SIZES = {  # what is right of the size of a batch, from what is right of its composition, unless a case says so itself
    EXACT: frozenset([EXACT, HOLDS]),  # another size may round differently
    BROKEN: frozenset([EXACT, HOLDS, BROKEN, "undecided"]),
    UNMEASURED: frozenset([UNMEASURED]),
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """build(dtype) -> the model, inputs(seed, dtype) -> what is passed to `audit`; expected: check -> judgment, or a set of them.

    What is asked: the names in `expected`; those that no domain knows are found in `symmetries`. `repeat`, `batch-composition`
    and `batch-size` are asked of every model; the first two are exact unless `expected` says otherwise. in_float32: other
    judgments where numbers are coarse.
    known_wrong: why the audit does not get there yet. fast: cheap enough for every run of the tests.
    elements: drawn for each input; more where the scatter of few leaves a judgment open.
    options: of `audit`, beside those.
    says: check -> words that the reason or the failures must hold. classes: whether the audit may speak of flips.
    """

    name: str
    domain: str
    build: Callable[[torch.dtype], Callable[..., Any]]
    inputs: Callable[[int, torch.dtype], Any]
    expected: Mapping[str, str | frozenset[str]]
    in_float32: Mapping[str, str] = field(default_factory=dict)
    symmetries: tuple[Symmetry, ...] = ()
    select: Callable[[Any], Tensor] | None = None
    says: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    no_classes: bool = False
    known_wrong: str = ""
    fast: bool = True
    elements: int = 3

    def judgments(self, dtype: torch.dtype) -> dict[str, frozenset[str]]:
        """Those that are right, of every check asked."""
        found = dict.fromkeys(CONDITIONS, EXACT) | dict(self.expected)
        if dtype == torch.float32:
            found |= self.in_float32
        right = {name: frozenset([one]) if isinstance(one, str) else one for name, one in found.items()}
        sizes = frozenset().union(*(SIZES.get(judgment, frozenset()) for judgment in right["batch-composition"]))
        return {"batch-size": sizes, **right}

    def model(self, seed: int, dtype: torch.dtype) -> Callable[..., Any]:
        """With its weights; a module in evaluation mode unless `build` says so by a mode of its own."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.build(dtype)

    def audit(self, model: Callable[..., Any], inputs: Any, seed: int) -> Audit:
        own = {symmetry.name: symmetry for symmetry in self.symmetries}
        asked = [own.get(name, name) for name in self.expected]
        return audit(
            model, inputs, asked, domain=self.domain, select=self.select, elements=self.elements, seed=seed, where=False,
            **self.options,
        )  # fmt: skip


def served(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """In evaluation mode and this precision."""
    return module.to(dtype).eval()
