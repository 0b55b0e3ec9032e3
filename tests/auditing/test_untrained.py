"""The untrained baseline: fresh weights, the model untouched, its traps named."""

import pytest
import torch
from torch import nn

import erlangen
from erlangen.auditing.inputs import generated
from erlangen.auditing.untrained import untrained
from erlangen.errors import ErlangenError


class Scaled(nn.Module):
    """A ConvNeXt-like block: its branch starts at a millionth."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 1)
        self.branch = nn.Conv2d(6, 6, 3, padding=1)
        self.gamma = nn.Parameter(torch.full((6, 1, 1), 1e-6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.stem(x)
        return (y + self.gamma * self.branch(y)).mean((-2, -1))


def test_weights_are_drawn_anew_and_the_model_keeps_its_own() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    model[1].running_mean.fill_(7.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fresh, notes = untrained(model, seed=0)
    assert notes == ()
    assert not torch.equal(fresh[0].weight, model[0].weight)
    assert not fresh[1].running_mean.any()  # statistics are learned, too
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_seed_decides_and_the_global_numbers_go_on() -> None:
    model = nn.Linear(4, 4)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = untrained(model, 0)[0], untrained(model, 0)[0], untrained(model, 1)[0]
    assert torch.equal(first.weight, second.weight)
    assert not torch.equal(first.weight, other.weight)
    assert torch.equal(torch.rand(3), expected)


def test_what_no_layer_can_draw_is_named_and_so_is_the_trap() -> None:
    _, notes = untrained(Scaled(), seed=0)
    assert "keeps the values of gamma" in notes[0]
    assert "misleading: gamma scales branches" in notes[1]
    large = Scaled()
    with torch.no_grad():
        large.gamma.fill_(1.0)
    assert len(untrained(large, seed=0)[1]) == 1


def test_the_trap_is_real_an_untrained_block_of_this_kind_looks_invariant() -> None:
    images = torch.stack(generated("images", (3, 12, 12), 8)) + torch.linspace(-1, 1, 8)[:, None, None, None]  # unlike means
    model = Scaled().eval()
    with torch.no_grad():
        model.gamma.fill_(3.0)
    large = erlangen.audit(model, images, ["translation"], baseline=True).checks[-1]
    with torch.no_grad():
        model.gamma.fill_(1e-6)
    small = erlangen.audit(model, images, ["translation"], baseline=True).checks[-1]
    assert large.baseline is not None
    assert small.baseline is not None
    assert small.baseline < 1e-4 < 0.01 < large.baseline


def test_nothing_to_reset_is_said() -> None:
    with pytest.raises(ErlangenError, match="reset_parameters"):
        untrained(nn.ReLU(), seed=0)
    images = torch.stack(generated("images", (3, 8, 8), 3))
    with pytest.raises(ErlangenError, match="not a torch module"):
        erlangen.audit(lambda x: x.mean((-2, -1)), images, ["reflection"], baseline=True)
