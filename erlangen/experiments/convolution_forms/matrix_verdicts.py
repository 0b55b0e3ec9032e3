"""G5: the verdicts on matrices, all of them counted."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.convolution_forms import Recipe
from erlangen.experiments.convolution_forms.evidence import equal, install, task, total, without_library
from erlangen.experiments.kit.judging import counted, not_measured
from erlangen.records.runs import JobResult, Verdict

DIRECTED = ("directed", "directed with multi-edges")


def matrix(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G5: dense matrices against the three forms."""
    return equal(
        "G5",
        "matrix",
        "σ(D⁻¹AHWᵀ + HBᵀ), A[target, source] and D the in-degrees, is the layer in all three forms.",
        task(recipe, results, "matrix"),
        "each form in both precisions with dense matrices in float64, without edge weights and with them",
        "The forms differ: see the figure for which and by how much.",
    )


def oriented(recipe: Recipe, results: Sequence[JobResult]) -> dict[str, tuple[float, float]] | None:
    """(graphs, of them seen) by kind, on every small graph and on random ones; None where jobs are missing."""
    small, drawn = task(recipe, results, "every-graph"), task(recipe, results, "direction")
    if not small or not drawn:
        return None
    kinds = ("symmetric", *DIRECTED)
    return {kind: (total([*small, *drawn], kind, 0), total([*small, *drawn], kind, 1)) for kind in kinds}


def direction(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G5: symmetric graphs, with a look at whether the others show anything at all."""
    statement = "A wrong direction, edges turned round, is invisible on a symmetric graph."
    counts = oriented(recipe, results)
    if counts is None or not sum(counts[kind][1] for kind in DIRECTED) > 0:
        return not_measured("G5", "direction", statement)
    cases, visible = counts["symmetric"]
    return counted(
        "G5",
        "direction",
        statement,
        cases=cases,
        failures=visible,
        test="every graph of up to 3 nodes, and random ones with every edge both ways; on directed graphs it is seen on "
        f"{sum(counts[kind][1] for kind in DIRECTED):.0f} of {sum(counts[kind][0] for kind in DIRECTED):.0f}",
        corrected=f"It is seen on {visible:.0f} of {cases:.0f} symmetric graphs." if visible else None,
    )


def visibility(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G5: directed graphs, where means may hide it still."""
    statement = "On every graph that is not symmetric the wrong direction is seen."
    counts = oriented(recipe, results)
    if counts is None:
        return not_measured("G5", "visibility", statement)
    (single, seen), (several, seen_too) = (counts[kind] for kind in DIRECTED)
    hidden = task(recipe, results, "every-graph")[0].values("hidden")
    half = len(hidden) // 2
    edges = ", ".join(f"{u + 1:.0f} → {v + 1:.0f}" for u, v in zip(hidden[:half], hidden[half:], strict=True))
    corrected = (
        f"It is seen on {seen:.0f} of {single:.0f} directed graphs without multi-edges and on {seen_too:.0f} of {several:.0f} "
        "with them. A mean hides how many edges there are: where every node takes the same shares both ways, nothing changes"
        + (f" (edges {edges})." if edges else ".")
    )
    failures = single - seen + several - seen_too
    return counted(
        "G5",
        "visibility",
        statement,
        cases=single + several,
        failures=failures,
        test="every directed graph of up to 3 nodes, of 2 nodes with up to three edges from each to each, and random ones",
        corrected=corrected if failures else None,
    )


def transposes(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G5: W and B as the column form has them."""
    statement = "In σ(D⁻¹AHW + HB) W and B are those of h' = σ(W · mean + B · h)."
    found = task(recipe, results, "transposes")

    def wrong(arm: str) -> tuple[float, float]:
        present = [result for result in found if result.values(arm)]
        return total(present, arm, 1), total(present, arm, 0)

    failures, cases = wrong("W and B")
    arms = {
        "W's alone": "W",
        "W's alone where there are no edges": "W, no edges",
        "B's alone": "B",
        "both": "W and B",
        "both of symmetric W and B": "symmetric W and B",
    }
    counts = {name: wrong(arm) for name, arm in arms.items()}
    listed = "; ".join(f"{name} on {bad:.0f} of {n:.0f}" for name, (bad, n) in counts.items() if n)
    corrected = f"Rows of H are nodes, so both come transposed: σ(D⁻¹AHWᵀ + HBᵀ). Left out, it is another layer: {listed} graphs."
    return counted(
        "G5",
        "transposes",
        statement,
        cases=cases,
        failures=failures,
        test="square W and B on random directed graphs, float64, against the index form",
        corrected=corrected if failures else None,
    )


def pyg(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G5: torch_geometric's two layers."""
    found = task(recipe, results, "pyg")
    version = found[0].params["torch_geometric"] if found else ""
    statement = "It is torch_geometric's SAGEConv without edge weights and its GraphConv(aggr='mean') with them."
    if found and without_library(found):
        return install("G5", "pyg", statement)
    what = f"each form with torch_geometric {version}, weights shared"
    return equal("G5", "pyg", statement, found, what, "They differ: see the figure for which and by how much.")
