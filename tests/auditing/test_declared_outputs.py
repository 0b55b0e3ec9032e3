"""What users declare of outputs, from the words that they type to the checks that follow them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import torch
from auditing.oracles.boxes import Extents, Single, objects
from auditing.oracles.permuted import LEFT_RIGHT, Arrows
from torch import Tensor

import erlangen
from erlangen.auditing.box_outputs import parse_boxes
from erlangen.auditing.output_kinds import parse_output, parse_permutations
from erlangen.auditing.request import AuditRequest
from erlangen.errors import USAGE, ErlangenError
from erlangen.symmetries.boxes import Boxes

X = objects(0, torch.float32)


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("boxes:xyxy", Boxes()),
        ("boxes:normalized,cxcywh", Boxes("cxcywh", normalized=True)),
        ("boxes:xywh,ordered", Boxes("xywh", ordered=True)),
        ("keypoints", Boxes("xy", ordered=True)),
        ("keypoints:normalized", Boxes("xy", normalized=True, ordered=True)),
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
        ("keypoints:ordered", "unknown option 'ordered' of keypoints; choose normalized"),
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
