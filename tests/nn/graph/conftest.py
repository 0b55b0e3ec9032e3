"""Kernels that are counted, and forgotten between tests."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from erlangen.nn.graph import launch


@pytest.fixture(autouse=True)
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_FAILED", set())
    monkeypatch.setattr(launch, "_COMPILED", {})


@pytest.fixture
def kernels(device: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each kernel was started; every start must succeed."""
    if device == "cuda":
        pytest.importorskip("triton")
    else:
        monkeypatch.setattr(launch, "DEVICES", ("cpu",))
        patch_interpreter(monkeypatch)
    torch.manual_seed(0)
    started: Counter[str] = Counter()
    start = launch.start

    def counted(kernel: str, *given: Any, **options: Any) -> bool:
        done = start(kernel, *given, **options)
        assert done, f"{kernel} failed"
        started[kernel] += 1
        return done

    monkeypatch.setattr(launch, "start", counted)
    yield started
    assert started


def patch_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton 3.6 reads the ends of a loop by int(array of one number), which NumPy no longer allows."""
    from triton.runtime import interpreter as module

    before = module._patch_lang_tensor

    def patched(tensor: Any, scope: Any) -> None:
        before(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    monkeypatch.setattr(module, "_patch_lang_tensor", patched)
