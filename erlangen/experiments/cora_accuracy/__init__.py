"""Cora's public split: whether GCN and GAT, trained here as published, score as published.

No claim of the report's, but the ground under G3, G7 and G8: nets that fall short of the published ones would prove little. The
recipes are those of Kipf & Welling (ICLR 2017) and Veličković et al. (ICLR 2018), but for the epoch kept, which is the one that
most validation nodes favor. `standard` takes about eight minutes on two cores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from erlangen.records.runs import Claim, Job

TITLE = "GCN and GAT on Cora, as published"
MEMORY_MB = 600

NETS = ("gcn", "gat")
_SECONDS = {"gcn": 1.3, "gat": 6.0}  # one training, one core


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """tolerance: points beyond the published range within which the mean counts as reproduced."""

    seeds: Annotated[int, Ge(1), Le(10_000)] = 100
    tolerance: Annotated[float, Ge(0), Le(100)] = 1.0


PRESETS = {"quick": Recipe(seeds=8), "standard": Recipe()}

CLAIMS = (
    Claim(
        id="CORA",
        statement="On Cora's public split GCN scores about 81.5 % and GAT about 83.0 %.",
        how="Each net is trained with its paper's recipe; test accuracy over seeds, against the range that was published.",
        parts={
            "gcn": "test accuracy of GCN, 16 hidden features",
            "gat": "test accuracy of GAT, 8 heads of 8",
            "order": "GAT against GCN, paired by seed",
        },
    ),
)


def fetch(recipe: Recipe) -> None:
    """Have Cora at hand before any job starts. Raises DataError where it is not to be had."""
    from erlangen.data.planetoid import cora_folder

    cora_folder()


def jobs(recipe: Recipe, precision: str = "float32", device: str = "cpu") -> list[Job]:
    """One training each. Sparse products in float32 on a CPU whatever `precision` and `device` say."""
    return [
        Job(experiment="cora-accuracy", params={"net": net}, seed=seed, seconds=_SECONDS[net])
        for net in reversed(NETS)
        for seed in range(recipe.seeds)
    ]
