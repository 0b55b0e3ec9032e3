"""Of several outputs, which judgment counts, what is known of each, and how their p-values are adjusted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from auditing.oracles.several_outputs import circular
from torch import Tensor, nn

import erlangen
from erlangen.auditing.inputs import generated
from erlangen.auditing.judging import rank
from erlangen.auditing.verdict import Ruling
from erlangen.records.audit import Checked, Judgment

IMAGES = torch.stack(generated("images", (3, 12, 12), 10))
TEXTS = generated("texts", (8,), 10, 20)
ORDER: tuple[Judgment, ...] = ("broken", "not measured", "undecided", "holds", "exact")


def audited(model: Any, checks: Any, inputs: Any = IMAGES, **options: Any) -> dict[str, Checked]:
    found = erlangen.audit(model, inputs, checks, where=False, **options)
    return {check.name: check for check in found.checks}


def judgments(check: Checked) -> dict[str, str]:
    return {output.name: output.judgment for output in check.outputs}


def test_the_worst_judgment_comes_first_and_what_cannot_be_asked_last() -> None:
    ranks = [rank(Ruling(judgment, "")) for judgment in ORDER]
    assert ranks == sorted(set(ranks))
    assert rank(Ruling("not measured", "", impossible=True)) > ranks[-1]


def test_a_check_that_one_output_cannot_be_asked_is_that_of_the_others() -> None:
    torch.manual_seed(0)
    embed = nn.Embedding(20, 6)
    model = lambda ids: {"logits": embed(ids).cumsum(1), "pooled": embed(ids).mean(1)}  # noqa: E731
    found = audited(model, ["causality"], TEXTS, domain="texts")["causality"]
    assert judgments(found) == {"logits": "exact", "pooled": "not measured"}
    assert (found.judgment, found.output) == ("exact", "logits")


@pytest.mark.parametrize("noisy", ["a", "b"])
def test_only_the_output_that_does_not_repeat_itself_is_not_measured(noisy: str) -> None:
    def model(x: Tensor) -> dict[str, Tensor]:
        y = x.exp().mean((2, 3))
        return {name: y + 0.1 * torch.randn_like(y) if name == noisy else 2 * y for name in "ab"}

    found = audited(model, ["reflection"])
    assert judgments(found["repeat"])[noisy] == "broken"
    steady = "b" if noisy == "a" else "a"
    assert judgments(found["reflection"]) == {noisy: "not measured", steady: "exact"}


def test_p_values_are_adjusted_for_all_checks_of_all_outputs() -> None:
    """With the three conditions, that is for 4, 5 and 10 tests, of which this one has the smallest p."""
    corner = lambda x: x[:, :, :6, :6].mean((2, 3))  # noqa: E731
    models = (corner, ["intensity"]), (corner, ["intensity", "reflection"]), (
        lambda x: (corner(x), corner(x).clone()), ["intensity", "reflection"],
    )  # fmt: skip
    p = [audited(model, checks)["intensity"].p or 0.0 for model, checks in models]
    assert 0 < p[0] < 0.01
    assert p[1:] == pytest.approx([p[0] / 4 * 5, p[0] / 4 * 10])


def test_each_output_has_a_twin_of_its_own() -> None:
    """The second output is broken by less than float32 can show, and alone."""
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = circular(3, 4)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            h = self.body(x).exp()
            return {"steady": h.mean((2, 3)), "tilted": h.mean((2, 3)) * 2 + 1e-9 * h[:, :, 0, 0]}

    found = erlangen.audit(Net().eval(), IMAGES, ["translation"], where=False)
    assert found.twin == "float64"
    leaks = {output.name: output.leak for output in found.checks[-1].outputs}
    assert leaks["steady"] is not None
    assert leaks["tilted"] is not None
    assert leaks["steady"] < 1e-13
    assert 1e-10 < leaks["tilted"] < 1e-8, "float32 has rounding errors of 1e-7"


def test_an_output_with_a_name_of_features_has_no_class() -> None:
    corner = lambda x: x[:, :, :4, :4].mean((2, 3))  # noqa: E731
    found = {name: audited(lambda x, name=name: {"logits": x.exp().mean((2, 3)), name: corner(x)}, ["translation"])["translation"]
             for name in ("features", "scores")}  # fmt: skip
    assert {name: check.output for name, check in found.items()} == {"features": "features", "scores": "scores"}
    assert found["features"].flips is None
    assert found["scores"].flips is not None
