"""Graph layers on a GPU, forward and backward, compared with PyTorch Geometric's; the two alternate in one run.

The graph is random, directed and simple, with N nodes, E edges, and F features in and out, in float32: one that fills a GPU, and
one whose steps last as long as the host needs to start them. Attention layers have 8 heads of F / 8 channels. The peers are PyG's
`edge_index` path (gather and scatter) and its CSR path (a `torch.sparse_csr` adjacency); both sides get the same weights, and
outputs and gradients are compared before anything is timed. GAT also has a graph in which every node has an edge to one of them.

time      median of --rounds rounds, each of which times several steps of either side by CUDA events
memory    peak during a step above what was allocated before the layer first saw the graph: what ours keeps of the graph counts
step      whether a step of ours gives the same bits twice, and whether it makes the host wait for the device
captured  a step of ours as a CUDA graph, which is replayed

    python benchmarks/gpu_graph.py [--nodes 100000 10000] [--edges 2000000 200000] [--features 64] [--rounds 7] [--seconds 45]
                                   [--device cuda] [--json FILE]
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, TextIO

import printing
import torch
import torch_geometric
from torch import Tensor, nn
from torch_geometric import nn as pyg

from erlangen.nn.graph import launch
from erlangen.nn.graph.convolution import GraphConvolution
from erlangen.nn.graph.gat import GATConv
from erlangen.nn.graph.gatv2 import GATv2Conv
from erlangen.nn.graph.gcn import GCNConv
from erlangen.nn.graph.transformer_conv import TransformerConv

HEADS = 8
LARGE = 50_000  # nodes, from which on the targets are those of the large graph
ATTENTION = (GATConv, GATv2Conv, TransformerConv)
Step = Callable[[], Tensor]
Row = dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """The data that all layers of one size share."""

    nodes: int
    edges: int
    features: int
    device: torch.device
    hub: int = 0  # more edges, all of which reach node 0

    @cached_property
    def edge_index(self) -> Tensor:
        """No equal edges, which a sparse adjacency adds up, and no self-loops, which PyG's two paths treat differently."""
        generator, n = torch.Generator().manual_seed(0), self.nodes
        codes = torch.randint(n * n, (self.edges + self.edges // 5,), generator=generator).unique()
        codes = codes[codes // n != codes % n]
        codes = codes[torch.randperm(len(codes), generator=generator)[: self.edges]]
        more = torch.randperm(n - 1, generator=generator)[: self.hub] + 1
        return torch.cat([torch.stack([codes // n, codes % n]), torch.stack([more, torch.zeros_like(more)])], 1).to(self.device)

    @cached_property
    def x(self) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        return torch.randn(self.nodes, self.features, generator=generator).to(self.device).requires_grad_()

    @cached_property
    def grad(self) -> Tensor:
        return torch.randn(self.nodes, self.features, generator=torch.Generator().manual_seed(2)).to(self.device)

    @cached_property
    def adjacency(self) -> Tensor:
        """The input of PyG's CSR path, with targets as rows."""
        ones = torch.ones(self.edge_index.shape[1], device=self.device)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.sparse_coo_tensor(self.edge_index.flip(0), ones, (self.nodes, self.nodes)).coalesce().to_sparse_csr()

    def step(self, layer: nn.Module, edges: Tensor) -> Step:
        """Forward and backward through a layer, with gradients of features and weights."""

        def run() -> Tensor:
            self.x.grad = None
            layer.zero_grad()
            out: Tensor = layer(self.x, edges)
            out.backward(self.grad)
            return out.detach()

        return run


@dataclass(frozen=True)
class Case:
    """A layer of ours, PyG's with the same weights by path, and what is wanted: how often faster, and how much less memory."""

    name: str
    ours: nn.Module
    peers: dict[str, tuple[nn.Module, bool]]  # (layer, whether it gets the CSR adjacency)
    faster: float
    leaner: float | None


def cases(graph: Graph) -> Iterator[Case]:
    f, large = graph.features, graph.nodes >= LARGE
    for kind in ATTENTION[:1] if graph.hub else ATTENTION:
        ours, peer = kind(f, f // HEADS, heads=HEADS), getattr(pyg, kind.__name__)(f, f // HEADS, heads=HEADS)
        ours.load_state_dict(peer.state_dict())
        yield Case(kind.__name__, ours, {"edge_index": (peer, False)}, 2.0 if large else 1.0, 2.0 if large else None)
    if graph.hub:
        return
    mean, sage = GraphConvolution(f, f), pyg.SAGEConv(f, f)
    names = {name: name.replace("neighbors", "l").replace("self", "r") for name in mean.state_dict()}
    sage.load_state_dict({names[name]: value for name, value in mean.state_dict().items()})
    yield Case("mean", mean, {"edge_index": (sage, False), "CSR": (sage, True)}, 1.2 if large else 1.0, None)
    gcn, peer, cached = GCNConv(f, f), pyg.GCNConv(f, f), pyg.GCNConv(f, f, cached=True)
    for one in (gcn, cached):
        one.load_state_dict(peer.state_dict())
    paths = {"edge_index": (peer, False), "CSR": (peer, True), "edge_index, cached": (cached, False)}
    yield Case("GCNConv", gcn, paths, 1.2 if large else 1.0, None)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def milliseconds(step: Step, repeats: int, device: torch.device) -> float:
    """Of one step."""
    if device.type != "cuda":
        start = time.perf_counter()
        for _ in range(repeats):
            step()
        return 1000 * (time.perf_counter() - start) / repeats
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(repeats):
        step()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / repeats


def in_turns(steps: dict[str, Step], rounds: int, repeats: int, device: torch.device) -> dict[str, float]:
    """The median milliseconds of each, which alternate, after a warm-up of all."""
    for step in steps.values():
        step(), step()
    times = [{name: milliseconds(step, repeats, device) for name, step in steps.items()} for _ in range(rounds)]
    return {name: statistics.median(one[name] for one in times) for name in steps}


def memory(graph: Graph, layer: nn.Module, edges: Tensor) -> tuple[float, float]:
    """(the peak during a step, what stays allocated), in MiB above what there was before the layer first saw the graph."""
    if graph.device.type != "cuda":
        return 0.0, 0.0
    graph.x.grad = None
    layer.zero_grad()
    edges = edges.clone() if edges.layout == torch.strided else edges
    wait(graph.device)
    before = torch.cuda.memory_allocated()
    step = graph.step(layer, edges)
    step()
    wait(graph.device)
    torch.cuda.reset_peak_memory_stats()
    step()
    wait(graph.device)
    sizes = (torch.cuda.max_memory_allocated() - before, torch.cuda.memory_allocated() - before)
    return round(sizes[0] / 2**20, 1), round(sizes[1] / 2**20, 1)


def results_of(graph: Graph, step: Step, layer: nn.Module) -> dict[str, Tensor]:
    """The output and all gradients of a step."""
    out = step()
    grads = {name: value.grad.clone() for name, value in layer.named_parameters() if value.grad is not None}
    assert graph.x.grad is not None
    return {"output": out.clone(), "x": graph.x.grad.clone(), **grads}


def check(graph: Graph, ours: nn.Module, layer: nn.Module, edges: Tensor) -> float:
    """The largest difference from PyG's output and gradient of x, over the largest entry. Raises AssertionError above 1e-3."""
    mine = results_of(graph, graph.step(ours, graph.edge_index), ours)
    theirs = results_of(graph, graph.step(layer, edges), layer)
    apart = {name: float((mine[name] - theirs[name]).abs().max() / theirs[name].abs().max()) for name in ("output", "x")}
    assert max(apart.values()) < 1e-3, f"the results differ by this share of the largest entry: {apart}"
    return max(apart.values())


def repeats_bits(graph: Graph, layer: nn.Module) -> bool:
    """Whether two steps give the same output and gradients to the bit."""
    step = graph.step(layer, graph.edge_index)
    first, second = results_of(graph, step, layer), results_of(graph, step, layer)
    return all(torch.equal(first[name], second[name]) for name in first)


def waits(graph: Graph, layer: nn.Module) -> str:
    """Where a step makes the host wait for the device; "no" if it does not."""
    step = graph.step(layer, graph.edge_index)
    step()
    if graph.device.type != "cuda":
        return "no device"
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    except RuntimeError as error:
        return " ".join(str(error).split())[:120]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return "no"


def capture(graph: Graph, layer: nn.Module) -> Step:
    """A step of ours as a CUDA graph; it leaves the gradients in the same tensors in every replay."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            graph.step(layer, graph.edge_index)()
    torch.cuda.current_stream().wait_stream(side)
    graph.x.grad = None
    layer.zero_grad()
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        out = layer(graph.x, graph.edge_index)
        out.backward(graph.grad)

    def replay() -> Tensor:
        captured.replay()
        return out.detach()

    return replay


def measure(graph: Graph, case: Case, rounds: int, out: TextIO) -> list[Row]:
    """All about one layer, printed as it comes. A path of PyG's that fails or differs is named and left out."""
    ours, sides, rows = case.ours.to(graph.device), dict[str, tuple[nn.Module, Tensor]](), list[Row]()
    sides["ours"] = (ours, graph.edge_index)
    for name, (layer, sparse) in case.peers.items():
        edges = graph.adjacency if sparse else graph.edge_index
        failed = attempt(f"{case.name}, {name}", partial(checked, graph, ours, layer.to(graph.device), edges, out), out)
        rows += failed
        if not failed:
            sides[name] = (layer, edges)
    steps = {name: graph.step(layer, edges) for name, (layer, edges) in sides.items()}
    times = in_turns(steps, rounds, 5 if graph.nodes >= LARGE else 20, graph.device)
    peaks = {name: memory(graph, layer, edges) for name, (layer, edges) in sides.items()}
    for name in sides:
        rows += report(graph, case, name, times, peaks, out)
    same, waiting = repeats_bits(graph, ours), waits(graph, ours)
    print(f"{'':<16} same bits twice: {same}; waits for the device: {waiting}", file=out, flush=True)
    return [*rows, {"name": f"{named(graph, case)}, step", "same bits": same, "waits": waiting}]


def named(graph: Graph, case: Case) -> str:
    return f"{case.name}, N = {graph.nodes}{', hub' if graph.hub else ''}"


def checked(graph: Graph, ours: nn.Module, layer: nn.Module, edges: Tensor, out: TextIO) -> list[Row]:
    """No rows, once the results have been compared."""
    print(f"{type(layer).__name__:<16} off PyG by {check(graph, ours, layer, edges):.1e}", file=out, flush=True)
    return []


def report(
    graph: Graph, case: Case, name: str, times: dict[str, float], peaks: dict[str, tuple[float, float]], out: TextIO
) -> list[Row]:
    """The line of one side, and the rows of its ratios."""
    label, (peak, kept) = named(graph, case), peaks[name]
    print(f"{case.name:<16} {name:<20} {times[name]:>8.3f} ms, peak {peak:>7.1f} MiB, of which stay {kept:.1f}", file=out, end="")
    if name == "ours":
        print(file=out, flush=True)
        return [{"name": label, "peer": "none", "ms": round(times[name], 4), "MiB": peak, "kept MiB": kept}]
    ratio, lean = times[name] / times["ours"], peak / max(peaks["ours"][0], 0.1)
    print(f";  {ratio:.2f}x as fast (>= {case.faster}), 1/{lean:.2f} of the memory (>= {case.leaner})", file=out, flush=True)
    row = {"name": label, "peer": f"PyG, {name}", "peer ms": round(times[name], 4), "peer MiB": peak}
    speed = {**row, "ratio": round(ratio, 3), "target": case.faster, "unit": "times faster"}
    return [speed, {**row, "ratio": round(lean, 3), "target": case.leaner, "unit": "times less memory"}]


def captured_rows(graph: Graph, case: Case, rounds: int, out: TextIO) -> list[Row]:
    """A captured step beside the same step in eager mode."""
    eager = graph.step(case.ours, graph.edge_index)
    expected = eager().clone()
    replay = capture(graph, case.ours)
    same = torch.equal(replay(), expected)
    replayed = in_turns({"captured": replay}, rounds, 20, graph.device)["captured"]
    print(f"{case.name:<16} {replayed:>8.3f} ms captured in a CUDA graph; same output as without: {same}", file=out, flush=True)
    return [{"name": f"{named(graph, case)}, captured", "ms": round(replayed, 4), "same": same}]


def attempt(name: str, run: Callable[[], list[Row]], out: TextIO) -> list[Row]:
    """The rows of run(), or a row that says how it failed: one failure must not end the rest."""
    try:
        return run()
    except Exception as error:
        fault = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        print(f"{name}: failed: {fault}", file=out, flush=True)
        return [{"name": name, "failed": fault}]


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--nodes", type=int, nargs="+", default=[100_000, 10_000], help="numbers of nodes")
    options.add_argument("--edges", type=int, nargs="+", default=[2_000_000, 200_000], help="numbers of edges, as many")
    options.add_argument("--features", type=int, default=64, help="features in and out (default: 64)")
    options.add_argument("--rounds", type=int, default=7, help="rounds, of which medians are taken (default: 7)")
    options.add_argument("--seconds", type=float, default=45.0, help="time after which cases are skipped (default: 45)")
    options.add_argument("--device", default="cuda", help="cuda, or cpu to try the benchmark itself (default: cuda)")
    args = options.parse_args()
    began, device, out = time.perf_counter(), torch.device(args.device), printing.table_stream(args.json)
    on_gpu = device.type == "cuda"
    chip = torch.cuda.get_device_name(device) if on_gpu else "a CPU, whose figures mean nothing here"
    print(f"{chip}; torch {torch.__version__}, PyG {torch_geometric.__version__}, Triton {launch.TRITON}", file=out, flush=True)
    results: list[Row] = [{"name": "device", "device": chip, "torch": torch.__version__, "pyg": torch_geometric.__version__}]
    graphs = [Graph(nodes, edges, args.features, device) for nodes, edges in zip(args.nodes, args.edges, strict=True)]
    for graph in [*graphs, *(replace(one, hub=one.nodes - 1) for one in graphs[:1])]:
        hub = f"; and {graph.hub} more edges to one node" if graph.hub else ""
        print(f"\nN = {graph.nodes}, E = {graph.edges}, F = {graph.features}{hub}; forward and backward", file=out, flush=True)
        for case in cases(graph):
            if time.perf_counter() - began > args.seconds:
                print(f"{case.name}: skipped, out of time", file=out, flush=True)
                continue
            results += attempt(case.name, partial(measure, graph, case, args.rounds, out), out)
            if on_gpu and graph.nodes < LARGE:
                results += attempt(f"{case.name}, captured", partial(captured_rows, graph, case, args.rounds, out), out)
            printing.emit(results, args.json if args.json != "-" else None)
    print(f"\n{time.perf_counter() - began:.0f} s", file=out, flush=True)
    printing.emit(results, args.json)


if __name__ == "__main__":
    main()
