"""Training the nets of claim C2, compared with the loop that most people would write first.

The peer uses `DataLoader` and `nn.Conv2d(padding_mode=...)`, one model at a time on all threads, with validation after every
epoch. Ours works like `erlangen run padding`: one single-threaded process per core, each with its own seed. Both sides train the
same epochs. They alternate, every figure is a median over rounds, and ratios are weighted by the work of the whole table.

    python benchmarks/padding.py [--rounds 5] [--rows Net1/valid,Net2/circular] [--json -]
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection

import printing
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from erlangen.data.red_green import red_green
from erlangen.experiments.padding import ROWS
from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.nn.padding import PADDINGS
from erlangen.sweep.local import WORKER_ENVIRONMENT, environment_for_children
from erlangen.sweep.machine import cores, processor
from erlangen.train.classifier import Schedule, fit
from erlangen.train.precision import has_bfloat16

TARGETS = {"float32": 1.4, "bfloat16": 2.5}


class PlainNet(nn.Module):
    """The same nets, made of torch's modules only."""

    def __init__(self, net: str, padding: str) -> None:
        super().__init__()
        border = PADDINGS[padding]
        channels, strides = (3, 32, 32, 64, 64), (1, 2, 2, 2)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(c_in, c_out, 3, stride, border.width, padding_mode=border.mode, bias=False)
            for c_in, c_out, stride in zip(channels, channels[1:], strides, strict=False)
        )
        self.last = nn.Linear(64, 2)
        self.flatten = nn.LazyLinear(64) if net == "Net2" else None

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
        x = F.adaptive_max_pool2d(x, 1).flatten(1) if self.flatten is None else self.flatten(x.flatten(1))
        return self.last(x)


class Peer:
    """A plain model, trained one epoch at a time on all threads."""

    def __init__(self, row: str) -> None:
        data = red_green()
        self.train, self.validation = (
            DataLoader(TensorDataset(part.images, part.labels), batch_size=200) for part in (data.train, data.validation)
        )
        self.model = PlainNet(*row.split("/"))
        self.model(data.train.images[:1])  # initializes the lazy layer
        self.optimizer = torch.optim.Adadelta(self.model.parameters(), lr=1, rho=0.9, eps=1e-6, weight_decay=5e-5)
        self.loss = nn.CrossEntropyLoss()

    def epoch(self) -> None:
        self.model.train()
        for x, y in self.train:
            self.optimizer.zero_grad()
            self.loss(self.model(x), y).backward()
            self.optimizer.step()
        self.model.eval()
        with torch.no_grad():
            for x, y in self.validation:
                logits = self.model(x)
                self.loss(logits, y).item(), (logits.argmax(1) == y).sum().item()


def serve(pipe: Connection) -> None:
    """A worker process of ours: trains a net for one epoch or multiplies matrices on request, until the pipe closes."""
    torch.set_num_threads(1)
    data = red_green()
    train, validation = (
        (part.images.contiguous(memory_format=torch.channels_last), part.labels) for part in (data.train, data.validation)
    )
    models: dict[tuple[str, str], PaddedCNN] = {}
    while True:
        try:
            task, row, precision = pipe.recv()
        except EOFError:  # the benchmark is over
            return
        if task == "multiply":
            matrix = torch.randn(2048, 2048, dtype=getattr(torch, precision))
            for _ in range(3):
                matrix @ matrix
        else:
            net, padding = row.split("/")
            if (row, precision) not in models:
                models[row, precision] = PaddedCNN(PaddedCNNConfig(net=net, padding=padding))
            fit(models[row, precision], train, validation, Schedule(epochs=1), precision)
        pipe.send("done")


