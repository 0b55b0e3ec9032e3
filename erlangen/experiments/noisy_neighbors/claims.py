"""Attention among noisy neighbors: the claims, the wording of their parts, and the report's words. Imports no torch."""

from __future__ import annotations

from erlangen.claims import statement_of
from erlangen.records.runs import Claim

NAMES = {"gcn": "GCN", "gat": "GAT", "gatv2": "GATv2", "uniform": "GAT with uniform attention"}
KINDS = {
    "swapped": "another node's features",
    "shifted": "shifted features",
    "loud": "high-variance features",
    "normal": "standard normal features",
    "edges": "moved edges",
}
"""The noises, in the order in which jobs measure them."""

REGIMES = {"training": "noise in training", "test": "noise in the test alone"}

COMPARED = {"robustness": ("gat", "gcn"), "attention as the cause": ("gat", "uniform"), "GATv2": ("gatv2", "gcn")}
"""Who is said to lose less accuracy than whom."""

LOSES = {
    f"{name}, {regime}": f"{NAMES[better]} loses less accuracy than {NAMES[worse]}, with {regime}: a mean over five kinds."
    for name, (better, worse) in COMPARED.items()
    for regime in REGIMES.values()
}
HEARD = {
    f"attention on {name}": f"With {name} in training, GAT gives noisy neighbors clearly less attention than equal weights would."
    for name in KINDS.values()
}

FAR, NEAR = "easy regime", "hard regime"
SEPARATED = {
    f"{FAR}, constructed attention": "Where the class means lie far apart, a constructed attention gives neighbors of the other "
    "class clearly less attention.",
    f"{FAR}, GAT": "Where the class means lie far apart, a trained GAT gives neighbors of the other class clearly less "
    "attention.",
    f"{FAR}, GATv2": "Where the class means lie far apart, a trained GATv2 gives neighbors of the other class clearly less "
    "attention.",
    f"{NEAR}, constructed attention": "Where the class means lie close, even the constructed attention does not clearly suppress "
    "neighbors of the other class.",
    f"{NEAR}, GAT": "Where the class means lie close, a trained GAT does not clearly suppress neighbors of the other class.",
    f"{NEAR}, GATv2": "Where the class means lie close, a trained GATv2 does not clearly suppress neighbors of the other class.",
}
GAINS = {
    f"{where}, {name}": f"Where {more} noise exceeds {less} noise, {sentence}."
    for name in ("GAT", "GATv2")
    for where, more, less, sentence in (
        ("structure noise", "structure", "feature", f"{name} is more accurate than GCN"),
        ("feature noise", "feature", "structure", f"GCN is more accurate than {name}"),
    )
}

CLAIMS = (
    Claim(
        id="G7",
        statement=statement_of("G7"),
        how="The weights of every edge, exactly: equal at each node or not; before and after the features are permuted among the "
        "nodes; and whether the order of a node's neighbors by attention depends on the node that asks. With random parameters, "
        "and in nets that were trained.",
        parts={
            "equal weights, mean form": "A graph convolution in mean form gives all neighbors of a node the same weight.",
            "equal weights after training": "In a trained net, a graph convolution in mean form still gives all neighbors of a "
            "node the same weight.",
            "unequal weights, Kipf and Welling": "A graph convolution in Kipf and Welling's form can give neighbors "
            "different weights, 1 / √(d_u d_v).",
            "feature-dependent weights": "When features are permuted among the nodes, the attention of GAT and of GATv2 changes "
            "on every edge, and GCN's weights change on none.",
            "feature-dependent weights after training": "When features are permuted among the nodes, the attention of trained "
            "GAT and GATv2 changes on every edge, and the weights of a trained GCN change on none.",
            "order of neighbors, GAT": "GAT puts neighbors in the same order of attention whichever node asks.",
            "order of neighbors, GATv2": "GATv2's order of neighbors can depend on the node that asks.",
        },
    ),
    Claim(
        id="G8",
        statement=statement_of("G8"),
        how="Noise on 30 % of the nodes or edges: features of another node, the same shifted in one direction, Gaussian features "
        "with three times the standard deviation, standard normal ones, moved edges. Nets are trained without the noise or "
        "with it. Attention of the first layer on noisy neighbors against their share, and the accuracy lost, at nodes whose own "
        "features are clean. Features are scaled to a standard deviation of 1, Cora's reduced to 64 principal components. Then "
        "two classes with means at a distance, in √(log n) standard deviations; neighbors of the other class are the noise.",
        parts={
            **HEARD,
            **LOSES,
            "robustness, shifted features": "GAT loses less accuracy than GCN where it was trained with shifted features.",
            "representations": "A linear classifier is more accurate on GAT's hidden states than on GCN's, with noise in "
            "training: a mean over five kinds.",
            **SEPARATED,
            **GAINS,
        },
    ),
)

SUPPRESSES = "GAT suppresses noisy neighbors, so it is more robust"
QUOTES = {
    **dict.fromkeys(("equal weights, mean form", "equal weights after training"), "GCN treats neighbors equally (Eq. 6)"),
    **dict.fromkeys(
        ("feature-dependent weights", "feature-dependent weights after training"), "GAT by learned, feature-dependent weights"
    ),
    **dict.fromkeys((*HEARD, *(part for part in LOSES if not part.startswith("GATv2"))), SUPPRESSES),
    "representations": "and its representations are of higher quality.",
}
