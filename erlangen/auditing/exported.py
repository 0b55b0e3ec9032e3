"""Programs that torch.export made: a graph behind guards, which check shapes and dtypes of the arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from erlangen.auditing.calling import ModelError, describe_error

GUARDS = "_guards_fn"


class Unguarded(nn.Module):
    """In place of guards in a copy that is called in float64."""

    def forward(self, *args: Any, **named: Any) -> None:
        return None


def load_program(path: Path) -> nn.Module:
    """The module in a file of torch.export.save. Raises ModelError if it holds none."""
    try:
        return torch.export.load(path).module()
    except Exception as error:
        raise ModelError(f"{path} is no program of torch.export.save ({describe_error(error)[:120]})") from None


def as_callable(model: Any) -> Any:
    """The module of an exported program, which cannot be called itself; anything else as it is."""
    return model.module() if isinstance(model, torch.export.ExportedProgram) else model


def is_exported(module: nn.Module) -> bool:
    """Whether a module is that of an exported program: it has no modes, so that `training` says nothing."""
    return isinstance(module, torch.fx.GraphModule) and GUARDS in module._modules


def unguarded(module: nn.Module) -> dict[int, nn.Module]:
    """What to put in place of the guards in a copy, by their id, as `copy.deepcopy` takes it: they refuse float64."""
    return {id(part): Unguarded() for name, part in module.named_modules() if name.rpartition(".")[2] == GUARDS}


def fixed_batch_of(module: nn.Module) -> int | None:
    """The only batch size that an exported program accepts; None if it accepts any, or is none."""
    if not is_exported(module):
        return None
    first = next((node for node in module.graph.nodes if node.op == "placeholder"), None)  # type: ignore[union-attr]
    shape: tuple[Any, ...] = tuple(getattr(first.meta.get("val"), "shape", ())) if first is not None else ()
    return shape[0] if len(shape) and isinstance(shape[0], int) else None
