"""What is declared of several outputs by name: how it is typed, and that each output is read as it was declared."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
import torch
from auditing.oracles.boxes import Extents, objects
from torch import Tensor, nn

import erlangen
from erlangen.auditing.arrays import Arrays
from erlangen.auditing.calling import ModelError
from erlangen.auditing.declarations import Declaration, check_declared, declarations, parse_outputs
from erlangen.auditing.model import Model
from erlangen.auditing.preparing import declaration_of
from erlangen.auditing.request import AuditRequest
from erlangen.auditing.shared_calls import split_model
from erlangen.errors import ErlangenError

X = objects(0, torch.float32)


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (None, {}),
        ("map", {"": "map"}),
        ("boxes:xyxy,normalized", {"": "boxes:xyxy,normalized"}),
        ("logits=vector,mask=map", {"logits": "vector", "mask": "map"}),
        ("a=boxes:xyxy,normalized,ordered,b=map", {"a": "boxes:xyxy,normalized,ordered", "b": "map"}),
        ("vector,hidden.0=tokens", {"": "vector", "hidden.0": "tokens"}),
        ({"a": "map", "1": "vector"}, {"a": "map", "1": "vector"}),
    ],
)
def test_kinds_are_declared_by_name(given: Any, kinds: dict[str, str]) -> None:
    assert parse_outputs(given) == kinds
    request = AuditRequest(output=given)
    assert AuditRequest(**json.loads(json.dumps(asdict(request)))) == request
    assert {name: said.output for name, said in request.declared.items()} == kinds


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("a=map,a=vector", "each output needs a name of its own, as in logits=vector,mask=map"),
        ("=map", "each output needs a name"),
        ("a=mpa", "did you mean map?"),
        ("a=", "unknown kind of output ''"),
        ("map,vector", "unknown kind of output 'map,vector'"),
        ({"a": 3}, "the kind of output 'a' must be a word such as vector, not 3"),
    ],
)
def test_what_is_declared_wrongly_is_refused(given: Any, words: str) -> None:
    with pytest.raises(ErlangenError, match=words):
        AuditRequest(output=given)


def test_permuted_classes_are_those_of_an_output() -> None:
    permuted = {"reflection": ((0, 1),), "mask:reflection": ((1, 2),), "mask:quarter-turns": ((0, 1),)}
    assert declarations({"mask": "map", "a": "vector"}, permuted) == {
        "mask": Declaration("map", {"reflection": ((1, 2),), "quarter-turns": ((0, 1),)}),
        "a": Declaration("vector"),
        "": Declaration(None, {"reflection": ((0, 1),)}),
    }


@pytest.mark.parametrize(
    ("named", "judged", "words"),
    [
        (["mask"], [], "only one output to judge: declare it without the name 'mask'"),
        (["maks"], ["logits", "mask"], "returns no output 'maks' to declare; did you mean mask?"),
        (["x"], ["logits", "mask"], "returns no output 'x' to declare; the model returns logits and mask"),
        (["mask", "loss"], ["mask"], "output 'loss' was declared, but cannot be judged: no part for each input"),
    ],
)
def test_a_declared_output_must_be_judged(named: list[str], judged: list[str], words: str) -> None:
    with pytest.raises(ErlangenError, match=words):
        check_declared(named, judged, {"loss": "no part for each input"})
    check_declared(judged, judged, {})


def test_what_is_declared_without_a_name_is_for_the_main_output_alone() -> None:
    declared = declarations({"": "map", "1": "vector"}, {})
    first, second, third = split_model(Model(function=len, adapter=Arrays(), output="pixels"), ["0", "1", "2"])
    assert declaration_of(first, declared, is_main=True).output == "map"
    assert declaration_of(second, declared, is_main=False).output == "vector"
    assert declaration_of(third, declared, is_main=False).output == "pixels"  # what is known of the model


class Several(nn.Module):
    """Boxes, a matrix of four heads that looks like a map, class ids of pixels, arrows to the left and to the right."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular")
        self.heads = nn.Linear(3, 36)

    def forward(self, x: Tensor) -> dict[str, Any]:
        half = x.shape[-1] // 2
        left, right = (part.square().mean((1, 2, 3)) for part in (x[..., :half], x[..., half:].flip(-1)))
        y = self.map(x)
        return {
            "boxes": Extents()(x),
            "heads": self.heads(x.square().mean((2, 3))).view(-1, 4, 3, 3),
            "ids": y.argmax(1),
            "arrows": torch.stack([left, right, left + right], 1),
            "loss": y.sum(),
            "pairs": x.mean(1) @ x.mean(1).mT,
        }


