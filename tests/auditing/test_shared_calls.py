"""One call serves several readers, as long as there is room and nobody else's numbers come back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from erlangen.auditing import shared_calls
from erlangen.auditing.arrays import Arrays
from erlangen.auditing.model import Model
from erlangen.auditing.shared_calls import SharedCalls, part_name, sharing, split_model, unshared
from erlangen.auditing.wrapped import Wrapped

X = torch.arange(6.0).view(2, 3)


class Counted:
    """f(x) -> (x, -x), and how often it was called. buffer: whether it writes all answers into the same memory."""

    def __init__(self, buffer: bool = False) -> None:
        self.calls, self.memory = 0, torch.empty(2, 3) if buffer else None

    def __call__(self, x: Tensor, **named: Any) -> tuple[Tensor, Tensor]:
        self.calls += 1
        if self.memory is not None:
            return x, self.memory.copy_(-x)
        return x, -x


def split(function: Counted) -> list[Model]:
    return split_model(Model(function=function, adapter=Arrays(), select=lambda output: output[0]), ["0", "1"])


def test_readers_know_their_part_and_their_model() -> None:
    function = Counted()
    models = split(function)
    assert [part_name(model) for model in models] == ["0", "1"]
    assert [model.select for model in models] == [None, None]
    assert unshared(models[1]).function is function
    whole = Model(function=function, adapter=Arrays())
    assert unshared(whole) is whole
    assert part_name(whole) == ""


def test_calls_are_shared_only_as_long_as_it_is_said() -> None:
    function = Counted()
    first, second = (model.function for model in split(function))
    with sharing([first, second, len]):
        assert torch.equal(first(X), X)
        assert torch.equal(second(X), -X)
        assert function.calls == 1
        first(X)
    assert not first.calls.calls  # nothing waits beyond the end
    second(X)
    second(X)
    assert function.calls == 4
    with pytest.raises(ZeroDivisionError), sharing([first]):
        first(X / (1 // 0))
    assert not first.calls.open


@pytest.mark.parametrize(("room", "calls"), [(2 * X.numel() * 4, 2), (X.numel() * 4, 3), (X.numel() * 4 - 1, 4)])
def test_outputs_wait_only_if_there_is_room_for_all(monkeypatch: pytest.MonkeyPatch, room: int, calls: int) -> None:
    monkeypatch.setattr(shared_calls, "KEPT", room)
    function = Counted()
    first, second = (model.function for model in split(function))
    with sharing([first, second]):
        for x in (X, X + 1):
            first(x)
        for x in (X, X + 1):
            assert torch.equal(second(x), -x)
    assert function.calls == calls


def test_what_waits_is_a_copy() -> None:
    first, second = (model.function for model in split(Counted(buffer=True)))
    with sharing([first, second]):
        for x in (X, X + 1):
            first(x)
        assert torch.equal(second(X), -X)


class Data:
    """As of PyTorch Geometric."""

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def to_dict(self) -> dict[str, Tensor]:
        return {"x": self.x}


def test_records_are_equal_if_their_parts_are() -> None:
    assert shared_calls.digest((Data(X),)) == shared_calls.digest((Data(X.clone()),)) is not None
    assert shared_calls.digest((Data(X),)) != shared_calls.digest((Data(X + 1),))
    assert shared_calls.digest(((), {"a": X})) != shared_calls.digest(((), {"b": X}))
    assert shared_calls.digest((X.to_sparse(),)) is None
    assert shared_calls.digest((object(),)) is None
    assert shared_calls.digest((X.view(3, 2),)) != shared_calls.digest((X,))
    assert shared_calls.digest((torch.zeros(2),)) != shared_calls.digest((torch.zeros(2, dtype=torch.int32),))


def test_one_reader_without_its_part_does_not_disturb_the_others() -> None:
    calls = SharedCalls(
        lambda x: (x,) if float(x.sum()) > 20 else (x, -x), [shared_calls.Part("0"), shared_calls.Part("1")], True
    )
    assert torch.equal(calls.answer(0, (X + 9,), {}), X + 9)
    with pytest.raises(shared_calls.ModelError, match="no '1' to select"):
        calls.answer(1, (X + 9,), {})
    assert torch.equal(calls.answer(1, (X,), {}), -X)


class Inner:
    separates_inputs = False

    def key(self, x: Any) -> Any:
        return "key", x

    def collate(self, batch: Any) -> Any:
        return "collated", batch

    def split(self, y: Any, batch: Any) -> Any:
        return "split", y, batch

    def sites(self, y: Any) -> Any:
        return "sites", y


def test_a_wrapped_adapter_asks_the_one_inside() -> None:
    inner = Inner()
    wrapped = Wrapped(inner)
    assert wrapped.separates_inputs is False
    assert (wrapped.key(1), wrapped.collate([2]), wrapped.split(3, [4]), wrapped.sites(5)) == (
        inner.key(1), inner.collate([2]), inner.split(3, [4]), inner.sites(5),
    )  # fmt: skip
