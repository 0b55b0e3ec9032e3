"""What users declare of outputs, from the words that they type to the checks that follow them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from auditing.oracles.boxes import Extents, Single, objects
from auditing.oracles.permuted import LEFT_RIGHT, Arrows
from torch import Tensor
from torch.nn import functional

import erlangen
from erlangen.auditing.box_outputs import BoxAction, BoxAdapter, BoxReading, parse_boxes
from erlangen.auditing.domain import load_domain
from erlangen.auditing.output_kinds import parse_output, parse_permutations
from erlangen.auditing.permuted import ClassAction, class_axis
from erlangen.auditing.request import AuditRequest
from erlangen.errors import USAGE, ErlangenError
from erlangen.symmetries.boxes import Boxes
from erlangen.symmetries.reading import Reading
from erlangen.symmetries.reflection import Reflection
from erlangen.symmetries.rotation import QuarterTurns, Rotation

X = objects(0, torch.float32)


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("boxes:xyxy", Boxes()),
        ("boxes:normalized,cxcywh", Boxes("cxcywh", normalized=True)),
        ("boxes:xywh,ordered", Boxes("xywh", ordered=True)),
        ("keypoints", Boxes("xy", ordered=True)),
        ("keypoints:normalized", Boxes("xy", normalized=True, ordered=True)),
        ("keypoints:signed", Boxes("xy", ordered=True, signed=True)),
        ("boxes:cxcywh,signed", Boxes("cxcywh", signed=True)),
        ("map", None),
        (None, None),
    ],
)
def test_boxes_are_declared_in_words(text: str | None, boxes: Boxes | None) -> None:
    assert parse_boxes(text) == boxes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mpa", "unknown kind of output 'mpa'; did you mean map?"),
        ("box", "unknown kind of output 'box'; did you mean boxes?"),
        ("xyxy", "unknown kind of output 'xyxy'; did you mean boxes:xyxy?"),
        ("picture", "unknown kind of output 'picture'; choose vector, .*, boxes or keypoints"),
        ("boxes", "boxes need one format: boxes:xyxy, boxes:xywh or boxes:cxcywh"),
        ("boxes:normalized", "boxes need one format"),
        ("boxes:xyxy,xywh", "boxes need one format"),
        ("boxes:xyxy,normalised", "unknown option 'normalised' of boxes; did you mean normalized?"),
        ("boxes:xyxy,normalized,signed", "boxes are either normalized, from 0 to 1, or signed, from -1 to 1"),
        ("keypoints:ordered", "unknown option 'ordered' of keypoints; choose normalized or signed"),
        ("steps:hight", "unknown option 'hight' of steps; did you mean height?"),
        ("map:2", "unknown option '2' of map; it takes none"),
    ],
)
def test_what_is_misspelled_is_named_with_a_suggestion(text: str, words: str) -> None:
    with pytest.raises(ErlangenError, match=words) as error:
        AuditRequest(output=text)
    assert error.value.exit_code == USAGE
    with pytest.raises(ErlangenError, match=words):
        parse_output(text)


@pytest.mark.parametrize("given", ["0:1,4:5", [(0, 1), (4, 5)], [[0, 1], [4, 5]], [["0", "1"], (4, 5)]])
def test_cycles_are_written_in_several_ways(given: Any) -> None:
    assert parse_permutations({"reflection": given}) == {"reflection": ((0, 1), (4, 5))}
    request = AuditRequest(permuted_classes={"reflection": given})
    assert AuditRequest(**json.loads(json.dumps(asdict(request)))) == request
    assert parse_permutations({"reflection": (0, 1)}) == {"reflection": ((0, 1),)}
    assert parse_permutations(None) == {}


@pytest.mark.parametrize(
    "given", ["", "0", "0:0", "0:1,1:2", "left:right", [(0,)], [], 3, None, [(0, -1)], [(0, 1.5)], [(True, 0)]]
)
def test_what_is_no_cycle_is_refused(given: Any) -> None:
    with pytest.raises(ErlangenError, match=r"must be cycles of different classes, as in reflection=0:1,4:5"):
        AuditRequest(permuted_classes={"reflection": given})


def audited(model: Callable[..., Any], checks: Any, **options: Any) -> erlangen.Audit:
    return erlangen.audit(model, X, checks, only_exact=True, where=False, **options)


@pytest.mark.parametrize(
    ("cycles", "words"),
    [
        ({"reflecton": "0:1"}, "permuted under 'reflecton'; did you mean reflection?"),
        (
            {"translation": "0:1"},
            "permuted under 'translation'; the symmetries to check are reflection, quarter",
        ),
        ({"repeat": "0:1"}, "classes cannot be permuted under 'repeat'; the symmetries to check are"),
        ({"intensity": "0:1"}, "under intensity: only under a reflection or under quarter turns"),
        ({"reflection": "0:1:2"}, "reflection applied twice changes nothing, but these classes return only after 3"),
        ({"quarter-turns": "0:1:2"}, "quarter-turns applied 4 times changes nothing, but these classes return only after 3"),
        ({"quarter-turns": "0:1:2:3,4:5:6"}, "changes nothing, but these classes return only after 12"),
    ],
)
def test_a_permutation_that_is_none_of_the_group_is_refused(cycles: dict[str, str], words: str) -> None:
    with pytest.raises(ErlangenError, match=words):
        audited(Arrows(LEFT_RIGHT).eval(), ["reflection", "quarter-turns", "intensity"], permuted_classes=cycles)


def test_a_class_that_is_not_there_is_said() -> None:
    found = audited(Arrows(LEFT_RIGHT).eval(), "reflection", permuted_classes={"reflection": "0:9"}).checks[-1]
    assert found.judgment == "not measured"
    assert "class 9 was declared to be permuted, but the output has classes 0 to 2" in found.failures[0]


def test_the_audit_says_what_was_declared() -> None:
    scope = erlangen.audit(Extents(), X, "reflection", output="boxes:xyxy").checks[-1].reason
    assert "output read as boxes (xyxy)" in scope
    scope = erlangen.audit(Arrows(LEFT_RIGHT).eval(), X, "reflection", permuted_classes={"reflection": "0:1"}).checks[-1].reason
    assert "classes 0 → 1 → 0 permuted" in scope


@pytest.mark.parametrize(
    ("model", "x", "domain", "words"),
    [
        (lambda x: x.mean((2, 3)), X, None, r"an output of shape \(3,\) cannot be read as boxes \(xyxy\): its last axis"),
        (lambda x: torch.fft.fft(x[:, 0, 0]), X, None, "cannot be read as boxes"),
        (lambda x: x[:, :, :4], torch.randn(6, 2, 9), "series", r"only outputs for images can be read as boxes \(xyxy\)"),
    ],
)
def test_what_cannot_be_boxes_is_refused(model: Any, x: Tensor, domain: str | None, words: str) -> None:
    with pytest.raises(ErlangenError, match=words):
        erlangen.audit(model, x, [], output="boxes:xyxy", domain=domain)


def test_a_box_has_no_predicted_class() -> None:
    """Its largest entry, the right or the lower side, is no class that flips."""
    found = erlangen.audit(Single(), X, ["reflection", "translation"], output="boxes:xyxy")
    assert found.output == "1 × 4"
    assert all(check.flips is None for check in found.checks)


def test_boxes_in_any_number_of_axes_and_in_whole_pixels() -> None:
    def model(x: Tensor) -> Tensor:
        return Extents()(x).round().int()[:, :, None].expand(-1, -1, 2, -1)

    found = audited(model, ["reflection", "translation-zeros"], output="boxes:xyxy")
    assert found.output == "6 × 4"
    judged = {check.name: check.judgment for check in found.checks}
    assert judged["translation-zeros"] == "exact"


def test_outputs_of_inner_layers_are_no_boxes() -> None:
    reading = BoxReading(Boxes(), (6, 5))
    assert [reading.covers(torch.zeros(shape)) for shape in ((6, 5), (9, 5), (6, 4), (5,), (2, 6, 5))] == [
        True,
        True,
        *[False] * 3,
    ]
    y = torch.arange(256.0).view(1, 16, 16)
    action, mirror = BoxAction(Boxes(), reading), Reflection()
    expected, actual = action.align(mirror, y, y, "left-right", X[0])
    assert torch.equal(expected, y.flip(-1))
    assert torch.equal(actual, y)
    adapter = BoxAdapter(load_domain("images").adapter(len), (6, 5))
    assert adapter.split(torch.zeros(2, 6, 4), list(X[:2]))[0].shape == (6, 4)
    assert adapter.split(torch.zeros(2, 3, 6, 5), list(X[:2]))[0].shape == (3, 6, 5)


def test_boxes_of_images_of_two_sizes() -> None:
    """They cannot share a call."""
    images = [*X[:4], *[functional.pad(x, (0, 2, 0, 4)) for x in X[4:8]]]
    found = erlangen.audit(Extents(), images, "reflection", output="boxes:xyxy", where=False)
    assert found.checks[-1].judgment == "exact"


def test_boxes_stay_upright_and_are_tried_from_edges_and_from_centers() -> None:
    y = torch.zeros(6, 4)
    assert BoxAction(Boxes()).fitted(Rotation(), X[0], y)[0] == replace(Rotation(), quarter=True)
    assert BoxAction(Boxes("xy")).fitted(Rotation(), X[0], y)[0] == Rotation()
    assert BoxAction(Boxes()).fitted(Reflection(), X[0], y)[0] == Reflection()
    forms = [action.boxes for _, action in BoxAction(Boxes("xywh")).readings(Reflection(), X[0], y)]
    assert forms == [Boxes("xywh"), Boxes("xywh", centers=True)]


def test_whole_pixels_are_amounts() -> None:
    adapter = BoxAdapter(load_domain("images").adapter(len), (6, 4))
    assert adapter.split(torch.ones(2, 6, 4, dtype=torch.int32), list(X[:2]))[0].dtype == torch.float64
    assert adapter.split(torch.ones(2, 6, 4), list(X[:2]))[0].dtype == torch.float32


def test_classes_are_permuted_as_often_as_the_image_is_turned() -> None:
    cycles = ((0, 1, 2, 3),)
    for y in (torch.rand(5), torch.rand(5, 16, 16), torch.arange(256).view(16, 16) % 5):
        action = ClassAction(cycles, tuple(y.shape))
        for k in (1, 2, 3):
            expected, actual = action.align(QuarterTurns(), y, y, k, X[0])
            turned = y.rot90(k, (-2, -1)) if y.ndim > 1 else y
            if y.is_floating_point():
                assert torch.equal(expected[[k, (k + 1) % 4, (k + 2) % 4, (k + 3) % 4, 4]], turned)
            else:
                assert torch.equal(expected, torch.where(turned < 4, (turned + k) % 4, turned))
            assert torch.equal(actual, y)


def test_only_classes_of_the_output_are_permuted() -> None:
    assert class_axis(torch.zeros(2, 3, 4), Reading("vector"), is_image=True) == -1
    assert class_axis(torch.zeros(2, 3, 4), Reading("map"), is_image=True) == 0
    cycles, inner, pixels = ((0, 1),), torch.rand(3), torch.rand(16, 16)
    expected, _ = ClassAction(cycles, (5,)).align(Reflection(), inner, inner, "left-right", X[0])
    assert torch.equal(expected, inner)
    plain = Reflection(reading=Reading("pixels"))  # a number for each pixel
    expected, _ = ClassAction(cycles, (16, 16)).align(plain, pixels, pixels, "left-right", X[0])
    assert torch.equal(expected, pixels.flip(-1))
