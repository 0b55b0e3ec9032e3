"""The cost of an audit beyond the forward passes that it needs, for a model of the size of ResNet-18, and its peak memory.

A clock inside the model measures the seconds in float32 forward passes and in those of the float64 twin. Overhead is all other
time, divided by the float32 time. Memory is Linux's VmHWM over a whole audit, with few and with many elements, each in a separate
process.

    python benchmarks/audit.py [--rounds 3] [--inputs 16] [--side 224] [--elements 8] [--json -]
"""

from __future__ import annotations

import multiprocessing
import statistics
import time

import printing
import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing.inputs import generated
from erlangen.measure.cost import peak_mib
from erlangen.sweep.machine import cores, processor

CHECKS = ("translation", "translation-zeros", "reflection")


class Block(nn.Module):
    """A residual block: x plus two 3×3 convolutions (He et al. 2016, figure 2)."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out),
        )  # fmt: skip
        same = stride == 1 and width == out
        self.skip = nn.Identity() if same else nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.skip(x))


class Clock:
    """The seconds inside the outermost module and the number of inputs, by the dtype of the computation."""

    def __init__(self) -> None:
        self.seconds = {torch.float32: 0.0, torch.float64: 0.0}
        self.inputs = {torch.float32: 0, torch.float64: 0}
        self.start = 0.0

    def __deepcopy__(self, memo: object) -> Clock:
        """Returns the clock itself, so that the passes of the float64 twin are counted too."""
        return self

    def before(self, module: nn.Module, args: tuple[Tensor, ...]) -> None:
        self.start = time.perf_counter()

    def after(self, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        dtype = next(module.parameters()).dtype
        self.seconds[dtype] += time.perf_counter() - self.start
        self.inputs[dtype] += len(output)


def resnet18() -> nn.Module:
    """ResNet-18: 11.7 M parameters, 1000 classes, random weights."""
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    width = 64
    for out, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(width, out, stride), Block(out, out, 1)]
        width = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)).eval()


def audited(inputs: int, side: int, elements: int, where: bool = True, only_exact: bool = False) -> tuple[Clock, float]:
    """Run an audit; return its clock and its total seconds."""
    model, clock = resnet18(), Clock()
    model.register_forward_pre_hook(clock.before)
    model.register_forward_hook(clock.after)
    images = torch.stack(generated("images", (3, side, side), inputs))
    start = time.perf_counter()
    erlangen.audit(model, images, CHECKS, elements=elements, where=where, only_exact=only_exact)
    return clock, time.perf_counter() - start


def memory(inputs: int, side: int, elements: int) -> float:
    """The peak memory of an audit in MiB, in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(held, (inputs, side, elements))


def held(inputs: int, side: int, elements: int) -> float:
    audited(2, side, 1)  # what the libraries load is not a cost of the audit
    return peak_mib(lambda: audited(inputs, side, elements))


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--rounds", type=int, default=3, help="number of audits, of which medians are taken (default: 3)")
    options.add_argument("--inputs", type=int, default=16, help="number of images (default: 16)")
    options.add_argument("--side", type=int, default=224, help="side of an image in pixels (default: 224)")
    options.add_argument("--elements", type=int, default=8, help="random elements per image (default: 8)")
    args = options.parse_args()
    torch.set_num_threads(cores())
    out = printing.table_stream(args.json)
    print(f"{processor()}, {cores()} threads; torch {torch.__version__}; {', '.join(CHECKS)}", file=out)
    print(f"ResNet-18, {args.inputs} images of {args.side} px, {args.elements} elements; medians of {args.rounds}\n", file=out)
    audited(2, 32, 1)  # loads what an audit needs once per process
    overheads, twins = [], []
    for _ in range(args.rounds):
        clock, total = audited(args.inputs, args.side, args.elements)
        single, double = clock.seconds[torch.float32], clock.seconds[torch.float64]
        overheads.append((total - single - double) / single)
        twins.append(double / single)
        print(f"  {clock.inputs[torch.float32]} float32 passes {single:.1f} s, {clock.inputs[torch.float64]} of the twin "
              f"{double:.1f} s, the rest {total - single - double:.2f} s", file=out)  # fmt: skip
    overhead, twin = statistics.median(overheads), statistics.median(twins)
    print(f"{'overhead over the passes':<30} {100 * overhead:.1f} %  (<= 10 %); the twin {100 * twin:.0f} % more", file=out)
    quick = [audited(args.inputs, args.side, args.elements, only_exact=True) for _ in range(args.rounds)]
    seconds, passes = statistics.median(total for _, total in quick), quick[0][0].inputs
    single, double = passes[torch.float32], passes[torch.float64]
    print(f"{'exactness alone':<30} {seconds:.1f} s  (<= 5 s), {single} float32 passes and {double} of the twin", file=out)
    few, many = (memory(args.inputs, args.side, elements) for elements in (4, 40))
    print(f"{'peak memory':<30} {few:.0f} MiB with 4 elements per input, {many:.0f} MiB with 40", file=out)
    results: list[dict[str, object]] = [
        {"name": "overhead", "ratio": round(overhead, 4), "target": 0.1, "peer": "its forward passes", "unit": "at most"},
        {"name": "twin", "ratio": round(twin, 3), "target": None, "peer": "its forward passes", "unit": "reported"},
        {"name": "exactness alone", "ratio": round(seconds / 5, 3), "target": 1.0, "peer": "5 s", "unit": "at most"},
        {
            "name": "memory at 10 times the elements",
            "ratio": round(many / few, 3),
            "target": 1.05,
            "peer": "itself",
            "unit": "at most",
        },
    ]
    printing.emit(results, args.json)


if __name__ == "__main__":
    main()
