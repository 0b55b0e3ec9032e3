"""A check that cannot be made takes no other with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing import auditor as auditing
from erlangen.symmetries import Symmetry

IMAGES = torch.randn(5, 3, 6, 6, generator=torch.Generator().manual_seed(0))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()


@dataclass(frozen=True)
class Failing(Symmetry):
    """x -> -x, but for one method that fails."""

    fails: str = ""
    name: ClassVar[str] = "negation"
    advice: ClassVar[str] = ""

    def might_fail(self, method: str) -> None:
        if method == self.fails:
            raise ValueError(f"no {method}")

    def generators(self, x: Any) -> tuple[int, ...]:
        self.might_fail("generators")
        return (-1,)

    def elements(self, x: Any, n: int, rng: Any) -> tuple[int, ...]:
        self.might_fail("elements")
        return (-1,)[:n]

    def act(self, x: Any, g: int) -> Any:
        self.might_fail("act")
        return g * x

    def label(self, g: int) -> str:
        self.might_fail("label")
        return str(g)


@pytest.mark.parametrize("method", ["generators", "elements", "act", "label"])
def test_a_symmetry_of_the_users_that_fails(method: str) -> None:
    """The reason names the user's line; all other checks are reported."""
    found = erlangen.audit(network(), IMAGES, ["quarter-turns", Failing(fails=method)], where=False, baseline=True)
    judged = {check.name: check for check in found.checks}
    assert judged["negation"].judgment == "not measured"
    assert f"ValueError: no {method} (test_failing_checks.py, line " in judged["negation"].reason
    assert "internal error" not in judged["negation"].reason
    assert judged["quarter-turns"].judgment == "exact"
    assert found.exit_code() == 5


def test_an_error_of_ours_is_reported_as_such(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    measure = auditing.Auditor.measure_pairs

    def failing(auditor: Any, check: Any) -> Any:
        return int("x") if check.name == "reflection" else measure(auditor, check)

    monkeypatch.setattr(auditing.Auditor, "measure_pairs", failing)
    monkeypatch.setattr(auditing, "place_of", lambda error: "")  # as if no line of the user's were on the way
    found = erlangen.audit(network(), IMAGES, ["reflection", "quarter-turns"], where=False)
    judged = {check.name: check for check in found.checks}
    assert judged["reflection"].reason.startswith("internal error (please report it, with the lines above): ValueError")
    assert judged["quarter-turns"].judgment == "exact"
    assert "Traceback" in capsys.readouterr().err


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = erlangen.audit(network(), IMAGES, ["cuda", "quarter-turns"], where=False)
    judged = {check.name: (check.judgment, check.reason) for check in found.checks}
    assert judged["cuda"] == ("not measured", "this machine has no CUDA device")
    assert judged["quarter-turns"][0] == "exact"
    assert found.exit_code() == 5


class Unmovable(nn.Module):
    """A model that cannot be copied."""

    def __deepcopy__(self, memo: object) -> Unmovable:
        raise RuntimeError("one of a kind")

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def test_a_model_that_cannot_be_copied() -> None:
    found = erlangen.audit(Unmovable().eval(), IMAGES, ["bfloat16", "quarter-turns"], where=False)
    judged = {check.name: check for check in found.checks}
    assert judged["bfloat16"].reason.startswith("the model cannot be copied to bfloat16: RuntimeError: one of a kind")
    assert judged["quarter-turns"].judgment == "exact"
