"""Train a net on images that stay on its device, upright or turned anew in every epoch: Adam, cross-entropy, shuffled batches.

Images are taken and turned many batches at a time, since an operation on a few images costs more to launch than to run. On CUDA
a step is captured once and replayed (`erlangen.train.replay`). All random numbers are drawn on the CPU from the seed, so that the
order of the images and their angles are the same on every device.

    model = RotationCNN(RotationCNNConfig())
    trainer = Trainer(model, images, labels, Settings(lr=1e-3, turned=True))     # images (N, C, H, W) uint8, labels (N,)
    losses = [trainer.epoch() for _ in range(10)]
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from erlangen.data.rotate import rotate
from erlangen.experiments.rotation.tasks import BATCH, Fill, Interpolation
from erlangen.train.classifier import slices
from erlangen.train.classifiers import on_device
from erlangen.train.precision import arithmetic
from erlangen.train.replay import Function, Replay

AT_ONCE = 32  # batches whose images are taken and turned together
MIDDLE, SPREAD = 127.5, 64.0  # about the mean and the standard deviation of pixels from 0 to 255 in photographs
APART = 1_000_003  # between the seed of the order and that of the angles


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to train. turned: by a new random angle for each image in each epoch. captured: on CUDA, whether to replay steps."""

    lr: float = 1e-3
    batch: int = BATCH
    turned: bool = False
    interpolation: Interpolation = "nearest"
    fill: Fill = "zeros"
    precision: str = "float32"
    seed: int = 0
    captured: bool = True


def pixels(images: Tensor) -> Tensor:
    """Images (N, C, H, W) uint8 as the nets see them: float32 about 0, channels last."""
    return images.to(torch.float32, memory_format=torch.channels_last).sub_(MIDDLE).div_(SPREAD)


class Trainer:
    """A net in training; its weights change in place. model, images (N, C, H, W) uint8 and labels (N,): on one device."""

    def __init__(self, model: nn.Module, images: Tensor, labels: Tensor, settings: Settings) -> None:
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.images, self.labels, self.settings = images, labels, settings
        self.order = Generator().manual_seed(settings.seed)
        self.angles = Generator().manual_seed(settings.seed + APART)
        self.device, on_gpu = images.device, images.device.type == "cuda"
        self.optimizer = torch.optim.Adam(model.parameters(), lr=settings.lr, fused=True, capturable=on_gpu)
        self.total = torch.zeros((), device=self.device)  # of the batches' mean losses times their images
        self.update: Function = self.replayed() if on_gpu and settings.captured else self.step

    def epoch(self) -> float:
        """Train on every image once; return the mean loss in nats."""
        self.model.train()
        self.total.zero_()
        size = self.settings.batch
        with on_device(self.device):
            for (chosen,) in slices(torch.randperm(len(self.labels), generator=self.order), size=AT_ONCE * size):
                for batch, targets in slices(*self.take(chosen), size=size):
                    self.update(batch, targets)
        return float(self.total) / len(self.labels)

    def take(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The images of these numbers (M,), turned or upright, and their labels."""
        there = chosen.to(self.device)
        images = self.images[there]
        if self.settings.turned:
            degrees = 360 * torch.rand(len(chosen), generator=self.angles)
            images = rotate(images, degrees, self.settings.interpolation, self.settings.fill)
        return images, self.labels[there]

    def step(self, images: Tensor, labels: Tensor) -> None:
        """One update of the weights. Nothing in it depends on the host, so that it can be captured."""
        self.optimizer.zero_grad(set_to_none=True)
        with arithmetic(self.device, self.settings.precision):
            loss = F.cross_entropy(self.model(pixels(images)), labels)
            loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.total += loss.detach() * len(labels)

    def replayed(self) -> Function:
        """`step` as CUDA graphs, one for each size of a batch, or with a warning as it is, if a capture fails."""
        size, first = self.settings.batch, [weight.detach().clone() for weight in self.model.parameters()]
        self.model.train()
        try:
            with on_device(self.device):
                replay = Replay(self.step)
                for count in sorted({min(size, len(self.labels)), len(self.labels) % size} - {0}):
                    replay.prepare(self.images[:count], self.labels[:count])
        except RuntimeError as error:
            reason = (str(error).splitlines() or [""])[0]
            message = f"a step cannot be captured in a CUDA graph, so its kernels are launched one by one: {reason}"
            warnings.warn(message, RuntimeWarning, stacklevel=2)
            return self.step
        finally:
            self.restart(first)
        return replay

    @torch.no_grad()
    def restart(self, first: list[Tensor]) -> None:
        """Undo all steps, in the same places in memory. first: the weights to begin with."""
        for weight, before in zip(self.model.parameters(), first, strict=True):
            weight.copy_(before)
        for state in self.optimizer.state.values():
            for value in state.values():
                value.zero_()
