"""Graph layers on a CPU, forward and backward, compared with PyTorch Geometric's; the two alternate in one run.

The graph is random and directed, with N nodes, E edges, and F features in and out. The peers are PyG's `edge_index` path (gather
and scatter) and its CSR path (a `torch.sparse_csr` adjacency). Both sides get the same weights, features and threads. "fresh":
every step gets a graph that neither side has seen, as with mini-batches. Memory is Linux's VmHWM.

    python benchmarks/graph.py [--rounds 7] [--nodes 10000] [--edges 200000] [--features 64] [--json -]
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import printing
import torch
import torch_geometric
from torch import Tensor, nn
from torch_geometric.nn import (
    GATConv as PeerGAT,
    GATv2Conv as PeerGATv2,
    GCNConv as PeerGCN,
    SAGEConv,
    TransformerConv as PeerTransformer,
)
from torch_geometric.nn.aggr import MedianAggregation

from erlangen.nn.graph.aggregate import aggregate
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.nn.graph.gat import GATConv
from erlangen.nn.graph.gatv2 import GATv2Conv
from erlangen.nn.graph.gcn import GCNConv
from erlangen.nn.graph.transformer_conv import TransformerConv
from erlangen.sweep.machine import cores, processor

HEADS = 8
ATTENTION = {"GAT": (GATConv, PeerGAT), "GATv2": (GATv2Conv, PeerGATv2), "TransformerConv": (TransformerConv, PeerTransformer)}
Step = Callable[[], None]


class Graph:
    """The data that all cases share."""

    def __init__(self, nodes: int, edges: int, features: int) -> None:
        torch.manual_seed(0)
        self.nodes, self.features = nodes, features
        self.edge_index = torch.randint(nodes, (2, edges))
        self.x = torch.randn(nodes, features, requires_grad=True)
        self.grad = torch.randn(nodes, features)

    def step(self, layer: nn.Module, edges: object) -> Step:
        """Forward and backward through a layer, with gradients of features and weights."""

        def run() -> None:
            self.x.grad = None
            layer.zero_grad()
            layer(self.x, edges).backward(self.grad)

        return run

    def fresh(self, layer: nn.Module) -> Step:
        """The same with a new edge_index each time: nothing that was derived from an earlier one can be used."""

        def run() -> None:
            self.step(layer, self.edge_index.clone())()

        return run

    def csr(self) -> Tensor:
        """The input of PyG's CSR path: the adjacency, with targets as rows."""
        ones = torch.ones(self.edge_index.shape[1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.sparse_coo_tensor(self.edge_index.flip(0), ones, (self.nodes, self.nodes)).coalesce().to_sparse_csr()

    def median(self, ours: bool) -> Step:
        messages = self.x.detach()[self.edge_index[0]].requires_grad_()  # (E, F)
        target = self.edge_index[1]
        peer = MedianAggregation()

        def run() -> None:
            messages.grad = None
            if ours:
                out = aggregate(messages, target, self.nodes, "median")
            else:
                out = peer(messages, target, dim_size=self.nodes, dim=0)
            out.backward(self.grad)

        return run


def cases(graph: Graph) -> dict[str, tuple[Step, Step, float]]:
    """name -> (ours, peer, target ratio)."""
    f = graph.features
    ours, sage = GraphConvolution(f, f), SAGEConv(f, f)
    gat, peer_gat, gcn, peer_gcn = GATConv(f, f), PeerGAT(f, f), GCNConv(f, f), PeerGCN(f, f)
    names = {name: name.replace("neighbors", "l").replace("self", "r") for name in ours.state_dict()}
    sage.load_state_dict({names[name]: value for name, value in ours.state_dict().items()})
    gat.load_state_dict(peer_gat.state_dict())
    gcn.load_state_dict(peer_gcn.state_dict())
    edges = graph.edge_index
    torch.testing.assert_close(ours(graph.x, edges), sage(graph.x, edges), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gat(graph.x, edges), peer_gat(graph.x, edges), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gcn(graph.x, edges), peer_gcn(graph.x, edges), rtol=1e-4, atol=1e-4)
    return {
        "mean convolution, edge_index": (graph.step(ours, edges), graph.step(sage, edges), 4.0),
        "mean convolution, CSR": (graph.step(ours, edges), graph.step(sage, graph.csr()), 2.0),
        "GAT": (graph.step(gat, edges), graph.step(peer_gat, edges), 1.5),
        **{f"{name}, {HEADS} heads": (*heads_of(graph, *layers), 1.5) for name, layers in ATTENTION.items()},
        "mean convolution, fresh": (graph.fresh(ours), graph.fresh(sage), 2.5),
        "GCN, fresh": (graph.fresh(gcn), graph.fresh(peer_gcn), 2.5),
        "GAT, fresh": (graph.fresh(gat), graph.fresh(peer_gat), 2.5),
        "median": (graph.median(True), graph.median(False), 5.0),
    }


def heads_of(graph: Graph, ours: type[nn.Module], peer: type[nn.Module]) -> tuple[Step, Step]:
    """A layer with many heads, whose outputs together are as wide as the input, and PyG's with the same weights."""
    layer, other = (kind(graph.features, graph.features // HEADS, heads=HEADS) for kind in (ours, peer))
    layer.load_state_dict(other.state_dict())
    edges = graph.edge_index
    torch.testing.assert_close(layer(graph.x, edges), other(graph.x, edges), rtol=1e-4, atol=1e-4)
    return graph.step(layer, edges), graph.step(other, edges)


def seconds(step: Step) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def in_turns(ours: Step, peer: Step, rounds: int) -> tuple[float, float]:
    """The median seconds of both, which alternate, after a warm-up of each."""
    ours(), peer()
    times = [(seconds(ours), seconds(peer)) for _ in range(rounds)]
    return statistics.median(mine for mine, _ in times), statistics.median(theirs for _, theirs in times)


def peak(side: str, nodes: int, edges: int, features: int) -> tuple[float, float]:
    """(median seconds, peak memory in MiB above the graph itself) of the mean convolution; run it in a separate process."""
    torch.set_num_threads(cores())
    graph = Graph(nodes, edges, features)
    layer = GraphConvolution(features, features) if side == "ours" else SAGEConv(features, features)
    step = graph.step(layer, graph.edge_index)
    before = high_water()
    step()
    times = [seconds(step) for _ in range(15)]
    return statistics.median(times), high_water() - before


def high_water() -> float:
    """The peak resident memory of this process in MiB. (getrusage would inherit that of the parent.)"""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def alone(*args: object) -> tuple[float, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result: tuple[float, float] = pool.apply(peak, args)
    return result


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--rounds", type=int, default=7, help="runs of each side, of which medians are taken (default: 7)")
    options.add_argument("--nodes", type=int, default=10_000, help="number of nodes (default: 10000)")
    options.add_argument("--edges", type=int, default=200_000, help="number of edges (default: 200000)")
    options.add_argument("--features", type=int, default=64, help="features in and out (default: 64)")
    args = options.parse_args()
    torch.set_num_threads(cores())
    out = printing.table_stream(args.json)
    print(f"{processor()}, {cores()} threads; torch {torch.__version__}, PyG {torch_geometric.__version__}", file=out)
    print(f"N = {args.nodes}, E = {args.edges}, F = {args.features}; forward and backward, medians of {args.rounds}\n", file=out)
    results: list[dict[str, object]] = []
    for name, (ours, peer, target) in cases(Graph(args.nodes, args.edges, args.features)).items():
        mine, theirs = in_turns(ours, peer, args.rounds)
        print(f"{name:<30} {1000 * mine:>8.1f} ms  PyG {1000 * theirs:>8.1f} ms  {theirs / mine:>6.2f}x  (>= {target})", file=out)
        results.append({"name": name, "ratio": round(theirs / mine, 2), "target": target, "peer": "PyG", "unit": "times faster"})
    small = alone("ours", args.nodes, args.edges, args.features)
    large, peers = (alone(side, args.nodes, 10 * args.edges, args.features) for side in ("ours", "peer"))
    growth, memory = large[0] / small[0], large[1] / peers[1]
    print(f"{'10 times the edges':<30} {growth:.1f} times the seconds  (<= 11)", file=out)
    print(f"{'peak memory there':<30} {large[1]:.0f} MiB, PyG {peers[1]:.0f} MiB  (<= PyG's)", file=out)
    results += [
        {"name": "seconds at 10 times the edges", "ratio": round(growth, 2), "target": 11, "peer": "itself", "unit": "at most"},
        {"name": "peak memory at 10 times the edges", "ratio": round(memory, 3), "target": 1, "peer": "PyG", "unit": "at most"},
    ]
    printing.emit(results, args.json)


if __name__ == "__main__":
    main()
