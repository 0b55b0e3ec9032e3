"""G4: the layer as message passing, and what its messages have to know."""

from __future__ import annotations

from itertools import combinations, product

import torch
from torch import Tensor

from erlangen.experiments.convolution_forms.dense import Differences, sizes
from erlangen.experiments.convolution_forms.drawing import DTYPES, Drawn, drawn_graphs, gradients, kinds, layer_of, of_layer
from erlangen.experiments.convolution_forms.tasks import Message, Pair
from erlangen.nn.graph.algebra import in_degree
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.nn.graph.message_passing import MessagePassing
from erlangen.records.runs import Job, Measurement


def by_hand(case: Drawn) -> list[Tensor]:
    """The sentence, word for word, in float64: every node reads what its neighbors hold, one after the other.

    Columns, as in h' = σ(W · mean + B · h). A message is h_u, and nothing else is in reach of it.
    """
    x, w, bias, b, _ = leaves = case.leaves()
    rows = []
    for v in range(case.n):
        messages = [x[u] for u, target in case.edge_index.T.tolist() if target == v]
        mean = torch.stack(messages).mean(0) if messages else torch.zeros_like(x[v])
        rows.append(torch.tanh(w @ mean + bias + b @ x[v]))
    return gradients(torch.stack(rows), leaves[:4], case)


class Summed(MessagePassing):
    """Messages h_u, times what the edge brings if it brings anything; a sum."""

    def __init__(self) -> None:
        super().__init__("sum")

    def message(self, source: Tensor, target: Tensor, edge: Tensor | None) -> Tensor:
        return source if edge is None else edge[:, None] * source


class Counted(MessagePassing):
    """Messages (h_u, 1), which no edge decides; a sum; and an update that divides by how many came."""

    def __init__(self) -> None:
        super().__init__("sum")

    def message(self, source: Tensor, target: Tensor, edge: Tensor | None) -> Tensor:
        return torch.cat([source, torch.ones_like(source[:, :1])], dim=1)

    def update(self, aggregated: Tensor, target: Tensor) -> Tensor:
        return aggregated[:, :-1] / aggregated[:, -1:].clamp(min=1)


def message(task: Message, job: Job) -> list[Measurement]:
    """Index form, message form and the sentence by hand; then three ways to bring in 1/|N(v)|, and a sum that goes without."""
    cases, apart = list(drawn_graphs(task, job.seed)), Differences()
    for case in cases:
        truth, size = by_hand(case), sizes(case, False)
        apart.plant(case, truth, size)
        for name, dtype in DTYPES.items():
            index, passed = (of_layer(case, layer_of(case, form, dtype), dtype, False) for form in ("index", "message"))
            apart.add(f"{name} index form, message form", index, passed, size)
            apart.add(f"{name} index form, by hand", index, truth, size)
            apart.add(f"{name} message form, by hand", passed, truth, size)
        for way, arrived in ways(case).items():
            x, w, bias, b, _ = case.leaves()
            apart.add(way, [torch.tanh(arrived @ w.T + bias + x @ b.T)], truth[:1], size[:1])
    crowded = sum(bool((in_degree(case.edge_index, case.n) > 1).any()) for case in cases)
    return [*apart.measurements(), kinds(cases), Measurement("crowded", crowded, "graphs with a node of in-degree 2 or more")]


def ways(case: Drawn) -> dict[str, Tensor]:
    """What arrives at every node where 1/|N(v)| stands in the aggregation, on the edge, in the update, nowhere."""
    x = case.x.double()
    share = 1 / in_degree(case.edge_index, case.n)[case.edge_index[1]].double()
    return {
        "aggregation": MessagePassing("mean")(x, case.edge_index),
        "edge": Summed()(x, case.edge_index, share),
        "update": Counted()(x, case.edge_index),
        "nowhere": Summed()(x, case.edge_index),
    }


def star(degree: int) -> Tensor:
    """Edges from nodes 1 to `degree` to node 0, (2, degree)."""
    return torch.stack([torch.arange(1, degree + 1), torch.zeros(degree, dtype=torch.int64)])


def scalar_layer(w: float, b: float) -> GraphConvolution:
    """h' = w · mean + b · h on one feature."""
    layer = GraphConvolution(1, 1, bias=False).double()
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), (w, b), strict=True):
            parameter.fill_(value)
    return layer


@torch.no_grad()
def center(degree: int, h: float, w: float, b: float) -> tuple[Tensor, Tensor, float]:
    """A star whose nodes all hold h: the layer's output, that of a sum of h_u in place of the mean, and the message that an edge
    would have to carry for a sum to give the layer's output at the center.

    There (h' - b h) / w must arrive. Every edge joins the same pair (h, h): if that is all a message depends on, all of them are
    equal, 1/degree of it each.
    """
    layer, edges = scalar_layer(w, b), star(degree)
    x = torch.full((degree + 1, 1), h, dtype=torch.float64)
    outputs = layer(x, edges)
    return outputs, w * Summed()(x, edges) + b * x, (float(outputs[0]) - b * h) / w / degree


def pair(task: Pair, job: Job) -> list[Measurement]:
    """Stars of two degrees: whether they need the same message. One pair of them in full, the others counted.

    Everything is a small integer but the message itself, h/degree: two of them that should be equal differ by less than 1e-12.
    """
    made = [Measurement("weights", (2.0, 1.0, 1.0), "W, B, h")]
    for number, degree in enumerate((1, 3), 1):
        outputs, summed, needed = center(degree, 1.0, 2.0, 1.0)
        made += [
            Measurement(f"outputs_{number}", tuple(outputs.flatten().tolist())),
            Measurement(f"summed_{number}", tuple(summed.flatten().tolist())),
            Measurement(f"message_{number}", needed, "needed from each edge"),
        ]
    contradictions = []
    for h, w, b in product((-3, -2, -1, 1, 2, 3), (-2, -1, 1, 2), (-2, -1, 0, 1, 2)):
        by_degree = [center(degree, h, w, b)[2] for degree in range(1, 6)]
        contradictions += [abs(one - other) > 1e-12 for one, other in combinations(by_degree, 2)]
    return [
        *made,
        Measurement("cases", len(contradictions), "pairs of graphs"),
        Measurement("contradictions", sum(contradictions), "pairs of graphs"),
    ]
