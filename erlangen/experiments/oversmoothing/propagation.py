"""What averaging does by itself, without weights."""

from __future__ import annotations

from erlangen.experiments.oversmoothing.graphs import graph_of
from erlangen.experiments.oversmoothing.tasks import Propagate
from erlangen.measure.smoothness import dirichlet_energy, mean_average_distance
from erlangen.nn.graph.algebra import add_self_loops, in_degree
from erlangen.nn.graph.csr import neighbor_sum
from erlangen.records.runs import Job, Measurement


def propagate(task: Propagate, job: Job) -> list[Measurement]:
    """No weights: D⁻¹A, with B = I added and halved, or with self-loops, as often as each depth says, in float64."""
    graph = graph_of(task.data, task.nodes, task.digest, job.seed, giant=task.component == "giant")
    n = graph.num_nodes
    edges = add_self_loops(graph.edge_index, n) if task.arm == "loops" else graph.edge_index
    degree = in_degree(edges, n).clamp(min=1)[:, None]
    h = graph.x.double()
    energy, distance = [dirichlet_energy(h, graph.edge_index)], [mean_average_distance(h)]
    for depth in range(1, task.depths[-1] + 1):
        mean = neighbor_sum(h, edges, n) / degree
        h = (mean + h) / 2 if task.arm == "root" else mean  # half: neither measure depends on the scale; nothing overflows
        if depth in task.depths:
            energy.append(dirichlet_energy(h, graph.edge_index))
            distance.append(mean_average_distance(h))
    return [
        Measurement("nodes", n, "nodes"),
        Measurement("energy", tuple(energy), "of ‖H‖², from depth 0 on"),
        Measurement("distance", tuple(distance), "1 - cos, from depth 0 on"),
    ]
