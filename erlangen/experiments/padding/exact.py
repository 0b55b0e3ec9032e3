"""Padding: the terms of a convolution at the border and the sizes of its maps, counted against SciPy and real modules.

Each count has a twin that must come out large: the same comparison of things that are known to differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.ndimage
import scipy.signal
import torch

from erlangen.data.red_green import SIDE
from erlangen.experiments.padding.tasks import Border, Maps
from erlangen.measure.border import Term, terms
from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.nn.padding import PADDINGS, Padding, pad
from erlangen.records.runs import Job, Measurement

ROUNDING = 1e-12  # of sums of nine products in float64


def border(task: Border, job: Job) -> list[Measurement]:
    """The terms of every output pixel against SciPy, for four sizes of image, and how many of them lie outside."""
    rng = np.random.RandomState(job.seed)
    counts = np.zeros(3, int)
    for size in ((3, 3), (4, 7), (5, 5), (8, 6)):
        x, w = rng.standard_normal(size), rng.standard_normal((3, 3))
        for padding in PADDINGS.values():
            counts += compare_terms(x, w, padding)
    cases, wrong, told_apart = (int(count) for count in counts)
    same = PADDINGS["sconv"]
    corner, edge, inside = (sum(term.outside for term in terms(pixel, (8, 8), 3, same)) for pixel in ((0, 0), (0, 4), (4, 4)))
    first, second = (terms(pixel, (8, 8), 3, same, flip=True) for pixel in ((0, 0), (0, 1)))  # f₁₁ and f₁₂
    image = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    padded = {mode: tuple(pad(image, 1, mode).flatten().tolist()) for mode in ("reflect", "replicate")}
    return [
        Measurement("border_cases", cases, "output pixels"),
        Measurement("border_wrong", wrong, "output pixels"),
        Measurement("border_told_apart", told_apart, "output pixels"),
        Measurement("border_outside_at_corner", corner, "terms of 9"),
        Measurement("border_outside_at_edge", edge, "terms of 9"),
        Measurement("border_outside_inside", inside, "terms of 9"),
        Measurement("first_pixel_terms", len(first), "terms"),
        Measurement("first_pixel_outside", outside(first), "row, column, row, column, ... counted from 1"),
        Measurement("second_pixel_outside", outside(second), "row, column, row, column, ... counted from 1"),
        *(Measurement(f"{mode}_example", values, "pixels, row by row, of 1 to 9 padded") for mode, values in padded.items()),
    ]


def outside(listed: Sequence[Term]) -> tuple[float, ...]:
    """Row and column, counted from 1 as the report counts, of each position outside the image."""
    return tuple(float(1 + index) for term in listed if term.outside for index in term.position)


def compare_terms(x: np.ndarray, w: np.ndarray, padding: Padding) -> tuple[int, int, int]:
    """Output pixels in both kernel directions; those whose terms do not give SciPy's value; those whose terms do not give the
    value of the other direction, as they should not.
    """
    cases, wrong, told_apart = 0, 0, 0
    expected = [scipy_border(x, w, padding, flip) for flip in (False, True)]
    for pixel in np.ndindex(expected[0].shape):
        for flip in (False, True):
            listed = terms(pixel, x.shape, 3, padding, flip=flip)
            total = sum(w[term.kernel] * x[term.reads] for term in listed if term.reads is not None)
            cases += 1
            wrong += len(listed) != 9 or not abs(total - expected[flip][pixel]) <= ROUNDING
            told_apart += abs(total - expected[not flip][pixel]) > ROUNDING
    return cases, wrong, told_apart


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


def maps(task: Maps, job: Job) -> list[Measurement]:
    """The sizes by formula, with the floor and as printed, against real modules; where the former is 0, they must refuse."""
    cases, wrong, printed_wrong = 0, 0, 0
    at_32 = []
    for name in PADDINGS:
        for side in range(3, 65):
            config = PaddedCNNConfig(padding=name, side=side)
            sizes, expected, printed = real_map_sizes(config), config.map_sizes()[1:], printed_map_sizes(config)
            cases += 1
            wrong += sizes != (expected[: expected.index(0)] if 0 in expected else expected)
            printed_wrong += sizes != printed
            if side == SIDE:
                at_32 += [
                    Measurement(f"map_sizes_{name}", tuple(float(size) for size in sizes), "pixels"),
                    Measurement(f"map_sizes_printed_{name}", printed, "pixels"),
                ]
    return [
        Measurement("map_cases", cases, "nets"),
        Measurement("map_wrong", wrong, "nets"),
        Measurement("map_printed_wrong", printed_wrong, "nets"),
        *at_32,
    ]


def printed_map_sizes(config: PaddedCNNConfig) -> tuple[float, ...]:
    """(n + 2p - k) / s + 1, layer by layer, as the report prints it."""
    sizes = [float(config.side)]
    for stride in config.strides:
        sizes.append((sizes[-1] + 2 * PADDINGS[config.padding].width - config.kernel_size) / stride + 1)
    return tuple(sizes[1:])


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
