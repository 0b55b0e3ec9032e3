"""The layer that loses a symmetry is named: on nets where it is known which one that is."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import erlangen
from erlangen.auditing.inputs import generated
from erlangen.records.audit import Breaks
from erlangen.symmetries.symmetry import Symmetry

IMAGES = torch.stack(generated("images", (3, 12, 12), 6))


def conv(width: int, out: int, padding: str = "circular", stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width, out, 3, stride, 1, padding_mode=padding)


def breaks(model: nn.Module, symmetry: str | Symmetry = "translation", inputs: object = IMAGES) -> Breaks:
    found = erlangen.audit(model.eval(), inputs, [symmetry]).checks[-1].breaks
    assert found is not None
    return found


def test_the_first_zero_padded_convolution_is_named() -> None:
    torch.manual_seed(0)
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))
    found = breaks(nn.Sequential(conv(3, 4), nn.ReLU(), conv(4, 5, "zeros"), nn.ReLU(), *head))
    assert found.culprit == "2"
    assert [layer.exact for layer in found.layers][:3] == [True, True, False]
    assert found.layers[-1].layer == "output"


def test_flattening_is_named_though_every_map_before_it_moves_along() -> None:
    torch.manual_seed(0)
    assert breaks(nn.Sequential(conv(3, 4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 144, 3))).culprit == "2"


def test_a_stride_has_no_action_for_an_odd_shift() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(conv(3, 4), nn.Tanh(), conv(4, 4, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(144, 3))
    found = breaks(model)
    named = {layer.layer: layer for layer in found.layers}
    odd = any(int(part) % 2 for part in found.element.replace(",", "").split() if part.isdigit())
    assert found.culprit == ("2" if odd else "4")
    assert named["0"].exact


class Functional(nn.Module):
    """The fault lies in a function between two layers, which no hook sees."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = conv(3, 4), conv(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = F.pad(self.first(x)[..., 1:], (0, 1))
        return self.second(y).mean((-2, -1))


def test_what_forward_does_between_layers_is_not_blamed_on_the_next() -> None:
    torch.manual_seed(0)
    assert breaks(Functional()).culprit == "before second"


class Shared(nn.Module):
    """One layer, called twice; the map is spoiled in between."""

    def __init__(self) -> None:
        super().__init__()
        self.same, self.spoil = conv(3, 3), conv(3, 3, "zeros")

    def forward(self, x: Tensor) -> Tensor:
        return self.same(self.spoil(self.same(x))).mean((-2, -1))


def test_calls_of_a_shared_layer_are_told_apart() -> None:
    torch.manual_seed(0)
    found = breaks(Shared())
    assert [layer.layer for layer in found.layers] == ["same", "spoil", "same (call 2)", "output"]
    assert found.culprit == "spoil"


class Leaky(nn.Module):
    """Causal mixing, then a layer that looks one token ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.causal, self.ahead = nn.Embedding(20, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, ids: Tensor) -> Tensor:
        h = self.causal(self.embed(ids).cumsum(1))
        return self.ahead(torch.roll(h, -1, 1))


def test_a_leak_in_time_is_found_where_it_is() -> None:
    torch.manual_seed(0)
    assert breaks(Leaky(), "causality", generated("texts", (8,), 6, 20)).culprit == "before ahead"


def test_hooks_are_gone_afterwards() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(conv(3, 4, "zeros"), nn.Flatten())
    breaks(model)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())
