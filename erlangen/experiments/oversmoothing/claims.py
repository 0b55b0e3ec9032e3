"""Claim G3 and the statements that its parts judge."""

from __future__ import annotations

from erlangen.claims import statement_of
from erlangen.records.runs import Claim

OF_NETS = ("energy before training", "energy after training", "accuracy of deep nets", "loss with depth, B against none")

CLAIMS = (
    Claim(
        id="G3",
        statement=statement_of("G3"),
        how="Which outputs change when one node's features do is counted exactly. Over-smoothing is measured over depth on the "
        "giant component, because smaller ones never mix with the rest: Dirichlet energy (unnormalized Laplacian) over ‖H‖² and "
        "accuracy, without weights, with random weights and after training. All nets train without weight decay, and without "
        "dropout unless the recipe has it, until they reach the same training loss or the last epoch, each at the learning rate "
        "that is best on the validation nodes for its kind and depth: nets that did not learn their training nodes are not "
        "compared. B can prevent over-smoothing only where nets without B over-smooth.",
        parts={
            "one layer": "Without B or self-loops, one layer's output at a node does not depend on that node's features.",
            "energy before training": "Before training, deep nets with B keep shallow ones' Dirichlet energy.",
            "energy after training": "After training, deep nets with B keep shallow ones' Dirichlet energy.",
            "accuracy of deep nets": "Deep nets with B are as accurate as shallow ones.",
            "loss with depth, B against none": "From shallow to deep, nets with B lose less accuracy than nets without B.",
            "deep, B against none": "Deep nets with B are more accurate than deep nets without B.",
            "two layers": "Two layers without B see the node itself wherever a walk of two edges returns to it.",
            "energy without weights": "Averaging alone over-smooths: even with B = I it leaves little of the Dirichlet energy.",
            "small components": "Without B, the small components of a graph hide that its giant component is smoothed.",
            "identity": "Before training, deep nets with B = I, which is not learned, keep the energy that a random B loses.",
            "weight scale, tanh": "With tanh, large first weights keep the energy of deep nets without B (Epping et al., 2024).",
            "weight scale, relu": "With relu, the scale of the first weights changes nothing before training.",
            "deep, self-loops": "Deep nets with self-loops in place of B are at least as accurate as deep nets with B.",
            "deep, equal parameters": "Deep nets without B, but with as many parameters, are at least as accurate as with B.",
            "deep, LayerNorm": "Deep nets with LayerNorm in place of B are at least as accurate as deep nets with B.",
            "depth alone": "Depth alone does no harm: without neighbors to average, all deep nets learn their training nodes.",
        },
    ),
)

QUOTES = {
    "one layer": "Without B the update is independent of h_v",
    **dict.fromkeys(OF_NETS, "B prevents over-smoothing."),
}
