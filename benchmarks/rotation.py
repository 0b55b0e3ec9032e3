"""Rotating images, evaluating and training the net of claims C9 and C10, compared with what most people would write first.

Rotation: images at 13 angles, beside Pillow's `rotate` image by image in a DataLoader, and beside kornia on the same float32
tensors, skipped where kornia is missing. Evaluation and training: the peer is the same net in torch's modules and float32, with a
DataLoader for its batches. Both sides run in one process on one thread, as a job of `erlangen run rotation` does; a second
process doubles either. The sides alternate, every figure is a median of processor seconds over rounds, and ratios are of medians.

    python benchmarks/rotation.py [--rounds 3] [--images 10000] [--epoch 5000] [--json -]
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import printing
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from erlangen.data.generated_images import generated_images
from erlangen.data.labeled_images import LabeledImages
from erlangen.data.rotate import rotate
from erlangen.experiments.rotation.tasks import BATCH, View
from erlangen.experiments.rotation.training import MIDDLE, SPREAD, Settings, Trainer
from erlangen.experiments.rotation.viewing import correct
from erlangen.models.rotation_cnn import RotationCNN, RotationCNNConfig
from erlangen.sweep.machine import processor
from erlangen.train.precision import has_bfloat16

ANGLES = tuple(range(0, 361, 30))
PRECISIONS = ("float32", *(["bfloat16"] if has_bfloat16("cpu") else []))


def plain_net() -> nn.Module:
    """The report's net, made of torch's modules only."""
    layers: list[nn.Module] = []
    for inner, outer in ((3, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(inner, outer, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.Linear(64, 10))


class PillowImages(Dataset[tuple[Tensor, int]]):
    """Images that Pillow turns one by one, as tensors (3, 32, 32)."""

    def __init__(self, data: LabeledImages, degrees: float) -> None:
        from PIL import Image

        self.pictures = [Image.fromarray(image) for image in data.images.permute(0, 2, 3, 1).contiguous().numpy()]
        self.labels, self.degrees = data.labels.tolist(), degrees

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, number: int) -> tuple[Tensor, int]:
        turned = np.asarray(self.pictures[number].rotate(self.degrees))
        return (torch.from_numpy(turned.transpose(2, 0, 1).astype(np.float32)) - MIDDLE) / SPREAD, self.labels[number]


def pillow_rotation(loaders: list[DataLoader[Any]]) -> None:
    for loader in loaders:
        for _ in loader:
            pass


@torch.no_grad()
def pillow_evaluation(loaders: list[DataLoader[Any]], model: nn.Module) -> None:
    model.eval()
    for loader in loaders:
        sum(int((model(x).argmax(1) == y).sum()) for x, y in loader)


def plain_epoch(loader: DataLoader[Any], model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


def evaluation(model: nn.Module, data: LabeledImages, precision: str) -> None:
    correct(model, data.images, data.labels, ANGLES, View("nearest", "zeros"), precision)


def turned(pixels: Tensor, interpolation: str) -> None:
    for degrees in ANGLES:
        rotate(pixels, degrees, interpolation)  # type: ignore[arg-type]


def turned_by_kornia(pixels: Tensor, interpolation: str) -> None:
    transform = importlib.import_module("kornia.geometry.transform")
    for degrees in ANGLES:
        transform.rotate(pixels, torch.full((len(pixels),), float(degrees)), mode=interpolation)


def medians(sides: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Processor seconds of each side, the sides taking turns, after one call that is not counted."""
    for call in sides.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, call in sides.items():
            start = time.process_time()
            call()
            times[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def row(name: str, peer: str, seconds: tuple[float, float], target: float | None) -> dict[str, Any]:
    """seconds: of the peer, and ours."""
    print(f"{name}: {peer} {seconds[0]:.2f} s, ours {seconds[1]:.2f} s", file=sys.stderr)
    ratio = round(seconds[0] / seconds[1], 3)
    return {"name": name, "ratio": ratio, "target": target, "peer": peer, "unit": "times faster", "seconds": seconds}


def target(precision: str, ratio: float) -> float | None:
    """The ratio to reach, asked of the fastest precision of this processor."""
    return ratio if precision == PRECISIONS[-1] else None


def rotations(data: LabeledImages, loaders: list[DataLoader[Any]], rounds: int) -> list[dict[str, Any]]:
    """Rotation alone."""
    sides = {"peer": partial(pillow_rotation, loaders), "ours": partial(turned, data.images, "nearest")}
    times = medians(sides, rounds)
    rows = [row("rotate uint8, nearest", "Pillow in a DataLoader", (times["peer"], times["ours"]), 5.0)]
    try:
        importlib.import_module("kornia")
    except ImportError as error:
        print(f"kornia is skipped: {error}; install it, or put it on PYTHONPATH", file=sys.stderr)
        return rows
    floats = data.images.float() / 255
    for interpolation in ("nearest", "bilinear"):
        both = {"peer": turned_by_kornia, "ours": turned}
        times = medians({side: partial(call, floats, interpolation) for side, call in both.items()}, rounds)
        rows.append(row(f"rotate float32, {interpolation}", "kornia", (times["peer"], times["ours"]), 1.0))
    return rows


def evaluations(data: LabeledImages, loaders: list[DataLoader[Any]], rounds: int) -> list[dict[str, Any]]:
    """Rotation and the net's answers."""
    model = RotationCNN(RotationCNNConfig()).to(memory_format=torch.channels_last)
    sides: dict[str, Callable[[], object]] = {"peer": partial(pillow_evaluation, loaders, plain_net())}
    sides |= {precision: partial(evaluation, model, data, precision) for precision in PRECISIONS}
    times, peer = medians(sides, rounds), "Pillow in a DataLoader, float32"
    name = "rotate and evaluate"
    return [
        row(f"{name}, {precision}", peer, (times["peer"], times[precision]), target(precision, 5.0)) for precision in PRECISIONS
    ]


def epochs(data: LabeledImages, rounds: int) -> list[dict[str, Any]]:
    """An epoch of training on upright images."""
    model, pixels = plain_net(), (data.images.float() - MIDDLE) / SPREAD
    loader = DataLoader(TensorDataset(pixels, data.labels), batch_size=BATCH, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    sides: dict[str, Callable[[], object]] = {"peer": partial(plain_epoch, loader, model, optimizer)}
    for precision in PRECISIONS:
        settings = Settings(precision=precision)
        sides[precision] = Trainer(RotationCNN(RotationCNNConfig()), data.images, data.labels, settings).epoch
    times, peer = medians(sides, rounds), "plain DataLoader loop, float32"
    name = f"epoch of {len(data)} images"
    return [
        row(f"{name}, {precision}", peer, (times["peer"], times[precision]), target(precision, 1.5)) for precision in PRECISIONS
    ]


def main() -> None:
    options = printing.parser(__doc__)
    options.add_argument("--rounds", type=int, default=3, help="of which medians are taken (default: 3)")
    options.add_argument("--images", type=int, default=10_000, help="images to rotate and evaluate (default: 10000)")
    options.add_argument("--epoch", type=int, default=5_000, help="images of an epoch (default: 5000)")
    args = options.parse_args()
    torch.set_num_threads(1)
    data = generated_images(args.images, 0)
    loaders = [DataLoader(PillowImages(data, degrees), batch_size=BATCH) for degrees in ANGLES]
    rows = rotations(data, loaders, args.rounds) + evaluations(data, loaders, args.rounds)
    rows += epochs(generated_images(args.epoch, 0), args.rounds)
    report(rows, args)


def report(rows: list[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print the table, and write JSON if requested."""
    out = printing.table_stream(args.json)
    print(f"\n{processor()}, one thread; torch {torch.__version__}, Python {sys.version.split()[0]}", file=out)
    print(f"{args.images} images at {len(ANGLES)} angles; seconds of the processor", file=out)
    print(f"\n{'':<34} {'peer s':>8} {'ours s':>8} {'ratio':>7} {'target':>7}  peer", file=out)
    for line in rows:
        least = "" if line["target"] is None else f"{line['target']:.1f}x"
        peer, mine = line.pop("seconds")
        print(f"{line['name']:<34} {peer:>8.2f} {mine:>8.2f} {line['ratio']:>6.2f}x {least:>7}  {line['peer']}", file=out)
    printing.emit(rows, args.json)


if __name__ == "__main__":
    main()
