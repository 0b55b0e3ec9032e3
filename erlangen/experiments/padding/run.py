"""Padding: what one job computes."""

from __future__ import annotations

import functools
from typing import cast

import numpy as np
import scipy.ndimage
import scipy.signal
import torch
from torch import Tensor

from erlangen.data.red_green import (
    BOX,
    SHIFT,
    SIDE,
    Protocol,
    RedGreen,
    Split,
    by_order,
    by_place,
    center_row,
    gap,
    red_green,
)
from erlangen.measure.border import terms
from erlangen.measure.equivariance import flipped, relative_change
from erlangen.measure.probe import linear_r2
from erlangen.models.padded_cnn import NetName, PaddedCNN, PaddedCNNConfig
from erlangen.nn.padding import PADDINGS, Padding
from erlangen.records.runs import Job, Measurement
from erlangen.symmetries.translation import Translation
from erlangen.train.classifier import Schedule, fit, percent_correct, predict
from erlangen.train.seeds import seed_everything

SHIFTS = (1, 2, 4, 8, 16)  # rows; the nets' strides multiply to 8


def run(job: Job) -> list[Measurement]:
    """Measurements of one job, by its task."""
    return {"train": train, "data": data, "border": border, "maps": maps}[str(job.params["task"])](job)


@functools.cache
def splits(protocol: Protocol, train: int, validation: int, test: int) -> RedGreen:
    return red_green(protocol, train, validation, test)


def splits_of(job: Job, protocol: str | None = None) -> RedGreen:
    sizes = [cast(int, job.params[name]) for name in ("train", "validation", "test")]
    return splits(cast(Protocol, protocol or job.params["protocol"]), *sizes)


def on_device(images: Tensor, job: Job) -> Tensor:
    """Channels-last: each pixel's channels side by side, three to ten times faster for so few channels."""
    return images.to(job.device, memory_format=torch.channels_last)


def train(job: Job) -> list[Measurement]:
    """Train one net, then test, probe and move it."""
    data, unseen = splits_of(job), splits_of(job, "leak-free")
    config = PaddedCNNConfig(net=cast(NetName, job.params["net"]), padding=str(job.params["padding"]))
    seed_everything(job.seed)
    net = PaddedCNN(config).to(job.device)
    crossed = crossed_split(unseen)
    r2_untrained, (changes_untrained, _) = place_r2(net, crossed, job), shift_effects(net, data.validation, job)
    schedule = Schedule(epochs=cast(int, job.params["epochs"]), patience=cast(int, job.params["patience"]))
    pairs = [(on_device(part.images, job), part.labels.to(job.device)) for part in (data.train, data.validation)]
    history = fit(net, pairs[0], pairs[1], schedule, job.precision)

    def accuracy(part: Split) -> float:
        return percent_correct(predict(net, on_device(part.images, job), job.precision).cpu(), part.labels)

    changes, flips = shift_effects(net, data.validation, job)
    return [
        Measurement("validation_accuracy", history.validation_accuracy[-1], "%"),
        Measurement("test_accuracy", accuracy(data.test), "%"),
        Measurement("unseen_validation_accuracy", accuracy(unseen.validation), "%"),
        Measurement("unseen_test_accuracy", accuracy(unseen.test), "%"),
        Measurement("epochs", len(history.train_loss), "epochs"),
        Measurement("best_epoch", history.best_epoch + 1, "epochs"),
        Measurement("train_loss", history.train_loss, "nats"),
        Measurement("validation_loss", history.validation_loss, "nats, batch means summed over images"),
        Measurement("validation_accuracy_by_epoch", history.validation_accuracy, "%"),
        Measurement("place_r2", place_r2(net, crossed, job), "1"),
        Measurement("place_r2_untrained", r2_untrained, "1"),
        Measurement("shift_change", changes, "spread of the features"),
        Measurement("shift_change_untrained", changes_untrained, "spread of the features"),
        Measurement("shift_flips", flips, "%"),
    ]


def crossed_split(data: RedGreen) -> Split:
    """Validation and test images in one shuffled split: in it the boxes' height says nothing about the class."""
    parts = (data.validation, data.test)
    order = torch.from_numpy(np.random.RandomState(0).permutation(sum(len(part) for part in parts)))
    images, labels, boxes = (torch.cat([getattr(part, name) for part in parts])[order] for name in ("images", "labels", "boxes"))
    return Split(images, labels, boxes)


def place_r2(net: PaddedCNN, split: Split, job: Job) -> float:
    """How much of the boxes' height a linear map reads from the 64 features before the last layer."""
    return linear_r2(predict(net.features, on_device(split.images, job)).cpu(), center_row(split.boxes))


def moved(split: Split, rows: int) -> Tensor:
    """The images with the boxes `rows` rows towards the other class's band: down for class 0, up for class 1."""
    down, up = (Translation("zeros").act(split.images, (sign * rows, 0)) for sign in (1, -1))
    return torch.where((split.labels == 0).view(-1, 1, 1, 1), down, up)


