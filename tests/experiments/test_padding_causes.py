"""Padding causes: the net, the images and the counts against plainer programs, and the controls that can fail."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.data.red_green import by_order, by_place, paint, red_green
from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.tasks import read_task
from erlangen.experiments.padding_causes import PRESETS, Recipe, training
from erlangen.experiments.padding_causes.arms import ARMS, Axis, Border, Mode
from erlangen.experiments.padding_causes.copies import copied_pixels, copies, padded_images
from erlangen.experiments.padding_causes.evidence import MAPS
from erlangen.experiments.padding_causes.images import BLOCK, framed_images, report_images
from erlangen.experiments.padding_causes.net import BorderedCNN, pad
from erlangen.experiments.padding_causes.probes import probe, red_column
from erlangen.experiments.padding_causes.reach import BOX, copied_places, never_met, paths
from erlangen.experiments.padding_causes.run import run
from erlangen.experiments.padding_causes.same_function import near_border, same_function
from erlangen.experiments.padding_causes.tasks import Cause, Copies
from erlangen.experiments.padding_causes.training import accuracies
from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.nn.padding import pad as padded
from erlangen.records.runs import Job

MODES: tuple[Mode, ...] = ("replicate", "reflect", "circular")
NUMPY = {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}


def random_images(n: int = 3, side: int = 9, seed: int = 0) -> Tensor:
    return torch.randn(n, 2, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def net_of(border: Border, seed: int = 0) -> BorderedCNN:
    torch.manual_seed(seed)
    return BorderedCNN(border)


# The net


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("axis", ["both", "rows", "columns"])
@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 2.0])
def test_padding_is_numpys_axis_by_axis_with_the_outside_scaled(mode: Mode, axis: Axis, scale: float):
    x = random_images()
    rows, columns = (NUMPY[mode if axis in ("both", this) else "zeros"] for this in ("rows", "columns"))
    lines = np.pad(x.numpy(), ((0, 0), (0, 0), (0, 0), (2, 2)), columns)  # type: ignore[call-overload]
    expected = np.pad(lines, ((0, 0), (0, 0), (2, 2), (0, 0)), rows)  # type: ignore[call-overload]
    inside = np.zeros(expected.shape[2:], bool)
    inside[2:-2, 2:-2] = True
    actual = pad(x, Border(width=2, mode=mode, axis=axis, scale=scale))
    assert np.array_equal(actual.numpy(), np.where(inside, expected, scale * expected))


@pytest.mark.parametrize("mode", MODES)
def test_padding_on_all_sides_and_its_gradient_are_those_of_the_padding_experiment(mode: Mode):
    x = random_images().requires_grad_()
    weight = torch.randn(3, 2, 13, 13, dtype=torch.float64)
    mine, theirs = pad(x, Border(width=2, mode=mode)), padded(x, 2, mode)
    assert torch.equal(mine, theirs)
    gradients = [torch.autograd.grad((out * weight).sum(), x)[0] for out in (mine, theirs)]
    assert torch.allclose(*gradients, atol=1e-14)


@pytest.mark.parametrize("name", ["valid", "sconv", "fconv", "replicate", "reflect"])
def test_the_reports_arms_are_the_nets_of_the_padding_experiment(name: str):
    mine = net_of(ARMS[name])
    torch.manual_seed(0)
    theirs = PaddedCNN(PaddedCNNConfig(net="Net1", padding=name))
    assert all(torch.equal(a, b) for a, b in zip(mine.state_dict().values(), theirs.state_dict().values(), strict=True))
    x = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(mine(x), theirs(x), atol=1e-6)
    assert ARMS[name].sides() == theirs.config.map_sizes()


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_has_the_same_first_weights_and_the_map_that_it_says(name: str):
    border = ARMS[name]
    net, valid = net_of(border), net_of(ARMS["valid"])
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), valid.state_dict().values(), strict=True))
    x, sides = torch.rand(2, 3, 32, 32), []
    for convolution in net.convolutions:
        x = convolution(x)
        sides.append(x.shape[-1])
    assert tuple(sides) == border.sides()[1:]
    assert 0 <= border.pooled().start < border.pooled().stop <= sides[-1]


PLAIN = {  # width, padding before and after and stride of the last layer, first and last row and column that are pooled
    "valid": (0, (0, 0), 2, (0, 1)), "valid 4x4": (0, (0, 0), 1, (0, 3)), "sconv": (1, (1, 1), 2, (0, 3)),
    "sconv 8x8": (1, (1, 1), 1, (0, 7)), "sconv 7x7": (1, (1, 0), 1, (0, 6)), "sconv center 6x6": (1, (1, 1), 1, (1, 6)),
    "sconv 5x5": (1, (1, 2), 2, (0, 4)), "fconv": (2, (2, 2), 2, (0, 5)), "fconv 12x12": (2, (2, 2), 1, (0, 11)),
    "fconv center 4x4": (2, (2, 2), 2, (1, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_nets_that_pad_zeros_are_a_plainer_program(name: str):
    net, (width, last, stride, (first, end)) = net_of(ARMS[name]).double(), PLAIN[name]
    images = torch.rand(3, 3, 32, 32, dtype=torch.float64)
    x = images
    layers = zip(net.convolutions, [(width, width)] * 3 + [last], (1, 2, 2, stride), strict=True)
    for convolution, (before, after), step in layers:
        x = F.conv2d(F.pad(x, (before, after, before, after)), convolution.weight, stride=step).relu()  # type: ignore[arg-type]
    with torch.no_grad():
        assert torch.allclose(net.features(images), x[:, :, first : end + 1, first : end + 1].amax((2, 3)), atol=1e-12)
    assert name in MAPS
    assert set(PLAIN) == set(MAPS)


def test_names_say_the_side_of_the_map_that_is_pooled():
    named = {name: int(name[-1]) for name in ARMS if name[-2] == "x" and name[-3].isdigit() and not name.startswith("rep")}
    named["fconv 12x12"] = 12
    assert {name: math.isqrt(ARMS[name].cells()) for name in named} == named
    assert len(named) == 7


# Paths: against a net whose weights are all 1, and one pixel


def paths_by_net(border: Border, row: int) -> int:
    """The paths along one axis, counted by convolutions of ones in float64: the values of all pooled outputs, added."""
    x = torch.zeros(1, 1, 32, dtype=torch.float64)
    x[0, 0, row] = 1
    for (before, after), stride in zip(border.paddings(), border.strides(), strict=True):
        x = F.conv1d(F.pad(x, (before, after)), torch.ones(1, 1, 3, dtype=torch.float64), stride=stride)
    kept = border.pooled()
    return int(x[0, 0, kept.start : kept.stop].sum())


@pytest.mark.parametrize(
    "name", ["valid", "valid 4x4", "sconv", "sconv 8x8", "sconv 7x7", "sconv center 6x6", "sconv 5x5", "fconv"]
)
def test_paths_are_what_a_net_of_ones_counts(name: str):
    assert [len(paths(ARMS[name], row)) for row in range(32)] == [paths_by_net(ARMS[name], row) for row in range(32)]


def test_without_a_border_rows_repeat_with_the_strides_and_fconv_cuts_none():
    for row in range(24):
        assert len(paths(ARMS["valid"], row, bounded=False)) == len(paths(ARMS["valid"], row + BLOCK, bounded=False))
    tops = range(32 - BOX + 1)
    assert never_met(ARMS["fconv"], tops) == never_met(ARMS["fconv 12x12"], tops) == 0
    assert 0 < never_met(ARMS["sconv 5x5"], tops) < never_met(ARMS["sconv"], tops) < never_met(ARMS["valid"], tops) < 1
    assert never_met(ARMS["fconv center 4x4"], tops) > 0


# What is copied


@pytest.mark.parametrize(("mode", "places"), [
    ("replicate", {0, *range(25, 29)}), ("reflect", {*range(9), *range(21, 29)}), ("zeros", set()),
])  # fmt: skip
def test_places_at_which_a_layer_copies_part_of_a_box(mode: Mode, places: set[int]):
    assert copied_places(Border(width=2, mode=mode), "rows") == places


def test_along_the_other_axis_nothing_is_copied():
    assert copied_places(Border(width=2, mode="reflect", axis="columns"), "rows") == set()
    near = near_border(ARMS["reflect rows"], torch.tensor([(0, 12, 25, 12), (12, 0, 18, 12)]))
    assert near.tolist() == [False, True]


@pytest.mark.parametrize("mode", MODES)
def test_a_net_of_positive_weights_tells_copies_from_zeros_at_exactly_these_places(mode: Mode):
    """Nothing cancels, so that the maps differ wherever a copy of a box is read."""
    border = Border(width=2, mode=mode, axis="rows")
    nets = [net_of(border).double(), net_of(replace(border, scale=0.0)).double()]
    for net, convolution in product(nets, range(4)):
        torch.nn.init.ones_(net.convolutions[convolution].weight)  # type: ignore[arg-type]
    boxes = torch.tensor([(12, top, 17, top) for top in range(29)])
    x = paint(boxes, torch.zeros(29, dtype=torch.int64)).double()
    with torch.no_grad():
        maps = [maps_of(net, x) for net in nets]
    differ = (maps[0] != maps[1]).flatten(1).any(1)
    assert set(differ.nonzero().flatten().tolist()) == copied_places(border, "rows")
    assert torch.equal(differ, near_border(border, boxes))


def maps_of(net: BorderedCNN, x: Tensor) -> Tensor:
    for convolution in net.convolutions:
        x = F.relu(convolution(x))
    return x


def copied_by_hand(image: Tensor, mode: Mode) -> list[tuple[int, bool]]:
    """Row by row with NumPy: for each line outside, the pixels that it copies and whether from across the image."""
    indices = np.pad(np.arange(32), 2, NUMPY[mode])  # type: ignore[call-overload]
    outside = [(at - 2, int(line)) for at, line in enumerate(indices) if not 2 <= at < 34]
    return [(int(image[:, line].sum()), abs(at - line) > 16) for at, line in outside]


@pytest.mark.parametrize("mode", MODES)
def test_copied_pixels_are_those_that_numpy_copies(mode: Mode):
    split = red_green("source", 60, 1, 60)
    for images in (split.train.images, split.test.images):
        for dim in (2, 3):
            beside, opposite = copied_pixels(images, mode, dim)
            for index, image in enumerate(images if dim == 2 else images.transpose(2, 3)):
                lines = copied_by_hand(image, mode)
                assert int(beside[index]) == sum(count for count, across in lines if not across)
                assert int(opposite[index]) == sum(count for count, across in lines if across)
        assert np.array_equal(padded_images(images, mode), F.pad(images, [2] * 4, mode))


def test_copies_of_the_reports_images():
    found = {m.name: m.value for m in copies(Copies(images=500), Job(experiment="", params={}))}
    assert found["replicate_rows_images"] == found["circular_rows_images"] == 0 < found["reflect_rows_images"]
    assert found["reflect_rows_opposite"] == found["reflect_columns_opposite"] == 0
    assert found["circular_columns_opposite"] == found["circular_columns_pixels"] > 0
    assert found["replicate_reordered"] == found["reflect_reordered"] == 0 < found["circular_reordered"]  # type: ignore[operator]
    assert found["reflect_rows_deep_images"] > found["reflect_rows_images"]  # type: ignore[operator]


@pytest.mark.parametrize("name", ["replicate", "reflect", "reflect rows", "replicate columns"])
def test_away_from_the_border_copies_are_zeros_to_the_last_bit_and_near_it_they_are_not(name: str):
    shown, _ = report_images(60, 20, 200)
    found = {m.name: m.value for m in same_function(net_of(ARMS[name]), shown.test)}
    assert found["border_away_changed"] == 0
    assert found["border_near"] + found["border_away"] == 200  # type: ignore[operator]
    assert 2 * found["border_near_changed"] > found["border_near"] > 0  # type: ignore[operator]
    assert same_function(net_of(ARMS["fconv"]), shown.test) == []


# The images


@pytest.mark.parametrize("margin", [0, 3, 6, 8, 9])
def test_framed_images_keep_their_margin_and_swap_heights_by_whole_strides(margin: int):
    shown = framed_images(margin, 200, 100, 100)
    for split in (shown.train, shown.validation, shown.test, shown.crossed):
        assert int(split.boxes.min()) >= margin
        assert int(split.boxes.max()) <= 32 - BOX - margin
        assert torch.equal(by_order(split.images), split.labels)
    rows = [set(shown.train.boxes[shown.train.labels == label][:, [1, 3]].flatten().tolist()) for label in (0, 1)]
    swapped = [set(shown.test.boxes[shown.test.labels == label][:, [1, 3]].flatten().tolist()) for label in (0, 1)]
    assert rows[0].isdisjoint(rows[1])
    assert [swapped[1], swapped[0]] == rows
    assert (min(rows[1]) - min(rows[0])) % BLOCK == 0
    heights = by_place_in(shown.crossed.boxes, (max(rows[0]) + min(rows[1])) / 2)
    assert abs(float((heights == shown.crossed.labels).double().mean()) - 0.5) < 0.2


def by_place_in(boxes: Tensor, middle: float) -> Tensor:
    return (boxes[:, [1, 3]].double().mean(1) > middle).long()


def test_no_margin_beyond_the_largest():
    with pytest.raises(ValueError, match="a margin of 10 pixels leaves no room"):
        framed_images(10, 4, 4, 4)


def test_in_the_crossed_images_the_height_says_nothing_about_the_order():
    shown, unseen = report_images(100, 200, 200)
    agree = (by_place(shown.crossed.boxes) == shown.crossed.labels).double().mean()
    assert agree == 0.5
    halves = (by_place(shown.crossed.boxes) == shown.crossed.labels).double().view(2, -1).mean(1)  # a probe fits on the first
    assert float((halves - 0.5).abs().max()) < 0.1
    assert torch.equal(shown.crossed.images, unseen.crossed.images)
    reds = shown.crossed.images[:, 0].amax(1).argmax(1)
    assert torch.equal(reds, red_column(shown.crossed))


def test_a_probe_reads_heights_from_pixels_and_nothing_from_shuffled_ones():
    shown, _ = report_images(100, 1000, 1000)

    class Rows:
        def features(self, x: Tensor) -> Tensor:
            return x.sum(dim=(1, 3))  # (N, 32): the lit pixels of each row

    found = {m.name: float(m.value) for m in probe(Rows(), shown.crossed)}  # type: ignore[arg-type]
    assert found["place_r2"] > 0.99
    assert found["shuffled_r2"] < 0.05
    assert found["order_r2"] < 0.1


# The training


class Oracle:
    """A net in place of one: it reads the order of boxes that stand far apart, and the height of others."""

    def __call__(self, x: Tensor) -> Tensor:
        lit = x.amax(1)  # (N, H, W)
        columns, rows = lit.amax(1), lit.amax(2)
        first, last = columns.argmax(1), 31 - columns.flip(1).argmax(1)
        order, place = by_order(x), (rows.argmax(1) > 14).long()
        return F.one_hot(torch.where(last - first - 2 * BOX + 3 > 17, order, place), 2).float()


def test_accuracies_are_of_the_splits_and_distances_that_they_name():
    shown, unseen = report_images(60, 200, 200)
    found = dict(accuracies(Oracle(), shown, unseen))  # type: ignore[arg-type]
    assert found["train_accuracy"] == found["unseen_validation_accuracy"] == 100  # order and height agree
    assert (found["far_accuracy"], found["near_accuracy"]) == (100, 0)  # the heights are swapped
    assert 0 < found["unseen_test_accuracy"] < 100
    assert found["test_accuracy"] < 100
    assert "far_accuracy" not in dict(accuracies(Oracle(), shown, None))  # type: ignore[arg-type]


def test_a_training_is_tested_on_the_reports_images_and_on_new_ones(monkeypatch: pytest.MonkeyPatch):
    given: list[tuple[object, ...]] = []
    monkeypatch.setattr(training, "accuracies", lambda net, shown, unseen: given.append((shown, unseen)) or [])
    run(
        next(
            job
            for job in planned_jobs("padding-causes", TINY)
            if job.params.get("arm") == "reflect" and "margin" not in job.params
        )
    )
    expected = report_images(TINY.train, TINY.validation, TINY.test)  # the same objects: they are kept
    assert [id(images) for images in given[0]] == [id(images) for images in expected]


# The jobs


def test_presets_have_an_estimate_within_their_limits():
    quick, standard = (planned_jobs("padding-causes", PRESETS[name]) for name in ("quick", "standard"))
    assert sum(job.seconds for job in quick) / 2 <= 60
    assert sum(job.seconds for job in standard) / 2 <= 40 * 60
    assert {job.params["arm"] for job in standard if job.params["task"] == "cause"} == set(ARMS)
    assert len({(str(job.params), job.seed) for job in standard}) == len(standard)


@pytest.mark.parametrize("settings", [{"arms": ()}, {"arms": ("same",)}, {"arms": ("valid", "valid")}, {"sizes": (2000,)}])
def test_recipes_that_make_no_sense_are_refused(settings: dict[str, tuple[object, ...]]):
    with pytest.raises(ValueError, match=r"^(arms|sizes)"):
        Recipe(**settings)  # type: ignore[arg-type]


TINY = Recipe(
    arms=("fconv", "reflect"), seeds=1, epochs=2, report_seeds=1, report_epochs=2, sizes=(), control_images=20, control_epochs=1,
    margins=(9,), frame_epochs=1, frame_train=40, train=80, validation=40, test=40,
)  # fmt: skip


def test_every_kind_of_job_runs_repeats_and_leaves_numbers():
    for job in planned_jobs("padding-causes", TINY):
        first = {m.name: m.value for m in run(job)}
        torch.manual_seed(99)
        assert {m.name: m.value for m in run(job)} == first
        assert all(value is not None for value in first.values())
        if job.params["task"] == "cause":
            task = read_task(Cause, job)
            shown, _ = report_images(task.train, task.validation, task.test)
            untrained = probe(net_of(ARMS[task.arm], job.seed), shown.crossed, "_untrained")
            assert {m.name: m.value for m in untrained}.items() <= first.items()
            assert first["order_r2"] != first["order_r2_untrained"]
        if job.params.get("curve"):
            assert len(first["test_accuracy_by_epoch"]) == first["epochs"] == 2  # type: ignore[arg-type]
            assert first["test_accuracy_by_epoch"][int(first["best_epoch"]) - 1] == first["test_accuracy"]  # type: ignore[index, arg-type]
