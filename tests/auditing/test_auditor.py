"""What only whole audits show: the worst of the sample is looked at twice, and many questions make each harder to decide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing import ModelError
from erlangen.auditing.inputs import generated
from erlangen.symmetries.symmetry import Symmetry

IMAGES = torch.stack(generated("images", (3, 10, 10), 12)) + torch.linspace(-1, 1, 12)[:, None, None, None]


@dataclass(frozen=True)
class Turns(Symmetry):
    """Half turns as generators, quarter turns among the elements: the generators do not make the elements up."""

    called: str = "turns"

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.called

    def generators(self, x: Tensor) -> Sequence[int]:
        return (2,)

    def elements(self, x: Tensor, n: int, rng: np.random.Generator) -> Sequence[int]:
        return (1, 2, 3)

    def act(self, x: Tensor, g: int) -> Tensor:
        return torch.rot90(x, g, (-2, -1))


class HalfTurns(nn.Module):
    """The mean over half turns, and a breath of what lies on the left."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner = nn.Sequential(nn.Flatten(), nn.Linear(300, 16), nn.Tanh(), nn.Linear(16, 4))

    def forward(self, x: Tensor) -> Tensor:
        half = torch.rot90(x, 2, (-2, -1))
        return x.mean((1, 2, 3))[:, None] + 1e-4 * (self.inner(x) + self.inner(half))


def test_exact_on_generators_alone_is_not_exact() -> None:
    """Else a leak that the generators miss would pass: its error, 1e-4 of the spread, lies far below the threshold."""
    found = erlangen.audit(HalfTurns(), IMAGES, [Turns()]).checks[-1]
    assert found.judgment == "holds"
    assert found.leak is not None
    assert found.leak > 1e-7
    assert found.worst[0].element in ("1", "3")


def test_nor_is_it_without_a_twin() -> None:
    """A leak of 1e-4 of the spread is 1e-4 of RMS(y), ten times the floor."""
    net = HalfTurns()
    found = erlangen.audit(lambda x: net(x), IMAGES, [Turns()], where=False).checks[-1]
    assert found.judgment == "holds"
    assert found.leak is not None
    assert found.floor is not None
    assert found.leak > 2 * found.floor


def test_a_float32_path_that_is_wrong_does_not_excuse_itself() -> None:
    """Its errors, 4e-3 of RMS(y), are no rounding, although the model differs from its twin by as much."""

    class Wrong(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 4, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            y = self.layer(x.mean((2, 3)))
            return y + 8e-4 * x[:, 0, :2, :2].flatten(1).sign() if x.dtype == torch.float32 else y

    torch.manual_seed(0)
    found = erlangen.audit(Wrong().eval(), IMAGES, ["reflection"], where=False)
    assert found.twin == "float64"
    assert found.checks[-1].judgment == "holds"
    assert found.checks[-1].leak is not None
    assert found.checks[-1].leak < 1e-13, "exact in float64"


def test_the_more_is_asked_the_more_it_takes_to_decide() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(300, 16), nn.Tanh(), nn.Linear(16, 4))
    many = [Turns(f"turns {k}") for k in range(12)]
    high = erlangen.audit(model, IMAGES, many[:1], where=False).checks[-1].interval[1]
    assert high is not None
    for threshold in np.linspace(high, 3 * high, 60):
        alone = erlangen.audit(model, IMAGES, many[:1], threshold=float(threshold), where=False).checks[-1]
        if alone.judgment == "holds":
            break
    assert alone.judgment == "holds"
    asked = erlangen.audit(model, IMAGES, many, threshold=float(threshold), where=False).checks[3:]
    assert {check.judgment for check in asked} == {"undecided"}
    assert all("Holm" in check.reason for check in asked)
    assert asked[0].p > alone.p  # type: ignore[operator]


def test_exactness_alone_repeats_the_very_batch() -> None:
    """Batch normalization in training mode repeats itself, but not in another batch."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()).train()
    found = {check.name: check for check in erlangen.audit(net, IMAGES, ["batch-composition"], only_exact=True).checks}
    assert found["repeat"].judgment == "exact"
    assert found["batch-composition"].judgment == "broken"
    assert found["batch-composition"].breaks is not None
    assert found["batch-composition"].breaks.culprit == "1"


def test_a_model_that_takes_no_large_batch_says_so_in_one_line() -> None:
    def model(x: Tensor) -> Tensor:
        if len(x) > 4:
            raise ValueError("too many")
        return x.mean((-2, -1))

    with pytest.raises(ModelError, match=r"takes each input alone, but failed on \d+ of them in one call: ValueError: too many"):
        erlangen.audit(model, IMAGES, ["translation"])
    assert erlangen.audit(model, IMAGES, ["translation"], batch_size=4, where=False).checks[0].judgment == "exact"


def test_a_check_that_needs_an_argument_that_the_model_lacks_is_no_failure_unless_named() -> None:
    torch.manual_seed(0)
    embed = nn.Embedding(20, 8)
    texts = torch.randint(20, (8, 7))
    by_default = erlangen.audit(lambda ids: embed(ids).cumsum(1), texts, where=False)
    padding = next(check for check in by_default.checks if check.name == "left-padding")
    assert padding.judgment == "not measured"
    assert "the model takes none" in padding.reason
    assert by_default.exit_code() == 0
    assert erlangen.audit(lambda ids: embed(ids).cumsum(1), texts, ["left-padding"], where=False).exit_code() == 5
