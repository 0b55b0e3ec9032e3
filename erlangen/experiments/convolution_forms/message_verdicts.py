"""G4: the verdicts on messages, all of them counted."""

from __future__ import annotations

from collections.abc import Sequence

from erlangen.experiments.convolution_forms import TOLERANCE, Recipe
from erlangen.experiments.convolution_forms.evidence import beyond, equal, in_unit, task, total
from erlangen.experiments.kit.judging import counted, not_measured
from erlangen.records.runs import JobResult, Verdict


def mpnn(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G4: index form, message form, the sentence by hand."""
    return equal(
        "G4",
        "mpnn",
        "The index form is the message/update form: message h_u, aggregation the mean, update σ(W · m + B · h).",
        task(recipe, results, "message"),
        "the two forms with each other, and both with a program that goes from node to node in float64",
        "The forms differ: see the figure for which and by how much.",
    )


def edge_free(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G4: one message for equal pairs of features, under a sum."""
    statement = "Where messages are summed and the update is σ(W · m + B · h), a message that sees (h_v, h_u) alone suffices."
    found = task(recipe, results, "pair")
    if not found:
        return not_measured("G4", "edge-free", statement)
    (result,) = found
    contradictions = result.value("contradictions")
    w, b, h = result.values("weights")
    degrees = [len(result.values(f"outputs_{number}")) - 1 for number in (1, 2)]
    outputs, summed = ([result.values(f"{name}_{number}")[0] for number in (1, 2)] for name in ("outputs", "summed"))
    needed = [result.value(f"message_{number}") for number in (1, 2)]
    corrected = (
        "Edge-free under a mean, whose message is h_u. Under a sum the message would have to be h_u / |N(v)|, and 1/|N(v)| is "
        f"no function of (h_v, h_u): with h = {h:g} at every node, W = {w:g} and B = {b:g}, a node that {degrees[0]} edge "
        f"reaches puts out {outputs[0]:g} and one that {degrees[1]} reach {outputs[1]:g}; for that each edge must carry "
        f"{needed[0]:.3g} in the one graph and {needed[1]:.3g} in the other. Summing h_u gives {summed[0]:g} and {summed[1]:g}."
    )
    verdict = counted(
        "G4",
        "edge-free",
        statement,
        cases=result.value("cases"),
        failures=contradictions,
        test="two stars of 1 to 5 edges, the same integer feature at every node, σ the identity: the message that each needs, "
        "solved from the layer's output at the center",
        corrected=corrected if contradictions else None,
    )
    return in_unit(verdict, "pairs of graphs that need different messages")


def degree(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G4: where 1/|N(v)| can enter; a third way refutes that there are two."""
    statement = "1/|N(v)| must enter as an edge feature or in the aggregation."
    found = task(recipe, results, "message")
    values = {
        way: [value for result in found for value in result.values(way)] for way in ("aggregation", "edge", "update", "nowhere")
    }
    apart = {way: beyond(differences, TOLERANCE["float64"]) for way, differences in values.items()}
    graphs = len(values["update"])
    if not graphs or not apart["nowhere"] > 0:
        return not_measured("G4", "degree", statement)
    both = apart["aggregation"] == apart["edge"] == 0
    corrected = "Entering there it does not give the layer on every graph." if not both else None
    if apart["update"] == 0:
        corrected = (
            f"It may do so ({'equal' if both else 'not always equal'} on {graphs} graphs). It may also enter in the update: "
            "messages (h_u, 1), which depend on no edge, are summed, and the update divides by the second entry."
        )
    names = {
        "aggregation": "the mean of h_u",
        "edge": "the sum of h_u / |N(v)|",
        "update": "the sum of (h_u, 1), divided in the update",
        "nowhere": "the sum of h_u",
    }
    verdict = counted(
        "G4",
        "degree",
        statement,
        cases=graphs,
        failures=apart["update"],
        holds=both and apart["update"] > 0,
        test="graphs on which the layer's output is not met, float64: "
        + "; ".join(f"{name} {apart[way]:.0f}" for way, name in names.items())
        + f", of {graphs}, {total(found, 'crowded'):.0f} of which have a node that several edges reach",
        corrected=corrected,
    )
    return in_unit(verdict, "graphs where the update's division fails")
