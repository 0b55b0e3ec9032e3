"""The settings are process-wide, so each test begins from settings of its own and must leave them as they were."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import backends

from erlangen.nn.tf32 import in_tf32, tf32

NEW = (backends.cuda.matmul, backends.cudnn, backends.cudnn.conv, backends.cudnn.rnn)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    backends.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    backends.cudnn.allow_tf32 = True
    for owner in NEW:
        owner.fp32_precision = "none"
    backends.cudnn.conv.fp32_precision = backends.cudnn.rnn.fp32_precision = "tf32"


def state() -> list[Any]:
    """What torch and its compiler read."""
    return [torch.get_float32_matmul_precision(), backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32, in_tf32()]


USERS: list[Callable[[], None]] = [
    lambda: None,
    lambda: torch.set_float32_matmul_precision("high"),
    lambda: setattr(backends.cuda.matmul, "allow_tf32", True),
    lambda: setattr(backends.cudnn, "allow_tf32", False),
    lambda: setattr(backends.cudnn.conv, "fp32_precision", "ieee"),
    lambda: setattr(backends, "fp32_precision", "tf32"),
    lambda: setattr(backends.cuda.matmul, "fp32_precision", "tf32"),
]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("enabled", [False, True])
def test_whatever_the_user_had_set_the_context_sets_every_name_of_it(user: Callable[[], None], enabled: bool) -> None:
    user()
    before = in_tf32()
    with tf32(enabled):
        assert state() == ["high" if enabled else "highest", enabled, enabled, (enabled, enabled)]
        with tf32(not enabled):
            assert in_tf32() == (not enabled, not enabled)
        assert state() == ["high" if enabled else "highest", enabled, enabled, (enabled, enabled)]
    assert in_tf32() == before


def test_the_settings_return_after_an_error() -> None:
    before = state()
    with pytest.raises(RuntimeError, match="stop"), tf32(True):
        raise RuntimeError("stop")
    assert state() == before


def test_torch_multiplies_in_float32_and_convolves_in_tf32_unless_told_otherwise() -> None:
    assert in_tf32() == (False, True)


@pytest.mark.cuda
@pytest.mark.parametrize("operation", ["product", "convolution"])
def test_tf32_rounds_the_factors_and_float32_does_not(operation: str) -> None:
    x, w = torch.randn(64, 64, 8, 8, device="cuda"), torch.randn(64, 64, 3, 3, device="cuda")
    y = torch.randn(64 * 64, 128, device="cuda")

    def compute(dtype: torch.dtype) -> torch.Tensor:
        if operation == "product":
            return x.flatten(1).to(dtype) @ y.to(dtype)
        return torch.nn.functional.conv2d(x.to(dtype), w.to(dtype))

    exact = compute(torch.float64)
    errors = {}
    for enabled in (False, True):
        with tf32(enabled):
            errors[enabled] = float((compute(torch.float32) - exact).norm() / exact.norm())
    assert errors[False] < 2e-6
    assert 5e-5 < errors[True] < 2e-3
