"""What an audit advises, and how it spells an option."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing.calling import ModelError
from erlangen.auditing.spelling import on_command_line
from erlangen.records.audit import Checked

TEXTS = torch.randint(0, 20, (6, 8), generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(6, 3, 6, 6, generator=torch.Generator().manual_seed(0))


class Recurrent(nn.Module):
    """A tagger of tokens."""

    def __init__(self, bidirectional: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(20, 8)
        self.recurrent = nn.LSTM(8, 6, bidirectional=bidirectional, batch_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        return self.recurrent(self.embedding(ids))[0]


def check_of(model: nn.Module, inputs: Tensor, name: str, **options: object) -> Checked:
    found = erlangen.audit(model.eval(), inputs, [name], **options)  # type: ignore[arg-type]
    return next(check for check in found.checks if check.name == name)


def test_the_layer_that_reads_from_both_ends_is_advised_upon() -> None:
    assert check_of(Recurrent(False), TEXTS, "causality").judgment == "exact"
    assert check_of(Recurrent(True), TEXTS, "causality").advice.startswith("recurrent is bidirectional: it reads its input")


def classifier() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


def test_the_first_layer_with_nan_is_named() -> None:
    model = classifier()
    with torch.no_grad():
        model[4].weight[0, 0] = torch.nan
    found = erlangen.audit(model.eval(), IMAGES, ["reflection"])
    assert all(check.judgment == "not measured" for check in found.checks)
    for check in found.checks:
        assert check.reason.endswith("the output contains NaN, first at 4 (Linear), whose parameters contain NaN")
        assert check.advice == ""
    assert "twin" not in str(found)


def test_nan_that_only_a_moved_input_meets_is_found_as_well() -> None:
    class Roots(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x[..., :3] - x[..., 3:]).sum((1, 2, 3), keepdim=True).sqrt()

    halves = torch.cat([IMAGES[..., :3].abs() + 1, IMAGES[..., 3:] * 0], -1)  # a mirror makes the root negative
    model = nn.Sequential(nn.Identity(), Roots(), nn.Flatten())
    check = check_of(model, halves, "reflection")
    assert check.reason.endswith("the output contains NaN, first at 1 (Roots)")


def test_more_elements_are_advised_only_where_there_are_more() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(108, 3))
    with torch.no_grad():
        model[1].weight.copy_(model[1].weight.view(3, 3, 6, 6).add(model[1].weight.view(3, 3, 6, 6).flip(-1)).flatten(1) / 2)
        model[1].weight += 0.02 * torch.randn_like(model[1].weight)
    mirrored = check_of(model, IMAGES, "reflection", threshold=0.35)
    assert (mirrored.judgment, mirrored.advice) == ("undecided", "Give more inputs.")
    shifted = check_of(classifier()[:1].append(nn.Flatten()), IMAGES, "translation", threshold=1.3, elements=2)
    assert (shifted.judgment, shifted.advice) == ("undecided", "Give more inputs, or draw more elements with elements=.")


def test_options_are_spelled_for_the_reader() -> None:
    series = torch.randn(4, 30, 9)
    with pytest.raises(ModelError, match="has the channels: give layout='ct' or tc"):
        erlangen.audit(nn.Identity(), series, domain="series")
    with on_command_line(), pytest.raises(ModelError, match="has the channels: give --layout ct or tc"):
        erlangen.audit(nn.Identity(), series, domain="series")

    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.new_ones(len(x), 3)

    assert check_of(Constant(), IMAGES, "reflection").advice.endswith("choose another output with select=.")
    with on_command_line():
        assert check_of(Constant(), IMAGES, "reflection").advice.endswith("choose another output with --select.")
