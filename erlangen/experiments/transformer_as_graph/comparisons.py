"""Claim G11: the arms in words, and which of them are compared where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from erlangen.experiments.transformer_as_graph.tasks import ArmName, CoraArm
from erlangen.records.runs import Of

Where: TypeAlias = Literal["most", "least", "nothing", "all"]

MASKS = {
    "graph": "edges",
    "gat": "edges, GAT",
    "diluted": "edges among random ones",
    "random": "random edges",
    "complete": "every node",
    "self": "itself",
}
ENCODINGS = {"": "features alone", "walks": "with return probabilities", "eigenvectors": "with eigenvectors"}
PLACES: dict[Where, str] = {
    "most": "where neighbors are most alike",
    "least": "where neighbors are least alike",
    "nothing": "where an edge says nothing of the class",
    "all": "averaged over all homophilies",
}


def words(arm: ArmName) -> tuple[str, str]:
    """What a node attends to, and what is added to its features."""
    mask, _, encoding = arm.partition("/")
    return MASKS[mask], ENCODINGS[encoding]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two arms, where they are compared, and what is said of them.

    gains: whether the left arm is said to be more accurate than the right one; else it is said not to be.
    """

    part: str
    left: ArmName
    right: ArmName
    where: Where
    says: str
    gains: bool = True
    of: Of = "extension"

    def name(self, classes: int) -> str:
        """'homophilous, 4 classes'"""
        return f"{self.part}, {classes} classes"


EDGES_ARE_BETTER = "attention along the edges is more accurate than attention to every node"
GAT_IS_BETTER = "GAT is more accurate than a Transformer that attends to every node"
COMPARISONS = (
    Comparison(part="GAT, homophilous", left="gat", right="complete", where="most", says=GAT_IS_BETTER),
    Comparison(part="GAT, heterophilous", left="gat", right="complete", where="least", says=GAT_IS_BETTER),
    Comparison(part="homophilous", left="graph", right="complete", where="most", says=EDGES_ARE_BETTER),
    Comparison(part="heterophilous", left="graph", right="complete", where="least", says=EDGES_ARE_BETTER),
    Comparison(
        part="uninformative", left="graph", right="complete", where="nothing", gains=False, of="control",
        says="attention along the edges is no more accurate than attention to every node",
    ),
    Comparison(
        part="random edges", left="graph", right="random", where="most", of="control",
        says="attention along the edges is more accurate than attention along as many random edges",
    ),
    Comparison(
        part="diluted edges", left="graph", right="diluted", where="most",
        says="three random edges beside each true one make attention along the edges less accurate",
    ),
    Comparison(
        part="attention to others", left="complete", right="self", where="all", gains=False,
        says="attention to every node is no more accurate than attention of each node to itself",
    ),
    Comparison(
        part="return probabilities", left="complete/walks", right="complete", where="all", gains=False,
        says="return probabilities as features do not make attention to every node more accurate",
    ),
    Comparison(
        part="eigenvectors", left="complete/eigenvectors", right="complete", where="most",
        says="Laplacian eigenvectors as features make attention to every node more accurate",
    ),
    Comparison(
        part="edges against eigenvectors", left="graph", right="complete/eigenvectors", where="most",
        says="attention along the edges alone is more accurate than attention to every node with eigenvectors as features",
    ),
    Comparison(
        part="edges with eigenvectors", left="graph/eigenvectors", right="complete/eigenvectors", where="most",
        says="with eigenvectors as features, attention along the edges is more accurate than attention to every node",
    ),
    Comparison(
        part="attention to others with eigenvectors", left="complete/eigenvectors", right="self/eigenvectors", where="most",
        gains=False,
        says="with eigenvectors as features, attention to every node is no more accurate than attention of a node to itself",
    ),
)  # fmt: skip
STRUCTURED = COMPARISONS[:2]  # GAT against a Transformer, on block models whose edges say something of the class
ON_CORA: dict[str, tuple[CoraArm, CoraArm, str]] = {
    "GAT, Cora": ("gat", "complete", GAT_IS_BETTER),
    "edges, Cora": ("graph", "complete", EDGES_ARE_BETTER),
}
"""Part -> its left arm, its right arm, and what is said of them."""
