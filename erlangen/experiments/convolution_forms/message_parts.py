"""G4: the layer as message passing, and what its messages must know."""

from __future__ import annotations

from erlangen.experiments.convolution_forms import said, tasks
from erlangen.experiments.convolution_forms.equality import TOLERANCE, beyond, equal
from erlangen.experiments.kit.counts import missing, numbers, total
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Check, Exact
from erlangen.records.runs import JobResult

WAYS = ("aggregation", "edge", "update")


def message_parts(evidence: Evidence) -> list[Exact]:
    """The report's sentence, then what a sum would need, and where the degree can stand."""
    return [equal(evidence, tasks.Message, "message form"), sum_of_messages(evidence), place_of_degree(evidence)]


def sum_of_messages(evidence: Evidence) -> Exact:
    """Pairs of stars that hold the same features everywhere: whether under a sum they need the same message."""
    results = evidence.of(tasks.Pair)
    cases = total(results, "cases")
    centers = [numbers(results, f"outputs_{star}")[:1] for star in (1, 2)]
    return Exact(
        **said("sum of messages"),
        cases=cases,
        count=cases - total(results, "contradictions"),
        unit="pairs of graphs that need the same message",
        missing=missing(evidence, tasks.Pair),
        checks=(Check(name="the mean gives the centers of two stars the same output", passed=centers[0] == centers[1]),),
        note=" ".join(map(stars, results)),
    )


def stars(pair: JobResult) -> str:
    """What the two stars that the job shows in full need, in words."""
    w, b, h = pair.values("weights")
    outputs = [pair.values(f"outputs_{star}") for star in (1, 2)]
    at_centers = " and ".join(f"{output[0]:g} at in-degree {len(output) - 1}" for output in outputs)
    needed = " and ".join(f"{pair.value(f'message_{star}'):.3g}" for star in (1, 2))
    return (
        f"With W = {w:g}, B = {b:g} and h = {h:g} at every node, the layer's output is {at_centers}; messages that are summed "
        f"would have to be {needed}."
    )


def place_of_degree(evidence: Evidence) -> Exact:
    """Three ways to bring 1/|N(v)| in; a sum that goes without is the positive control."""
    results = evidence.of(tasks.Message)
    differences = {way: numbers(results, way) for way in (*WAYS, "nowhere")}
    apart = {way: beyond(values, TOLERANCE["float64"]) for way, values in differences.items()}
    return Exact(
        **said("place of the degree"),
        cases=sum(len(differences[way]) for way in WAYS) if all(differences.values()) else 0,
        count=sum(apart[way] for way in WAYS),
        unit="graphs on which one of them is another layer",
        missing=missing(evidence, tasks.Message),
        checks=(Check(name="a sum without 1/|N(v)| is seen to differ", passed=apart["nowhere"] > 0),),
        corrected=f"Graphs on which it is another layer: {', '.join(f'{way} {apart[way]}' for way in WAYS)}.",
        note="In the update: messages (h_u, 1), which depend on no edge, are summed, and the update divides by the second entry.",
    )
