"""A pytest plugin: torch's own tests then make a `PaddedConv2d` wherever they say `nn.Conv2d`.

python -m pytest -p peers.swap_convolution .../pytorch/test/nn/test_convolution.py

Each test's number of layers of ours is in the property `ours` of the XML report.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.testing._internal.common_cuda as common_cuda

from erlangen.nn.padded_convolution import PaddedConv2d

made = 0


class Counted(PaddedConv2d):
    """Ours, counted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        global made
        made += 1
        super().__init__(*args, **kwargs)


def pytest_configure() -> None:
    """Put ours in the place of torch's, before any test file is imported."""
    torch.nn.Conv2d = Counted  # type: ignore[misc]
    if not hasattr(common_cuda, "tf32_is_not_fp32"):  # tests of torch 2.4 ask for it; later versions renamed it
        common_cuda.tf32_is_not_fp32 = lambda: False


def pytest_runtest_setup() -> None:
    global made
    made = 0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    item.user_properties.append(("ours", made))
