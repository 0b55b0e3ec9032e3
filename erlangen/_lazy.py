"""Public names of a package, loaded when they are first asked for (PEP 562)."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose `__init__.py` names its public parts for type checkers alone:

        if TYPE_CHECKING:
            from erlangen.nn.graph.gcn import GCNConv as GCNConv
        else:
            __getattr__, __dir__, __all__ = attach(__name__, __file__)

    The names are read from that block, so that type checkers and Python cannot disagree about them. A name may be that of the
    submodule that defines it: Python would then make it the submodule once that is imported; here it stays what the block says.
    """
    homes = public_names(Path(file))

    class Namespace(ModuleType):
        def __setattr__(self, name: str, value: object) -> None:
            if not (isinstance(value, ModuleType) and name in homes):  # else the import system, binding a submodule
                super().__setattr__(name, value)

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, original = homes[name]
        if module == package:  # a subpackage
            return importlib.import_module(f"{package}.{original}")
        return getattr(importlib.import_module(module), original)

    sys.modules[package].__class__ = Namespace
    return get, lambda: sorted(homes), sorted(homes)


def public_names(path: Path) -> dict[str, tuple[str, str]]:
    """Public name -> (module, name there), from the `if TYPE_CHECKING:` block of a file that calls `attach`; else nothing."""
    homes = {}
    for node in ast.parse(path.read_bytes(), str(path)).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and "attach(" in ast.unparse(node):
            for line in node.body:
                if isinstance(line, ast.ImportFrom) and line.module:
                    homes.update({alias.asname or alias.name: (line.module, alias.name) for alias in line.names})
    return homes
