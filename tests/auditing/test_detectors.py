"""Models that return a list with a record for each input: how they are recognized, read and refused."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
import torch
from auditing.oracles.detectors import Peaks
from auditing.oracles.images import noise
from torch import Tensor

import erlangen
from erlangen.auditing.calling import ModelError
from erlangen.auditing.detector import Detector, DetectorAdapter, detections
from erlangen.auditing.domain import load_domain
from erlangen.auditing.records import OfList, Stacked, StackedTensors

X = noise(0, torch.float32, 6, (3, 12, 12))
BOXES = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]])


def audited(model: Any, checks: Any = ("repeat",), **options: Any) -> erlangen.Audit:
    return erlangen.audit(model, X, checks, only_exact=True, where=False, **options)


def record(count: int) -> dict[str, Tensor]:
    return {"boxes": BOXES[:count], "labels": torch.arange(count), "scores": torch.arange(count) / 4}


def test_a_detection_is_a_row_of_its_box_its_score_and_its_label() -> None:
    rows = detections(record(2))
    assert rows.shape == (2, 21)
    assert torch.equal(rows[:, :5], torch.cat([BOXES, torch.tensor([[0.0], [0.25]])], 1))
    assert set(rows[:, 5:].flatten().tolist()) == {-1.0, 1.0}
    assert not torch.equal(rows[0, 5:], rows[1, 5:])
    assert detections(record(0)).shape == (0, 21)
    assert torch.equal(detections({"boxes": BOXES, "masks": X}), BOXES)
    assert detections({"boxes": BOXES.int(), "scores": [0.1, 0.2]}).dtype == torch.float32


@pytest.mark.parametrize("wrong", [{}, {"boxes": None}, {"boxes": BOXES[0]}, {"boxes": BOXES[:, :3]}, {"boxes": BOXES[None]}])
def test_other_records_are_no_detections(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"without boxes of shape \(N, 4\)"):
        detections(wrong)


def test_each_image_gets_its_own_detections_back() -> None:
    counts = [2, 0, 1]
    y = Detector(lambda batch: [record(count) for count in counts])(X[:3])["boxes"]
    adapter = DetectorAdapter(load_domain("images").adapter(lambda x: x))
    parts = adapter.split(y, list(X[:3]))
    assert torch.equal(parts[0], detections(record(2)))
    assert torch.equal(parts[1], torch.zeros(1, 21))
    assert torch.equal(parts[2], detections(record(1)))
    with pytest.raises(ModelError, match="no list with a record for each of 2 inputs"):
        Detector(lambda batch: [record(1)] * 3)(X[:2])


def test_what_is_not_in_all_records_is_not_stacked() -> None:
    with pytest.raises(ModelError, match="no list with a record for each of 2 inputs"):
        Stacked(lambda batch: [{"a": X}])(X[:2])
    with pytest.raises(ModelError, match="no list with a tensor for each of 2 inputs"):
        StackedTensors(lambda batch: [X])(X[:2])
    records: list[dict[str, Any]] = [{"a": X[0], "b": X[0], "c": 1}, {"a": X[1], "c": 2}]
    stacked = Stacked(lambda batch: records)(X[:2])
    assert list(stacked) == ["a"]
    assert torch.equal(stacked["a"], X[:2])
    assert OfList(lambda images, scale: [type(images), len(images), scale])(X, scale=2) == [list, 6, 2]


def test_the_notes_say_how_a_detector_is_called_and_read() -> None:
    torch.manual_seed(0)
    found = audited(Peaks().eval(), ["translation"])
    notes = " ".join(found.notes)
    assert "The model takes a list of inputs instead of a batch." in notes
    assert "Its boxes are judged, each in a row with its score and its label" in notes
    assert found.checks[-1].judgment == "exact"
    assert "output read as boxes (xyxy)" in found.checks[-1].reason
    assert found.output.endswith("× 21")


@pytest.mark.parametrize(
    ("others", "words"),
    [
        (("masks",), " Its masks are not judged."),
        (("mask",), " Its mask is not judged."),
        (("keypoints", "keypoints_scores"), " Its keypoints and keypoints_scores are not judged."),
        ((), ""),
    ],
)
def test_what_else_a_record_holds_is_named(others: tuple[str, ...], words: str) -> None:
    def model(batch: Tensor) -> list[dict[str, Any]]:
        parts = {name: torch.zeros(2, 1, *batch.shape[2:]) for name in others}
        return [record(2) | parts | {"image_id": 3} for _ in batch]

    (note,) = (note for note in audited(model).notes if "Its boxes" in note)
    assert note.partition("unless you declare another kind.")[2] == words


def test_one_box_in_the_first_image_does_not_hide_a_detector() -> None:
    """(1, 4) could also be an output with a batch axis."""
    counts = [1, 2, 0, 2, 1, 2]
    sums = [float(x.sum()) for x in X]

    def model(batch: Tensor) -> list[dict[str, Tensor]]:
        return [record(counts[min(range(6), key=lambda k: abs(sums[k] - float(x.sum())))]) for x in batch]

    assert "Its boxes are judged" in "".join(audited(model).notes)


def test_a_selected_part_is_selected_first() -> None:
    torch.manual_seed(0)
    model = Peaks(listed=False).eval()
    found = audited(model, ["batch-composition"], select=lambda records: torch.stack([r["scores"].max() for r in records]))
    assert found.output == "1"
    assert not any("Its boxes" in note for note in found.notes)
    assert "Its boxes" in "".join(audited(model, select="boxes").notes)


def test_what_cannot_be_judged_is_refused_with_what_to_do() -> None:
    def model(batch: Tensor) -> list[dict[str, Tensor]]:
        return [{"circles": torch.ones(2 + k % 2, 3), "radius": torch.ones(2 + k % 2)} for k in range(len(batch))]

    words = r"a record \(circles, radius\) for each input, but neither .*: wrap it .* examples/audit_detector.py"
    with pytest.raises(ModelError, match=words):
        audited(model)


def test_records_of_several_sizes_are_judged_one_by_one() -> None:
    """(N, 3) is a row for each of N things; the first two inputs differ in N."""
    cut = X[:2].mean()

    def model(batch: Tensor) -> list[dict[str, Tensor]]:
        return [{"circles": x.mean() * torch.ones(2 + int(x.mean() > cut), 3)} for x in batch]

    found = audited(model, ["repeat"])
    assert [check.judgment for check in found.checks] == ["exact", "not measured", "not measured"]
    assert "a record (circles) for each input" in " ".join(found.notes)


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_example_finds_what_it_says(wrapped: bool) -> None:
    find = run_path(str(Path(__file__).parents[2] / "examples" / "audit_detector.py"))["find"]
    judged = {check.name: check.judgment for check in find(wrapped=wrapped).checks}
    assert judged == dict.fromkeys(judged, "exact")
    assert find("zeros", wrapped).exit_code() == 1
