"""Several nets as one function; the oracle is each net by itself."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from erlangen.models.padded_cnn import PaddedCNN, PaddedCNNConfig
from erlangen.nn.padding import PADDINGS
from erlangen.train.classifier import predict
from erlangen.train.stacked_nets import Form, outputs, predict_many, stack


def nets(padding: str = "circular", net: str = "Net1") -> list[nn.Module]:
    models = []
    for seed in range(3):
        torch.manual_seed(seed)
        models.append(PaddedCNN(PaddedCNNConfig(net=net, padding=padding)))  # type: ignore[arg-type]
    return models


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize("padding", PADDINGS)
def test_predictions_are_those_of_each_net(device: str, form: Form, padding: str) -> None:
    models = [model.to(device) for model in nets(padding)]
    x = torch.rand(7, 3, 32, 32, generator=torch.Generator().manual_seed(0)).to(device)
    found = predict_many(models, x, size=3, form=form)
    expected = torch.stack([predict(model, x) for model in models])
    assert not found.requires_grad
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(expected[0], expected[1], atol=1e-3)


def test_stacked_weights_are_contiguous_copies() -> None:
    models = nets()
    weights = stack(models)
    assert all(weight.is_contiguous() and len(weight) == 3 and not weight.requires_grad for weight in weights.values())
    assert torch.equal(weights["convolutions.1.weight"][2], models[2].convolutions[1].weight)  # type: ignore[union-attr,index]
    weights["last.bias"].fill_(7)
    assert not (models[0].last.bias == 7).any()  # type: ignore[union-attr,operator]


def test_the_nets_own_weights_are_not_used() -> None:
    first, *_ = models = nets()
    weights, x = stack(models), torch.rand(2, 3, 32, 32)
    expected = outputs(first, weights, x)
    for parameter in first.parameters():
        parameter.data.fill_(torch.nan)
    assert torch.equal(outputs(first, weights, x), expected)


def test_the_output_has_the_dtype_float32_in_every_precision() -> None:
    found = [predict_many(nets(), torch.rand(4, 3, 32, 32), precision) for precision in ("float32", "bfloat16")]
    assert [one.dtype for one in found] == [torch.float32] * 2
    assert [tuple(one.shape) for one in found] == [(3, 4, 2)] * 2
