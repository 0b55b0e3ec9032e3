"""The oracle is the source's procedure, written out pixel by pixel as claim C2 states it."""

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from erlangen.data.red_green import (
    BOX,
    SIDE,
    RedGreen,
    Split,
    by_order,
    by_place,
    center_row,
    gap,
    paint,
    red_green,
    source_split,
    unseen_split,
)
from erlangen.symmetries.translation import Translation

PROTOCOLS = ("source", "leak-free")
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module", params=PROTOCOLS)
def data(request: pytest.FixtureRequest) -> RedGreen:
    return red_green(request.param, train=300, validation=120, test=110)


@pytest.fixture(params=SPLITS)
def split(request: pytest.FixtureRequest, data: RedGreen) -> Split:
    return getattr(data, request.param)


def legacy_images(n: int, is_test: bool) -> np.ndarray:
    """(n, 3, 32, 32), drawn as the source draws, floats in `randint` included."""
    rng = np.random.RandomState(42)
    images = np.zeros((n, 3, 32, 32))
    for index in range(n):
        label = index % 2
        offset = 7 if label == 0 else 23
        x1 = rng.randint(10)
        y1 = rng.randint(-28 / 6, 28 / 6) + offset
        x2 = rng.randint(x1, 28)
        y2 = rng.randint(-28 / 6, 28 / 6) + offset
        while abs(x1 - x2) < 5:
            x2 = rng.randint(x1, 28)
            y2 = rng.randint(-28 / 6, 28 / 6) + offset
        if is_test:
            y1, y2 = (y1 + 16, y2 + 16) if label == 0 else (y1 - 16, y2 - 16)
        first, second = (0, 1) if label == 0 else (1, 0)
        for row in range(4):
            for column in range(4):
                images[index, first, y1 + row, x1 + column] = 1
                images[index, second, y2 + row, x2 + column] = 1
    return images


