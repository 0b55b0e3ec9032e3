"""Further arguments of a model by name: constants, and tensors of ones or zeros like its first argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing.calling import ModelError
from erlangen.auditing.model import Adapter
from erlangen.auditing.spelling import option

FILLED = {"ones": torch.ones_like, "zeros": torch.zeros_like}


@dataclass(frozen=True)
class WithArguments:
    """The adapter `inner` with further named arguments in every call; if a check passes one of them itself, that one counts."""

    inner: Adapter
    arguments: Mapping[str, Any]

    @property
    def separates_inputs(self) -> bool:
        return self.inner.separates_inputs

    def key(self, x: Any) -> Hashable:
        return self.inner.key(x)

    def collate(self, batch: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, named = self.inner.collate(batch)
        first = next(iter((*args, *named.values())))
        return args, {**{name: fill(value, first) for name, value in self.arguments.items()}, **named}

    def split(self, y: Tensor, batch: Sequence[Any]) -> list[Tensor]:
        return self.inner.split(y, batch)

    def sites(self, y: Tensor) -> Tensor:
        return self.inner.sites(y)


def fill(value: Any, first: Any) -> Any:
    """A tensor of ones or zeros like the first argument of the call, or the value itself."""
    return FILLED[value](first) if isinstance(value, str) and value in FILLED and isinstance(first, Tensor) else value


def check_call(function: Callable[..., Any], adapter: Adapter, x: Any) -> None:
    """Raises ModelError if the model's signature lacks an argument of the call, or needs another."""
    try:
        signature = inspect.signature(getattr(function, "forward", function))
    except (TypeError, ValueError):
        return
    args, named = adapter.collate([x])
    variadic = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values())
    unknown = [name for name in named if name not in signature.parameters]
    if unknown and not variadic:
        raise ModelError(f"the model has no argument {unknown[0]!r}; it has {', '.join(signature.parameters)}")
    try:
        given = signature.bind_partial(*args, **named).arguments
    except TypeError:
        return  # the call itself says best what is wrong
    required = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is parameter.empty and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if missing := [name for name in required if name not in given]:
        name = missing[0]
        argument = option("argument", f"{name}=VALUE", python=f"arguments={{{name!r}: VALUE}}")
        state_option = option("state", f"{name}=OUTPUT", python=f"state={{{name!r}: OUTPUT}}")
        state = f"; name a state with {state_option}" if hasattr(function, "state") else ""
        raise ModelError(
            f"the model also needs {' and '.join(missing)}: give it with {argument}, "
            f"where VALUE may be ones or zeros, like its first argument{state}"
        )