class Ours:
    """One worker process per core. `seconds` sends the same task to all of them and waits for the last."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes = []
        with environment_for_children(WORKER_ENVIRONMENT):
            for _ in range(cores()):
                here, there = context.Pipe()
                context.Process(target=serve, args=(there,), daemon=True).start()
                self.pipes.append(here)

    def seconds(self, *task: str) -> float:
        start = time.perf_counter()
        for pipe in self.pipes:
            pipe.send(task)
        for pipe in self.pipes:
            pipe.recv()
        return time.perf_counter() - start


def flops(row: str) -> float:
    """Floating-point operations of an epoch: 2000 images forward and backward, 1000 forward; convolutions and Net2's linear."""
    net, padding = row.split("/")
    config = PaddedCNNConfig(net=net, padding=padding)
    sizes = config.map_sizes()
    layers = [
        2 * size**2 * 9 * c_in * c_out for size, c_in, c_out in zip(sizes[1:], config.channels, config.channels[1:], strict=False)
    ]
    if net == "Net2":
        layers.append(2 * 64 * 64 * sizes[-1] ** 2)
    forward = sum(layers)
    return 2000 * (3 * forward - layers[0]) + 1000 * forward  # the input needs no gradient


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--rounds", type=int, default=5, help="epochs of each side, of which medians are taken (default: 5)")
    options.add_argument("--rows", default=",".join(ROWS), help="rows of the table, separated by commas (default: all)")
    args = options.parse_args()
    rows = args.rows.split(",")
    precisions = ["float32", *(["bfloat16"] if has_bfloat16("cpu") else [])]

    torch.set_num_threads(cores())
    ours = Ours()
    for precision in precisions:
        ours.seconds("multiply", "", precision)
    multiply = {p: statistics.median(ours.seconds("multiply", "", p) for _ in range(5)) for p in precisions}
    peaks = {precision: len(ours.pipes) * 3 * 2 * 2048**3 / seconds for precision, seconds in multiply.items()}

    medians: dict[str, dict[str, float]] = {}
    for row in rows:
        peer = Peer(row)
        peer.epoch()
        for precision in precisions:
            ours.seconds("train", row, precision)  # the first epoch compiles the library's kernels
        times: dict[str, list[float]] = {name: [] for name in ("peer", *precisions)}
        for _ in range(args.rounds):
            start = time.perf_counter()
            peer.epoch()
            times["peer"].append(time.perf_counter() - start)
            for precision in precisions:
                times[precision].append(ours.seconds("train", row, precision) / len(ours.pipes))
        medians[row] = {name: statistics.median(values) for name, values in times.items()}
        print(f"{row}: {', '.join(f'{name} {value:.2f} s' for name, value in medians[row].items())}", file=sys.stderr)

    report(rows, precisions, medians, peaks, args.json)


def report(
    rows: list[str], precisions: list[str], medians: dict[str, dict[str, float]], peaks: dict[str, float], target: str | None
) -> None:
    """Print the table, and write JSON if requested."""
    out = printing.table_stream(target)
    print(f"\n{processor()}, {cores()} cores; torch {torch.__version__}, Python {sys.version.split()[0]}", file=out)
    print(f"peer: DataLoader loop, one model, {cores()} threads; ours: {cores()} processes of one thread", file=out)
    for precision in precisions:
        print(f"measured {precision} matrix-product peak of all cores: {peaks[precision] / 1e9:.0f} GFLOP/s", file=out)
    header = " ".join(f"{f'{p} s':>11} {'ratio':>6} {'of peak':>8}" for p in precisions)
    print(f"\n{'seconds per epoch':<24} {'peer s':>8} {header}", file=out)
    for row in [*rows, "whole table"]:
        chosen = rows if row == "whole table" else [row]
        peer = sum(medians[name]["peer"] for name in chosen)
        cells = []
        for precision in precisions:
            mine = sum(medians[name][precision] for name in chosen)
            share = sum(flops(name) for name in chosen) / mine / peaks[precision]
            cells.append(f"{mine:>11.3f} {peer / mine:>5.2f}x {share:>8.0%}")
        print(f"{row:<24} {peer:>8.3f} {' '.join(cells)}", file=out)
    results: list[dict[str, object]] = []
    for precision in precisions:
        ratio = sum(medians[row]["peer"] for row in rows) / sum(medians[row][precision] for row in rows)
        share = sum(map(flops, rows)) / sum(medians[row][precision] for row in rows) / peaks[precision]
        results += [
            {
                "name": f"padding table, {precision}", "ratio": round(ratio, 3), "target": TARGETS[precision],
                "peer": "plain DataLoader loop, all threads, float32", "unit": "times faster",
            },
            {
                "name": f"share of the {precision} matrix-product peak", "ratio": round(share, 3), "target": None,
                "peer": "2048³ products on every core", "unit": "of peak",
            },
        ]  # fmt: skip
    printing.emit(results, target)


if __name__ == "__main__":
    main()
