"""The one kind of job. What a job measures depends on these fields, its seed and the code of run.py, and on nothing else."""

from dataclasses import dataclass

ORDERS = ("sorted", "drawn")


@dataclass(frozen=True, kw_only=True)
class Train:
    order: str  # one of ORDERS, in which the network reads the numbers
    steps: int
