"""The checks by name: those of a domain, and the conditions that make sense in every domain."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import torch

from erlangen.auditing.conditions import BatchComposition, BatchSize, Elsewhere, Repeat
from erlangen.auditing.domain import Domain, all_domains
from erlangen.auditing.pair import Check
from erlangen.auditing.symmetry_check import SymmetryCheck
from erlangen.errors import ErlangenError
from erlangen.symmetries.symmetry import Symmetry

CONDITIONS: tuple[Check, ...] = (
    Repeat(),
    BatchComposition(),
    BatchSize(),
    Elsewhere(
        name="bfloat16",
        dtype=torch.bfloat16,
        informational=True,
        advice="Rounding to bfloat16 changes the output: keep norms, softmax and the last layer in float32.",
    ),
    Elsewhere(
        name="cuda",
        device="cuda",
        advice="The GPU gives other outputs than the CPU. Switch off TF32 (torch.backends.cuda.matmul.allow_tf32 = False); if "
        "that is not enough, look for an operation whose CUDA kernel differs.",
    ),
)


def find_checks(asked: Sequence[str | Symmetry | Check] | None, domain: Domain | None) -> list[Check]:
    """The checks asked for, by name or as objects; None: the defaults. `repeat` and `batch-composition` always come first.

    domain: where names are looked up; if it is not known yet, in all domains. Raises ErlangenError for an unknown name.
    """
    symmetries = [SymmetryCheck(s) for kind in ([domain] if domain else all_domains()) for s in kind.symmetries]
    known: dict[str, Check] = {check.name: check for check in (*symmetries, *CONDITIONS)}
    chosen = {check.name: check for check in CONDITIONS if check.default}
    for entry in [check for check in symmetries if check.default] if asked is None else asked:
        if isinstance(entry, str) and entry not in known:
            close = difflib.get_close_matches(entry, known, n=1)
            names = f"the checks for {domain.name} are" if domain else "the checks are"
            hint = f"did you mean {close[0]}?" if close else f"{names} {', '.join(known)}"
            raise ErlangenError(f"unknown check {entry!r}; {hint}")
        check = known[entry] if isinstance(entry, str) else SymmetryCheck(entry) if isinstance(entry, Symmetry) else entry
        chosen[check.name] = check
    return list(chosen.values())
