"""The images of `rotation`: CIFAR-10, generated ones, or a folder of the user's, split for training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from erlangen.data.cifar10 import cifar10, cifar10_folder
from erlangen.data.files import DataError
from erlangen.data.generated_images import generated_images
from erlangen.data.image_folder import check_image_folder, image_folder
from erlangen.data.labeled_images import LabeledImages
from erlangen.experiments.rotation.datasets import holds_cifar10
from erlangen.experiments.rotation.tasks import ARMS, Train
from erlangen.experiments.rotation.viewing import inside

SIDE = 32
LEAST = 10  # images of a part: fewer show nothing
Pair = tuple[Tensor, Tensor]  # images (N, C, H, W) uint8, labels (N,)


@dataclass(frozen=True)
class Parts:
    """Images and labels for training, validation and test, on one device; classes: how many."""

    train: Pair
    validation: Pair
    test: Pair
    classes: int


def parts(task: Train, device: str) -> Parts:
    """The images of a task: a tenth of what is there to learn from validates at most. Raises DataError for too few."""
    learned, tested = read(task)
    held_out = min(task.validation, len(learned) // 10)
    order = torch.randperm(len(learned), generator=Generator().manual_seed(0))
    validation, train = learned.take(order[:held_out]), learned.take(order[held_out : held_out + task.train])
    if min(len(validation), len(tested)) < LEAST:
        count = f"{len(learned)} images to learn from and {len(tested)} to test"
        raise DataError(f"{task.data}: {count}, but at least {10 * LEAST} and {LEAST} are needed: add images")
    disk = ARMS[task.arm].disk
    return Parts(
        train=moved(inside(train.images, disk), train.labels, device),
        validation=moved(inside(validation.images, disk), validation.labels, device),
        test=moved(tested.images[: task.test], tested.labels[: task.test], device),  # seen through a `View`
        classes=len(learned.classes),
    )


def moved(images: Tensor, labels: Tensor, device: str) -> Pair:
    return images.to(device), labels.to(device)


def read(task: Train) -> tuple[LabeledImages, LabeledImages]:
    """Images to learn from, and images for the test."""
    if task.data == "generated":
        return generated_images(task.train + task.validation, seed=1, side=SIDE), generated_images(task.test, seed=2, side=SIDE)
    if task.data == "cifar10" or holds_cifar10(task.data):
        folder = None if task.data == "cifar10" else Path(task.data)
        return cifar10("train", folder), cifar10("test", folder)
    return image_folder(Path(task.data), SIDE)


def present(data: str) -> None:
    """Raises ErlangenError where the images of a recipe cannot be had."""
    if data == "cifar10" or holds_cifar10(data):
        cifar10_folder(None if data == "cifar10" else Path(data))
    elif data != "generated":
        check_image_folder(Path(data))
