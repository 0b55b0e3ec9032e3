"""Inputs as users have them: the order of axes, bytes, one input without a batch axis, a preprocessing, the model's dtype."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing.arrays import Arrays
from erlangen.auditing.calling import ModelError
from erlangen.auditing.casting import cast_inputs, dtype_of
from erlangen.auditing.inputs import as_inputs, read_inputs
from erlangen.auditing.layout import guess_channels
from erlangen.auditing.reading import load_inputs
from erlangen.auditing.request import AuditRequest
from erlangen.symmetries.graph import Graph

RNG = np.random.default_rng(0)
IMAGES = torch.from_numpy(RNG.normal(size=(8, 3, 12, 12))).float()


class Pooled(nn.Module):
    """Invariant to circular shifts; takes (B, C, H, W)."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(channels, 4, 3, padding=1, padding_mode="circular")

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).tanh().mean((2, 3))


class Rows(nn.Module):
    """Weights each row of an image of 12 × 12, whose height is the first axis after B; takes (B, H, W, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return (x * torch.arange(12.0).to(x)[:, None, None]).mean((1, 2))


def judged(model: Any, inputs: Any, check: str, **more: Any) -> tuple[str, tuple[str, ...]]:
    """The judgment of one check, and the notes."""
    model = model.eval() if isinstance(model, nn.Module) else model
    found = erlangen.audit(model, inputs, check, only_exact=True, where=False, **more)
    return found.checks[-1].judgment, found.notes


# --- the order of the axes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ((3, 32, 48), "first"), ((1, 28, 28), "first"), ((4, 9, 9), "first"), ((32, 48, 3), "last"), ((28, 28, 1), "last"),
        ((3, 4, 4), "first"), ((4, 4, 3), "last"), ((1, 4, 4), "first"), ((512, 7, 7), "first"), ((7, 7, 512), "last"),
        ((2, 9, 12), "first"), ((16, 20, 30), "first"),
    ],
)  # fmt: skip
def test_channels_are_found_where_there_is_no_doubt(shape: tuple[int, ...], channels: str) -> None:
    assert guess_channels([shape], "images") == channels


@pytest.mark.parametrize("shape", [(3, 3, 3), (3, 32, 3), (3, 224, 4), (28, 28, 28), (512, 7, 5), (9, 12, 2)])
def test_what_cannot_be_told_is_refused_in_one_line_and_may_be_declared(shape: tuple[int, ...]) -> None:
    x = torch.zeros(2, *shape)
    with pytest.raises(
        ModelError, match=r"cannot tell which axis of images of shape .* has the channels: give layout='chw' or hwc"
    ):
        as_inputs(x)
    assert read_inputs(x, layout="hwc").inputs[0].shape == (shape[2], *shape[:2])
    assert read_inputs(x, layout="chw").inputs[0].shape == shape


def test_images_of_several_sizes_have_one_layout() -> None:
    assert guess_channels([(3, 4, 3), (3, 32, 48)], "images") == "first"  # the second one tells for the first
    with pytest.raises(ModelError, match="cannot tell"):
        guess_channels([(3, 32, 48), (32, 48, 3)], "images")


def test_channels_last_for_a_model_with_channels_first() -> None:
    first, last = judged(Pooled(), IMAGES, "translation"), judged(Pooled(), IMAGES.movedim(1, -1), "translation")
    assert first[0] == last[0] == "exact"
    assert first[1] == ()
    assert "channels first, unlike the inputs" in " ".join(last[1])


def test_channels_last_for_a_model_with_channels_last() -> None:
    """Rows are weighted: an exchange of left and right is exact, shifts and the other reflection are not."""
    x = IMAGES.movedim(1, -1)
    judgment, notes = judged(Rows(), x, "reflection")
    assert judgment == "exact"
    assert "channels last" in " ".join(notes)
    assert judged(Rows(), x, "translation")[0] == "broken"
    assert judged(Rows(), x, "channel-permutation")[0] == "broken"  # one output a channel


def test_maps_come_back_with_their_channels_last_too() -> None:
    """A pointwise map moves along, whatever its number of channels."""
    one = torch.zeros(3, 12, 10)
    assert [y.shape for y in Arrays(channels="last").split(torch.zeros(2, 6, 5, 7), [one, one])] == [(7, 6, 5)] * 2
    assert [y.shape for y in Arrays(channels="last").split(torch.zeros(2, 6), [one, one])] == [(6,)] * 2
    assert judged(lambda x: x @ torch.ones(3, 5), IMAGES.movedim(1, -1), "translation")[0] == "exact"
    rows = lambda x: x * torch.arange(12.0)[:, None, None]  # noqa: E731
    assert judged(rows, IMAGES.movedim(1, -1), "translation")[0] == "broken"
    assert judged(rows, IMAGES.movedim(1, -1), "reflection")[0] == "exact"


def test_gray_images_without_an_axis_of_channels() -> None:
    """(B, H, W): for a model that takes them so, and for one that wants the axis."""
    gray = IMAGES[:, 0]
    assert judged(Pooled(1), gray, "translation", domain="images")[0] == "exact"
    assert judged(lambda x: x.mean((1, 2))[:, None], gray, "translation", domain="images")[0] == "exact"
    assert judged(lambda x: x.exp(), gray, "translation", domain="images")[0] == "exact"
    found = erlangen.audit(
        lambda x: x.flatten(1).cumsum(1)[:, ::7], gray, "translation", domain="images", elements=2, where=False
    )
    assert found.checks[-1].judgment == "broken"
    assert found.shape == "1 × 12 × 12"


# --- series -------------------------------------------------------------------------------------------------------------------


def test_series_with_time_first_are_declared() -> None:
    steps = torch.randn(6, 40, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ModelError, match=r"cannot tell which axis of series of shape \(40, 3\) .* layout='ct' or tc"):
        as_inputs(steps, "series")
    torch.manual_seed(0)
    convolution = nn.Conv1d(3, 4, 3, padding=1, padding_mode="circular")
    recurrent = nn.GRU(3, 4, batch_first=True)
    assert judged(convolution, steps, "time-shift", layout="tc") == (
        "exact", ("The model is called with the channels first, unlike the inputs.",),
    )  # fmt: skip
    judgment, notes = judged(recurrent, steps, "time-shift", layout="tc", select=lambda y: y[0])
    assert judgment == "broken"
    assert "channels last" in notes[0]


def test_series_with_a_single_channel() -> None:
    series = torch.randn(6, 40, generator=torch.Generator().manual_seed(0))
    for model in (lambda x: x.cos(), lambda x: x.mean(-1, keepdim=True), nn.Conv1d(1, 2, 1)):
        assert judged(model, series, "time-shift", domain="series")[0] == "exact"
    assert judged(lambda x: x.cumsum(1), series, "time-shift", domain="series")[0] == "broken"
    assert [x.shape for x in as_inputs(series[0], "series")[0]] == [(1, 40)]
    assert [x.shape for x in as_inputs([0.5, 1.5, 2.5], "series")[0]] == [(1, 3)]


# --- one input without a batch axis -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [torch.arange(7), np.arange(7), list(range(7))], ids=["tensor", "array", "list"])
@pytest.mark.parametrize("domain", [None, "texts"])
def test_one_text_needs_no_batch_axis(given: Any, domain: str | None) -> None:
    inputs, kind, notes = read_inputs(given, domain)
    assert (kind.name, len(inputs), len(inputs[0])) == ("texts", 1, 7)
    assert "no batch axis" in notes[0]


def test_one_cloud_or_declared_image_needs_none_either() -> None:
    assert [x.shape for x in as_inputs(torch.randn(9, 3), "points")[0]] == [(9, 3)]
    assert [x.shape for x in read_inputs(torch.randn(12, 10, 3), layout="hwc").inputs] == [(3, 12, 10)]
    assert len(read_inputs(torch.randn(5, 12, 10), "images").inputs) == 5  # gray


def test_one_image_or_three_gray_ones_is_not_guessed() -> None:
    with pytest.raises(
        ModelError, match=r"one image, or 3 gray ones: add the missing axis, \(1, 3, 12, 12\) or \(3, 1, 12, 12\)"
    ):
        as_inputs(IMAGES[0], "images")
    with pytest.raises(ModelError, match=r"give domain='images' \(gray\) .*; a single color image needs a batch axis"):
        as_inputs(IMAGES[0])


# --- pixels, dtypes, preprocessing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [torch.as_tensor, np.asarray, list])
def test_bytes_become_numbers_up_to_one(kind: Any) -> None:
    pixels = RNG.integers(256, size=(4, 12, 12, 3)).astype(np.uint8)
    inputs, _, notes = read_inputs(kind(pixels))
    assert inputs[0].dtype == torch.float32
    assert torch.equal(inputs[0], torch.from_numpy(pixels[0]).permute(2, 0, 1) / 255)
    assert notes == ("The pixels were bytes (uint8); the model was given float32 in [0, 1].",)
    whole = read_inputs(pixels.astype(np.int64))  # other integers keep their values
    assert float(whole.inputs[0].max()) > 1
    assert whole.notes == ()


def test_inputs_get_the_dtype_of_the_model_and_that_is_said() -> None:
    judgment, notes = judged(Pooled(), IMAGES.double().numpy(), "translation")
    assert judgment == "exact"
    assert notes == ("The inputs were float64 and were converted to float32, the dtype of the model.",)
    assert judged(Pooled().double(), IMAGES, "translation")[1] == (
        "The inputs were float32 and were converted to float64, the dtype of the model.",
    )
    assert judged(Pooled(), IMAGES, "translation")[1] == ()
    assert dtype_of(nn.ReLU()) is None
    assert dtype_of(lambda x: x) is None
    graph = Graph(torch.zeros(3, 2).double(), torch.zeros(2, 0, dtype=torch.long), {"pos": torch.zeros(3, 3)})
    (cast,), _ = cast_inputs([graph], Pooled())
    assert (cast.x.dtype, cast.nodes["pos"].dtype, cast.edge_index.dtype) == (torch.float32, torch.float32, torch.int64)


def test_a_preprocessing_changes_what_is_moved() -> None:
    """It is called with (C, H, W), and symmetries act on what it returns."""
    shapes = []

    def crop(x: Tensor) -> Tensor:
        shapes.append(tuple(x.shape))
        return x[:, 2:10, 2:10] * 2

    found = erlangen.audit(Pooled(), IMAGES.movedim(1, -1), "translation", preprocess=crop, only_exact=True)
    assert set(shapes) == {(3, 12, 12)}
    assert (found.shape, found.checks[-1].judgment) == ("3 × 8 × 8", "exact")
    low, high = float(IMAGES.min()), float(IMAGES.max())
    note = next(note for note in found.notes if note.startswith("The preprocessing function was given values"))
    assert f"given values from {low:.3g} to {high:.3g} and returned" in note
    assert read_inputs(IMAGES, preprocess=lambda x: x.numpy() + 1).inputs[0].equal(IMAGES[0] + 1)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x[None], r"returned shape \(1, 3, 12, 12\) for input 0 instead of 3 axes.*no batch axis"),
        (lambda x: "cat", "returned a str for input 0"),
        (lambda x: x / 0, "input 0 contains NaN or infinity"),
        (lambda x: x.no_such, "preprocessing failed on input 0: AttributeError"),
    ],
)
def test_a_preprocessing_that_fails_is_named(function: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        read_inputs(IMAGES, preprocess=function)


def test_a_doubtful_layout_is_said() -> None:
    assert any("hwc gives these images 12 channels, chw would give 3" in note for note in read_inputs(IMAGES, layout="hwc").notes)
    assert not any("layout" in note for note in read_inputs(IMAGES, layout="chw").notes)
    assert not any("layout" in note for note in read_inputs(torch.rand(4, 8, 9, 9), layout="chw").notes)


# --- volumes, and series with time first ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "options", "read"),
    [
        ((5, 2, 6, 8, 8), {}, (2, 6, 8, 8)),
        ((5, 6, 8, 8, 2), {}, (2, 6, 8, 8)),
        ((5, 6, 8, 9), {"domain": "volumes"}, (1, 6, 8, 9)),
        ((5, 4, 4, 4, 4), {"layout": "dhwc"}, (4, 4, 4, 4)),
        ((5, 7, 8, 9, 6), {"layout": "cdhw"}, (7, 8, 9, 6)),
    ],
)
def test_volumes_are_read_in_their_layouts(shape: tuple[int, ...], options: dict[str, Any], read: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    inputs, kind, _ = read_inputs(x, **options)
    assert (kind.name, len(inputs), tuple(inputs[0].shape)) == ("volumes", 5, read)
    if options.get("layout") == "dhwc" or shape[-1] == 2:
        assert torch.equal(inputs[0], x[0].movedim(-1, 0))


@pytest.mark.parametrize("shape", [(4, 4, 4, 4), (7, 8, 9, 6), (2, 8, 8, 2)])
def test_a_volume_that_does_not_say_where_its_channels_are_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"cannot tell which axis of volumes .* layout='cdhw' or dhwc"):
        as_inputs(torch.randn(3, *shape))


def test_a_single_volume_needs_its_layout() -> None:
    assert len(read_inputs(torch.randn(2, 6, 8, 8), layout="cdhw").inputs) == 1
    assert len(read_inputs(torch.randn(5, 6, 8, 8), "volumes").inputs) == 5  # gray


def test_series_with_time_first_keep_their_batch() -> None:
    x = torch.randn(7, 5, 3, generator=torch.Generator().manual_seed(0))
    inputs, kind, _ = read_inputs(x, layout="tbc")
    assert (kind.name, len(inputs)) == ("series", 5)
    assert torch.equal(inputs[2], x[:, 2].T)
    adapter = Arrays(channels_first=True, channels="time-first")
    (given,), _ = adapter.collate(inputs)
    assert torch.equal(given, x)
    assert torch.equal(torch.stack(adapter.split(x, inputs)), x.permute(1, 2, 0))
    assert torch.equal(torch.stack(adapter.split(x[-1], inputs)), x[-1])


def test_volumes_and_series_with_time_first_are_read_from_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "scans.npz", RNG.normal(size=(5, 1, 4, 6, 6)).astype(np.float32))
    given, _ = load_inputs(AuditRequest(input=str(tmp_path / "scans.npz"), n=3))
    assert [x.shape for x in as_inputs(given)[0]] == [(1, 4, 6, 6)] * 3
    np.save(tmp_path / "steps.npy", RNG.normal(size=(12, 5, 2)))
    given, _ = load_inputs(AuditRequest(input=str(tmp_path / "steps.npy"), n=3, layout="tbc"))
    assert [x.shape for x in read_inputs(given, layout="tbc").inputs] == [(2, 12)] * 3
    for shape, layout, channels in (("1x4x6x6", None, 1), ("4x6x6x2", "dhwc", 2)):
        made, _ = load_inputs(AuditRequest(input=shape, n=2, layout=layout))
        inputs, kind, _ = read_inputs(made, layout=layout)
        assert (kind.name, inputs[0].shape) == ("volumes", (channels, 4, 6, 6))


def test_a_batch_on_the_second_axis_is_found_and_said() -> None:
    x = torch.randn(6, 2, 40, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    model = nn.GRU(2, 4)
    judgment, notes = judged(lambda x: model(x.permute(2, 0, 1))[0], x, "causality", domain="series")
    assert judgment == "exact"
    assert "The model returns the batch on the second axis, as in (T, B, D)." in notes
    with pytest.raises(ModelError, match="first dimension must be the batch"):  # as long as the batch by chance alone
        judged(lambda x: x.new_ones(5, 1, 3), x, "causality", domain="series")
