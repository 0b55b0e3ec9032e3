"""Which test images a net gets right when they are turned: one bit for each image and angle, packed into numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from erlangen.data.rotate import disk, rotate
from erlangen.experiments.rotation.tasks import WORD, View
from erlangen.experiments.rotation.training import pixels
from erlangen.train.classifier import slices
from erlangen.train.precision import arithmetic

AT_ONCE = {"cpu": 64, "cuda": 2000}  # images; on a CPU maps then stay in its cache, in memory that is used again


def show(images: Tensor, angle: float, view: View) -> Tensor:
    """Images (N, C, H, W) uint8, turned counterclockwise by an angle in degrees as the view says."""
    shown = inside(rotate(images, angle, view.interpolation, view.fill), view.disk)
    if not view.turned_back:
        return shown
    return inside(rotate(shown, -angle, view.interpolation, view.fill), view.disk)


def inside(images: Tensor, disk_only: bool) -> Tensor:
    """The images, black outside the inscribed disk if so asked."""
    return images * disk(images.shape[-1]).to(images.device) if disk_only else images


@torch.no_grad()
def outputs(model: nn.Module, images: Tensor, precision: str) -> Tensor:
    """Logits (N, classes) in float32 for images (N, C, H, W) uint8."""
    model.eval()
    size = AT_ONCE.get(images.device.type, 64)
    with arithmetic(images.device, precision):
        return torch.cat([model(pixels(rows)).float() for (rows,) in slices(images, size=size)])


def correct(model: nn.Module, images: Tensor, labels: Tensor, angles: Sequence[int], view: View, precision: str) -> np.ndarray:
    """Whether the net is right, (angles, N) bool."""
    rows = [(outputs(model, show(images, angle, view), precision).argmax(1) == labels).cpu() for angle in angles]
    return torch.stack(rows).numpy()


def packed(right: np.ndarray) -> tuple[float, ...]:
    """Rows of bools (angles, N) as whole numbers of WORD bits, one row after the other, each filled up with 0."""
    padded = np.pad(right, ((0, 0), (0, -right.shape[1] % WORD)))
    words = padded.reshape(len(right), -1, WORD) @ (2.0 ** np.arange(WORD))  # exact: below 2⁵³
    return tuple(words.ravel().tolist())


@torch.no_grad()
def quarter_turn_error(model: nn.Module, images: Tensor) -> float:
    """The largest change of a logit under turns by 90°, 180° and 270°, over the logits' spread, computed in float64.

    Leaves the model in float32.
    """
    x = pixels(images).double()
    model.double().eval()
    upright = model(x)  # (N, classes)
    changes = [(model(torch.rot90(x, turns, (-2, -1))) - upright).abs().max() for turns in (1, 2, 3)]
    model.float()
    return float(torch.stack(changes).max() / upright.std())