def audited(**options: Any) -> erlangen.Audit:
    torch.manual_seed(0)
    return erlangen.audit(Several().eval(), X, ["translation-zeros", "reflection"], where=False, elements=3, **options)


def judgments(found: erlangen.Audit, check: str) -> dict[str, str]:
    return {output.name: output.judgment for output in next(c for c in found.checks if c.name == check).outputs}


def test_each_output_is_read_as_it_was_declared() -> None:
    found = audited(output="boxes=boxes:xyxy,ids=pixels,heads=vector", permuted_classes={"arrows:reflection": "0:1"})
    shifted, mirrored = judgments(found, "translation-zeros"), judgments(found, "reflection")
    assert shifted["boxes"] == mirrored["boxes"] == mirrored["heads"] == mirrored["arrows"] == "exact"
    assert shifted["ids"] in ("exact", "holds")
    assert mirrored["ids"] == "broken"  # the filters have no mirror images
    assert "loss (one value for the whole batch)" in " ".join(found.notes)
    reasons = {output.name: output.reason for output in found.checks[-1].outputs}
    assert "output read as boxes (xyxy)" in reasons["boxes"]
    assert "classes 0 → 1 → 0 permuted" in reasons["arrows"]
    assert judgments(audited(output={"boxes": "boxes:xyxy"}), "reflection")["arrows"] == "broken"


def test_what_is_declared_without_a_name_beside_names_is_that_of_the_main_output() -> None:
    found = audited(output="boxes:xyxy,heads=vector", permuted_classes={"arrows:reflection": "0:1"})
    assert judgments(found, "reflection") | {"pairs": ""} == {"boxes": "exact", "heads": "exact", "arrows": "exact", "pairs": ""}
    found = audited(output="boxes:xyxy")
    assert not found.outputs
    assert "(the output that was declared is the first one)" in " ".join(found.notes)


def test_what_cannot_be_read_as_declared_is_named() -> None:
    with pytest.raises(ErlangenError, match=r"heads: an output of shape \(4, 3, 3\) .*cannot be read as"):
        audited(output="heads=tokens")
    with pytest.raises(ErlangenError, match="output 'loss' was declared, but cannot be judged: one value for the whole batch"):
        audited(output="loss=vector")
    with pytest.raises(ErlangenError, match="only one output to judge"):
        audited(output="ids=pixels", select="ids")
    with pytest.raises(ErlangenError, match="only one output to judge"):
        erlangen.audit(lambda x: x.mean((2, 3)), X, "repeat", output={"0": "vector"})


@pytest.mark.parametrize("count", [20])
def test_a_declared_output_is_among_those_that_are_judged(count: int) -> None:
    def model(x: Tensor) -> dict[str, Tensor]:
        return {f"y{k}": x + k for k in range(count)} | {"cache": x, "ids": x[:, 0] > 0}

    found = erlangen.audit(model, X, "repeat", output="cache=map,ids=pixels,y19=map", where=False, only_exact=True)
    names = {output.name for output in found.outputs}
    assert {"y0", "y15", "cache", "ids", "y19"} <= names
    assert "y18" not in names


def test_a_model_that_fails_is_not_left_out() -> None:
    def model(x: Tensor) -> tuple[Tensor, Tensor]:
        if len(x) > 2:
            raise ValueError("too many")
        return x.mean((2, 3)), x

    with pytest.raises(ModelError, match="too many"):
        erlangen.audit(model, X, "repeat", where=False)
