"""The generated signs: the same for a seed, balanced, and changed into each other by turns as their module says."""

import time
from importlib import import_module

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import erlangen.data
from erlangen.data.generated_images import SIGNS, generated_images
from erlangen.data.rotate import rotate

module = import_module("erlangen.data.generated_images")


def drawn(name: str) -> Tensor:
    """Where one sign has ink, alone and in the middle, (1, 1, 64, 64) uint8."""
    number = torch.tensor([list(SIGNS).index(name)])
    rng = np.random.default_rng(0)
    ink = module._ink(rng, number, 64, size=(0.6, 0.6), spread=0.0, tilt=0.0)
    return (ink > 0.5).to(torch.uint8)


def overlap(a: Tensor, b: Tensor) -> float:
    """Pixels with ink in both over pixels with ink in either."""
    return float((a & b).sum() / (a | b).sum())


def test_the_readers_of_images_are_offered_and_stay_functions() -> None:
    """The modules of the same names have been imported above."""
    assert erlangen.data.generated_images is generated_images
    assert isinstance(erlangen.data.generated_images(2, seed=0), erlangen.data.LabeledImages)
    assert callable(erlangen.data.cifar10)
    assert callable(erlangen.data.image_folder)


def test_the_same_seed_gives_the_same_images_and_a_smaller_set_is_the_beginning() -> None:
    whole, again, other = generated_images(250, 3), generated_images(120, 3), generated_images(120, 4)
    assert torch.equal(whole.images[:120], again.images)
    assert torch.equal(whole.labels[:120], again.labels)
    assert not torch.equal(again.images, other.images)
    assert not torch.equal(whole.images[:100], whole.images[100:200])


def test_ten_classes_take_turns() -> None:
    images = generated_images(105, 0, side=24)
    assert images.images.shape == (105, 3, 24, 24)
    assert images.images.dtype == torch.uint8
    assert len(images.classes) == 10
    assert images.labels.tolist() == [i % 10 for i in range(105)]
    assert len(generated_images(0, 0)) == 0


@pytest.mark.parametrize(
    ("name", "degrees", "other"),
    [("six", 180, "nine"), ("up", -90, "right"), ("N", 90, "Z"), ("N", 180, "N"), ("ring", 90, "ring"), ("star", 45, "star")],
)
def test_a_turn_makes_one_sign_of_another(name: str, degrees: int, other: str) -> None:
    assert overlap(rotate(drawn(name), degrees), drawn(other)) > 0.9


def test_upright_signs_differ() -> None:
    shapes = {name: drawn(name) for name in SIGNS}
    assert max(overlap(shapes[a], shapes[b]) for a in SIGNS for b in SIGNS if a != b) < 0.7


@pytest.mark.slow
def test_ten_thousand_images_are_drawn_within_three_seconds() -> None:
    start = time.process_time()
    generated_images(10_000, 0)
    assert time.process_time() - start < 3


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float((model(images.float() / 64 - 2).argmax(1) == labels).double().mean())


@pytest.mark.slow
def test_a_small_net_learns_them_upright_and_fails_when_they_are_turned() -> None:
    torch.manual_seed(0)
    train, test = generated_images(4000, 0), generated_images(1000, 1)
    layers = [
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 10))
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(4):
        for batch in torch.randperm(4000).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(train.images[batch].float() / 64 - 2), train.labels[batch]).backward()
            optimizer.step()
    at = {degrees: accuracy(model, rotate(test.images, degrees), test.labels) for degrees in (0, 60, 90, 120, 150, 180, 210)}
    assert 0.65 < at[0] < 0.95
    assert at[90] < at[0] - 0.3
    assert at[90] > (at[60] + at[120]) / 2 + 0.05  # without black corners, the round signs are seen again
    assert at[180] > (at[150] + at[210]) / 2 + 0.1
