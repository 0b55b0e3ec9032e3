"""Public names of a package, loaded when they are first asked for (PEP 562)."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package whose `__init__.py` names its public parts for type checkers alone:

        if TYPE_CHECKING:
            from erlangen.nn.graph.gcn import GCNConv as GCNConv

        __getattr__, __dir__, __all__ = attach(__name__, __file__)

    The names are read from that block, so that type checkers and Python cannot disagree about them.
    """
    homes = _typed_imports(Path(file))

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, original = homes[name]
        return getattr(importlib.import_module(module), original)

    return get, lambda: sorted(homes), sorted(homes)


def _typed_imports(path: Path) -> dict[str, tuple[str, str]]:
    """Public name -> (module, name there), from the `if TYPE_CHECKING:` block of a file."""
    homes = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for line in node.body:
                assert isinstance(line, ast.ImportFrom) and line.module, f"{path}: only `from module import name as name`"
                homes.update({alias.asname or alias.name: (line.module, alias.name) for alias in line.names})
    return homes
