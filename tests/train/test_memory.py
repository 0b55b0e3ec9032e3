"""Where the C library has no setting for what is freed nothing happens."""

import ctypes

import pytest

from erlangen.train.memory import keep_memory


@pytest.mark.parametrize("fault", [OSError("no such file"), TypeError("bad argument type"), AttributeError("mallopt")])
def test_other_c_libraries_are_left_alone(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """TypeError is what Windows says to a library without a name."""

    def load(name: str | None) -> None:
        raise fault

    monkeypatch.setattr(ctypes, "CDLL", load)
    keep_memory()
