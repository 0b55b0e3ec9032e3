"""Transformers as graph networks: verdicts on what was counted (G9), and the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.kit.judging import counted, not_measured
from erlangen.experiments.transformer_as_graph import CLAIMS, Recipe
from erlangen.experiments.transformer_as_graph.club_figure import club_figure
from erlangen.experiments.transformer_as_graph.evidence import Trained
from erlangen.experiments.transformer_as_graph.figures import accuracy_figure, differences_figure, listening_figure
from erlangen.experiments.transformer_as_graph.mask_verdicts import masks, where
from erlangen.experiments.transformer_as_graph.tables import arms_table, checks_table, relabelings_table
from erlangen.records.runs import Figure, Findings, JobResult, Verdict

STATEMENTS = {claim.id: claim.statement for claim in CLAIMS}
ASKED = "Is a Transformer layer a graph network, and what does attention to every node make of a graph?"


def task(results: Sequence[JobResult], name: str) -> list[JobResult]:
    return sorted((result for result in results if result.params["task"] == name), key=lambda result: result.seed)


def total(found: Sequence[JobResult], name: str) -> float:
    return sum(result.value(name) for result in found)


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """G9's five parts, then G11's; those of which jobs failed are `not measured`."""
    found = {name: task(results, name) for name in ("layer", "order", "relabel")}
    whole = {name: jobs if len(jobs) == recipe.draws else [] for name, jobs in found.items()}
    counted_parts = [*layers(recipe, whole["layer"]), additive(whole["order"]), permutation(whole["relabel"])]
    return [*counted_parts, *masks(Trained.of(recipe, results))]


def layers(recipe: Recipe, found: list[JobResult]) -> list[Verdict]:
    """G9: the layer on the complete graph, on the directed one, and without loops."""
    if not found:
        return [not_measured("G9", part, STATEMENTS["G9"]) for part in ("complete", "causal", "loops")]
    sizes = f"{', '.join(str(size) for size in recipe.sizes)} tokens, 1, 2 and 4 heads, norms first and last"
    worst = {kind: max(result.value(f"{kind}_error") for result in found) for kind in ("complete", "causal")}
    against = "torch.nn.TransformerEncoderLayer with the same weights, all of them random; outputs, attention and gradients"
    back, edges = total(found, "edges_back"), total(found, "edges")
    wrong = total(found, "causal_wrong")
    same, least = total(found, "loops_equal"), min(result.value("loops_error") for result in found)
    needed = "They are needed in these layers only in part: some are equal without them."
    return [
        counted(
            "G9", "complete", "A Transformer layer is a graph network, with dot-product attention, on the complete graph.",
            cases=total(found, "complete_cases"), failures=total(found, "complete_wrong"),
            test=f"{against}: {sizes}; largest error {worst['complete']:.1e} of the largest entry, float64",
        ),
        counted(
            "G9", "causal", "A Transformer layer with a causal mask is a graph network on a directed graph: none of its edges "
            "leads back.",
            cases=total(found, "causal_cases") + edges, failures=wrong + back,
            test=f"{against}: {sizes}; largest error {worst['causal']:.1e}; {back:.0f} of {edges:.0f} edges between two tokens "
            "lead back",
        ),
        counted(
            "G9", "loops", "The graph has self-loops: without them the layer is another.",
            cases=total(found, "loops_cases"), failures=same, corrected=needed if same else None,
            test=f"the complete graph without its loops, layers of 2 tokens and more; least difference {least:.2g} of the "
            "largest entry",
        ),
    ]  # fmt: skip


def additive(found: list[JobResult]) -> Verdict:
    """G9's named negative: no weights of GAT order the tokens differently for different nodes."""
    statement = (
        "Additive GAT is no such layer: its order of the tokens is the same for every node that asks, the dot product's is not."
    )
    if not found:
        return not_measured("G9", "additive", statement)
    gat, dot, cases = (total(found, name) for name in ("gat_turned", "dot_turned", "cases"))
    layers, fixed = total(found, "layers"), total(found, "dot_fixed")
    return counted(
        "G9", "additive", statement, cases=2 * cases, failures=gat, holds=gat == 0 and fixed == 0,
        test=f"{layers:.0f} random layers of each kind on a complete graph of 12, pairs of tokens × pairs of nodes that ask, who "
        f"disagree on which token comes first: GAT {gat:.0f}, dot product {dot:.0f} of {cases:.0f}; {fixed:.0f} dot-product "
        "layers without such a case. Where two nodes disagree, no weights of GAT give that attention",
    )  # fmt: skip


def permutation(found: list[JobResult]) -> Verdict:
    """G9: the layer commutes with what keeps its graph: everything on the complete one, nothing on the causal one."""
    statement = (
        "The layer commutes with a relabeling of its tokens where it keeps the graph and only there: with every one on the "
        "complete graph, with none but the identity on the causal one."
    )
    if not found:
        return not_measured("G9", "permutation", statement)
    names = ("complete", "causal", "ring", "star", "self")
    wrong, cases = (sum(total(found, f"{name}_{what}") for name in names) for what in ("wrong", "cases"))
    commuting = {name: total(found, f"{name}_commuting") / len(found) for name in names}
    each = total(found, "complete_cases") / len(found)
    error = max(result.value(f"{name}_error") for result in found for name in names)
    apart = min(value for result in found for name in names if not math.isnan(value := result.value(f"{name}_apart")))
    return counted(
        "G9", "permutation", statement, cases=cases, failures=wrong,
        holds=wrong == 0 and commuting["complete"] == each and commuting["causal"] == 1,
        test=f"all {each:.0f} relabelings of five tokens, {len(found)} random layers; it commutes with "
        f"{', '.join(f'{number:g} ({name})' for name, number in commuting.items())}; error at most {error:.1e} of the spread "
        f"there, at least {apart:.2g} elsewhere",
    )  # fmt: skip


def findings(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings:
    """The page's question, its answer, its figures."""
    trained = Trained.of(recipe, results)
    exact = {name: task(results, name) for name in ("layer", "order", "relabel", "picture")}
    shown: list[Figure] = []
    if trained.results:
        shown += [accuracy_figure(trained), differences_figure(trained), listening_figure(trained)]
    if exact["picture"]:
        shown.append(club_figure(exact["picture"][0]))
    if exact["layer"] or exact["order"]:
        shown.append(checks_table(exact["layer"], exact["order"]))
    if exact["relabel"]:
        shown.append(relabelings_table(exact["relabel"]))
    if trained.results:
        shown.append(arms_table(trained))
    sentences = []
    counts = {outcome: sum(v.claim == "G9" and v.verdict == outcome for v in verdicts) for outcome in ("supported", "refuted")}
    if exact["layer"]:
        sentences.append(
            f"As a graph network: {counts['supported']} of 5 parts supported, {counts['refuted']} refuted, over "
            f"{total(exact['layer'], 'complete_cases') + total(exact['layer'], 'causal_cases'):.0f} tensors compared."
        )
    sentences.append(where({verdict.part: verdict for verdict in verdicts if verdict.claim == "G11"}))
    return Findings(asked=ASKED, found=" ".join(sentences).strip() or "Nothing was measured.", figures=tuple(shown))