def to_the_other_band(split: Split) -> Tensor:
    """The images moved 16 rows towards the middle: those in the upper half down, those in the lower half up."""
    high = split.images[:, :, : SIDE // 2].sum(dim=(1, 2, 3)) > 16
    shift = Translation("zeros")
    return torch.where(high.view(-1, 1, 1, 1), shift.act(split.images, (16, 0)), shift.act(split.images, (-16, 0)))


def images_of(images: Tensor) -> list[bytes]:
    return [image.numpy().tobytes() for image in images]


@pytest.mark.parametrize("is_test", [False, True])
def test_source_split_is_the_legacy_stream(is_test: bool) -> None:
    split = source_split(200, swapped=is_test)
    assert np.array_equal(split.images.numpy(), legacy_images(200, is_test))
    assert split.labels.tolist() == [index % 2 for index in range(200)]


def test_test_split_is_the_training_split_moved_16_rows() -> None:
    data = red_green("source", train=150, validation=10, test=150)
    assert torch.equal(data.test.images, to_the_other_band(data.train))
    assert torch.equal(data.test.labels, data.train.labels)
    assert torch.equal(data.test.boxes[:, ::2], data.train.boxes[:, ::2])


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_source_splits_are_prefixes_of_one_another(train: int, validation: int, seed: int) -> None:
    data, both = red_green("source", train, validation, test=2, seed=seed), min(train, validation)
    for name in ("images", "labels", "boxes"):
        assert torch.equal(getattr(data.train, name)[:both], getattr(data.validation, name)[:both])


def test_both_protocols_train_on_the_same_images() -> None:
    images = [red_green(protocol, train=100, validation=20, test=20).train.images for protocol in PROTOCOLS]
    assert torch.equal(*images)


def test_split_has_the_size_asked_for_and_alternates_its_labels(data: RedGreen) -> None:
    assert [len(getattr(data, name)) for name in SPLITS] == [300, 120, 110]
    for name in SPLITS:
        labels = getattr(data, name).labels
        assert labels.dtype == torch.int64
        assert torch.equal(labels, torch.arange(len(labels)) % 2)


def test_every_image_is_two_whole_boxes_on_black(split: Split) -> None:
    """16 lit pixels each of red and green, no blue, each filling a 4×4 square."""
    assert split.images.shape == (len(split), 3, SIDE, SIDE)
    assert set(split.images.unique().tolist()) == {0.0, 1.0}
    assert (split.images.sum(dim=(2, 3)) == torch.tensor([BOX**2, BOX**2, 0])).all()
    for axis in (2, 3):
        lit = split.images[:, :2].amax(dim=axis)  # (N, 2, side): rows or columns lit
        positions = torch.where(lit > 0, torch.arange(SIDE), -1).amax(-1), torch.where(lit > 0, torch.arange(SIDE), SIDE).amin(-1)
        assert (positions[0] - positions[1] == BOX - 1).all()


def test_boxes_say_where_the_image_is_lit(split: Split) -> None:
    assert (split.boxes >= 0).all()
    assert (split.boxes <= SIDE - BOX).all()
    assert torch.equal(paint(split.boxes, split.labels), split.images)
    assert (gap(split.boxes) >= 5).all()


def test_center_row_is_the_center_of_mass(split: Split) -> None:
    mass = split.images.sum(dim=(1, 3))  # (N, H)
    assert torch.equal(center_row(split.boxes), (mass @ torch.arange(SIDE, dtype=mass.dtype)) / mass.sum(1))


def test_order_is_always_right_and_place_right_until_the_test(data: RedGreen) -> None:
    for name in SPLITS:
        part = getattr(data, name)
        assert torch.equal(by_order(part.images), part.labels)
        assert torch.equal(by_place(part.boxes), part.labels if name != "test" else 1 - part.labels)


def test_order_does_not_see_the_height(split: Split) -> None:
    assert torch.equal(by_order(to_the_other_band(split)), by_order(split.images))


def test_place_does_not_see_the_order(split: Split) -> None:
    mirrored = split.boxes.clone()
    mirrored[:, ::2] = SIDE - BOX - split.boxes[:, ::2].flip(1)
    assert torch.equal(by_place(mirrored), by_place(split.boxes))


def test_leak_free_splits_share_no_image_at_either_height() -> None:
    data = red_green("leak-free", train=400, validation=300, test=300)
    shown = {name: set(images_of(getattr(data, name).images)) for name in SPLITS}
    moved = {name: set(images_of(to_the_other_band(getattr(data, name)))) for name in SPLITS}
    assert len(shown["validation"]) == len(shown["test"]) == 300
    for left, right in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not shown[left] & shown[right]
        assert not shown[left] & moved[right]
        assert not moved[left] & shown[right]


def test_source_protocol_does_leak() -> None:
    """What the leak-free protocol is for."""
    data = red_green("source", train=60, validation=30, test=30)
    seen = set(images_of(data.train.images))
    assert seen.issuperset(images_of(data.validation.images))
    assert seen.issuperset(images_of(to_the_other_band(data.test)))


def all_places() -> list[tuple[int, int, int, int]]:
    """Every place that class 0 can have."""
    rows = range(3, 11)
    return [(x1, y1, x2, y2) for x1 in range(10) for x2 in range(x1 + 5, 28) for y1 in rows for y2 in rows]


def seen(places: list[tuple[int, int, int, int]]) -> Split:
    return Split(torch.empty(0), torch.zeros(len(places), dtype=torch.int64), torch.tensor(places))


def test_draws_stay_within_the_places_counted() -> None:
    split = source_split(600)
    high = split.boxes[split.labels == 0].tolist()
    low = (split.boxes[split.labels == 1] - torch.tensor([0, 16, 0, 16])).tolist()
    assert {tuple(boxes) for boxes in high + low} <= set(all_places())
    assert len(all_places()) == 11_840


def test_no_unseen_place_left_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no unseen red-green image.*fewer than 1"):
        unseen_split(1, seen(all_places()), seed=0)


def test_the_only_unseen_places_are_found_then_used_up() -> None:
    places = [place for place in all_places() if place[0] != 9]
    split = unseen_split(1, seen(places), seed=0)
    assert split.boxes[0, 0] == 9


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_seed_gives_one_data_set(protocol: str) -> None:
    one, two, other = (red_green(protocol, train=20, validation=10, test=10, seed=seed) for seed in (1, 1, 2))
    for name in SPLITS:
        assert torch.equal(getattr(one, name).images, getattr(two, name).images)
        assert not torch.equal(getattr(one, name).images, getattr(other, name).images)