def shift_effects(net: PaddedCNN, split: Split, job: Job) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Move every picture by each of SHIFTS; the boxes stay inside.

    Returns the median change of the 64 features, relative to their spread over images, and the percentage of predictions
    that flip.
    """
    expected = predict(net.features, on_device(split.images, job))
    changes, flips = [], []
    for rows in SHIFTS:
        actual = predict(net.features, on_device(moved(split, rows), job))
        changes.append(float(relative_change(expected, actual).median()))
        with torch.no_grad():
            flips.append(100 * float(flipped(net.last(expected), net.last(actual)).double().mean()))
    return tuple(changes), tuple(flips)


def data(job: Job) -> list[Measurement]:
    """Claim C3: what the splits show, what each cue alone scores, and what they share with training."""
    found = []
    for protocol in ("source", "leak-free"):
        splits = splits_of(job, protocol)
        seen = set(as_bytes(splits.train.images))
        for name in ("train", "validation", "test"):
            split: Split = getattr(splits, name)
            order, place = by_order(split.images) == split.labels, by_place(split.boxes) == split.labels  # (N,)
            # 16 lit pixels in each of red and green, none in blue: the image holds the boxes and nothing else
            two_boxes = (split.images.sum(dim=(2, 3)) == torch.tensor([BOX * BOX, BOX * BOX, 0])).all(1)
            as_stated = order & (place == (name != "test")) & two_boxes
            # test images are looked for with their boxes back in the band of their class
            shown = moved(split, -SHIFT) if name == "test" else split.images
            in_training = sum(image in seen for image in as_bytes(shown))
            prefix = f"{protocol}_{name}"
            found += [
                Measurement(f"{prefix}_images", len(split), "images"),
                Measurement(f"{prefix}_as_stated", int(as_stated.sum()), "images"),
                Measurement(f"{prefix}_by_order", 100 * float(order.float().mean()), "%"),
                Measurement(f"{prefix}_by_place", 100 * float(place.float().mean()), "%"),
                Measurement(f"{prefix}_least_gap", int(gap(split.boxes).min()), "pixels"),
                Measurement(f"{prefix}_in_training", in_training, "images"),
                Measurement(f"{prefix}_samples", sample(split), "label, x1, y1, x2, y2"),
            ]
    return found


def sample(split: Split, images: int = 4) -> tuple[float, ...]:
    """The first images' labels and boxes, flat: enough to draw them."""
    rows = torch.cat([split.labels[:images, None], split.boxes[:images]], dim=1)
    return tuple(float(value) for value in rows.flatten().tolist())


def as_bytes(images: Tensor) -> list[bytes]:
    """Each image's pixels, to count images that are equal."""
    return [image.tobytes() for image in images.bool().numpy()]


def border(job: Job) -> list[Measurement]:
    """Claim C1: every output pixel's terms, summed, against SciPy; and how many terms of each lie outside."""
    rng = np.random.RandomState(job.seed)
    cases, wrong, unnamed = 0, 0, 0
    for height, width in ((3, 3), (4, 7), (5, 5), (8, 6)):
        x, w = rng.standard_normal((height, width)), rng.standard_normal((3, 3))
        for padding in PADDINGS.values():
            for flip in (False, True):
                expected = scipy_border(x, w, padding, flip)
                for i, j in np.ndindex(expected.shape):
                    listed = terms((i, j), (height, width), 3, padding, flip=flip)
                    total = sum(w[term.kernel] * x[term.reads] for term in listed if term.reads is not None)
                    cases += 1
                    wrong += not np.isclose(total, expected[i, j], rtol=0, atol=1e-12)
                    unnamed += len(listed) != 9
    same = PADDINGS["sconv"]
    corner, edge, inside = (sum(term.outside for term in terms(pixel, (8, 8), 3, same)) for pixel in ((0, 0), (0, 4), (4, 4)))
    return [
        Measurement("border_cases", cases, "output pixels"),
        Measurement("border_wrong", wrong + unnamed, "output pixels"),
        Measurement("border_outside_at_corner", corner, "terms of 9"),
        Measurement("border_outside_at_edge", edge, "terms of 9"),
        Measurement("border_outside_inside", inside, "terms of 9"),
    ]


def scipy_border(x: np.ndarray, w: np.ndarray, padding: Padding, flip: bool) -> np.ndarray:
    """SciPy's own borders: `signal` for zeros and wrapping, `ndimage` on a larger canvas for the copying ones."""
    p = padding.width
    if padding.mode == "zeros":
        function = scipy.signal.convolve2d if flip else scipy.signal.correlate2d
        out: np.ndarray = function(x, w, mode={0: "valid", 1: "same", 2: "full"}[p])
        return out
    mode = {"replicate": "nearest", "reflect": "mirror", "circular": "grid-wrap"}[padding.mode]
    rows, columns = np.mgrid[-p : x.shape[0] + p, -p : x.shape[1] + p]
    canvas = scipy.ndimage.map_coordinates(x, [rows, columns], order=0, mode=mode)
    function = scipy.ndimage.convolve if flip else scipy.ndimage.correlate
    filtered: np.ndarray = function(canvas, w)[1:-1, 1:-1]
    return filtered


def maps(job: Job) -> list[Measurement]:
    """Claim C4: the formula's sizes against the shapes that the real modules give; where it says 0, they must refuse."""
    cases, wrong = 0, 0
    found = []
    for name in PADDINGS:
        for side in range(3, 65):
            config = PaddedCNNConfig(padding=name, side=side)
            sizes = real_map_sizes(config)
            expected = config.map_sizes()[1:]
            cases += 1
            wrong += sizes != (expected[: expected.index(0)] if 0 in expected else expected)
            if side == SIDE:
                found.append(Measurement(f"map_sizes_{name}", tuple(float(size) for size in sizes), "pixels"))
    return [Measurement("map_cases", cases, "nets"), Measurement("map_wrong", wrong, "nets"), *found]


@torch.no_grad()
def real_map_sizes(config: PaddedCNNConfig) -> tuple[int, ...]:
    """Pixels a side after each convolution of a real net, as far as the kernels fit."""
    x, sizes = torch.zeros(1, 3, config.side, config.side), []
    for convolution in PaddedCNN(config).convolutions:
        try:
            x = convolution(x)
        except RuntimeError:  # torch: "Kernel size can't be greater than actual input size"
            break
        sizes.append(x.shape[-1])
    return tuple(sizes)
