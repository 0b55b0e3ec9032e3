"""G5: the layer as matrices, and as torch_geometric has it."""

from __future__ import annotations

import math
from functools import partial

from erlangen.experiments.convolution_forms import said, tasks
from erlangen.experiments.convolution_forms.equality import equal
from erlangen.experiments.kit.counts import missing, numbers, sums
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.statistics.regions import at_least

UNKNOWN = (math.nan, math.nan)


def matrix_parts(evidence: Evidence) -> list[Exact]:
    """The report's two sentences, the corrected ones, what a wrong direction changes, and torch_geometric as a control."""
    return [
        equal(evidence, tasks.Matrix, "matrix form"),
        *row_normalized(evidence),
        inverse(evidence),
        transposes(evidence),
        *reversed_edges(evidence),
        equal(evidence, tasks.Pyg, "torch_geometric", "control"),
    ]


def row_normalized(evidence: Evidence) -> list[Exact]:
    """Rows of D⁻¹A that do not add up to 1: of all nodes, and of those that an edge reaches."""
    rows, wrong, reached, wrong_reached = sums(evidence.of(tasks.Matrix), "row sums") or (*UNKNOWN, *UNKNOWN)
    count = partial(Exact, unit="rows that do not add up to 1", missing=missing(evidence, tasks.Matrix))
    correction = "Where no edge reaches a node, its row of A is 0 and D has a 0 on its diagonal: D⁻¹ does not exist."
    seen = Check(name="rows that do not add up to 1 are seen among the other nodes", passed=wrong > wrong_reached)
    tried = Check(name="some nodes are reached by no edge", passed=rows > reached)
    return [
        count(**said("row-normalized"), cases=rows, count=wrong, checks=(tried,), corrected=correction),
        count(**said("row-normalized, reached nodes"), cases=reached, count=wrong_reached, checks=(seen,)),
    ]


def inverse(evidence: Evidence) -> Exact:
    """Graphs with a node that no edge reaches whose D has an inverse nevertheless; that of the other graphs must be seen."""
    unreached, inverted, others, others_inverted = sums(evidence.of(tasks.Matrix), "inverses") or (*UNKNOWN, *UNKNOWN)
    return Exact(
        **said("inverse of D"),
        cases=unreached,
        count=inverted,
        unit="such graphs whose D has an inverse",
        missing=missing(evidence, tasks.Matrix),
        checks=(Check(name="the D of every other graph is seen to have one", passed=others_inverted == others > 0),),
        note="A program divides by the degree or by 1, whichever is larger. The row of A is 0 there.",
    )


def transposes(evidence: Evidence) -> Exact:
    """W and B as the column form has them: graphs on which the layer is the same without transposing them."""
    results = evidence.of(tasks.Transposes)
    arms = {
        "W alone": "W",
        "W alone on a graph without edges": "W, no edges",
        "B alone": "B",
        "both": "W and B",
        "both of symmetric W and B": "symmetric W and B",
    }
    counts = {words: sums([result for result in results if result.values(arm)], arm) or UNKNOWN for words, arm in arms.items()}
    graphs, wrong = counts["both"]
    listed = "; ".join(f"{words} {different:.0f} of {n:.0f}" for words, (n, different) in counts.items() if n > 0)
    return Exact(
        **said("transposes"),
        cases=graphs,
        count=graphs - wrong,
        unit="graphs on which it is the same layer",
        missing=missing(evidence, tasks.Transposes),
        checks=(
            Check(name="symmetric W and B are seen to give the same layer", passed=counts["both of symmetric W and B"][1] == 0),
        ),
        note=f"Graphs on which it is another layer without transposing: {listed}.",
    )


def reversed_edges(evidence: Evidence) -> list[Exact]:
    """On which graphs, small ones and random ones, the layer shows that all edges were reversed."""
    results = [*evidence.of(tasks.EveryGraph), *evidence.of(tasks.Direction)]
    symmetric, directed, multiple = (
        sums(results, kind) or UNKNOWN for kind in ("symmetric", "directed", "directed with multi-edges")
    )
    count = partial(
        Exact, unit="graphs on which it changes nothing", missing=missing(evidence, tasks.EveryGraph, tasks.Direction)
    )
    seen = Check(name="reversing the edges of directed graphs is seen", passed=directed[1] + multiple[1] > 0)
    hidden = numbers(evidence.of(tasks.EveryGraph), "hidden")
    edges = zip(hidden[: len(hidden) // 2], hidden[len(hidden) // 2 :], strict=True)
    smallest = ", ".join(f"{source + 1:.0f} → {target + 1:.0f}" for source, target in edges)
    return [
        Exact(
            **said("reversed edges, symmetric graphs"),
            cases=symmetric[0],
            count=symmetric[1],
            unit="graphs on which it changes something",
            missing=missing(evidence, tasks.EveryGraph, tasks.Direction),
            checks=(seen,),
        ),
        count(**said("reversed edges, directed graphs"), cases=directed[0], count=directed[0] - directed[1]),
        count(
            **said("reversed edges, multi-edges"),
            cases=multiple[0],
            count=multiple[0] - multiple[1],
            region=at_least(1, why="one such graph is enough"),
            note="A mean hides how many edges there are: where each node takes the same shares both ways, nothing changes. The "
            f"smallest such graph has the edges {smallest or '(none)'}.",
        ),
    ]
