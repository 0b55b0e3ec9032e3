"""What only whole audits show: the worst of the sample is looked at twice, and many questions make each harder to decide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

import erlangen
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
