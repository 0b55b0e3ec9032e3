"""The fingerprint of the code behind an experiment: what must change for its results to be recomputed.

It hashes the syntax trees, docstrings removed, of every module of ours that the experiment's `run.py` imports, directly or
not, and the torch version. A comment, a docstring or the wording of a verdict recomputes nothing; a layer does.
Package `__init__` files count only where a name is imported from them: ours hold no logic. Records and errors do not
count: they carry numbers and decide none.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
from functools import cache
from pathlib import Path

RECORDS = ("erlangen.errors", "erlangen.records")  # they carry numbers and decide none


def fingerprint(module: str) -> str:
    """Hex digest over `module` (dotted), the modules it reaches within `erlangen` or its own package, and torch's version."""
    digest = hashlib.sha256(f"torch {importlib.metadata.version('torch')}".encode())
    for name in sorted(reachable(module)):
        path = source(name)
        if path is not None:
            digest.update(f"\0{name}\0{syntax(path)}".encode())
    return digest.hexdigest()


def reachable(module: str) -> set[str]:
    """`module` and every module of ours that it imports, directly or not. Nothing is executed but package `__init__` files."""
    ours = {"erlangen", module.split(".")[0]}
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = source(name)
        if name in found or path is None or name.startswith(RECORDS):
            continue
        found.add(name)
        waiting += [target for target in imports(path, name) if target.split(".")[0] in ours]
    return found


@cache
def source(module: str) -> Path | None:
    """The file of a module, None where there is none (a name in a module, say, or a compiled one)."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


def imports(path: Path, module: str) -> set[str]:
    """Names that a file's import statements may load, wherever in the file they stand."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            submodules = {f"{base}.{alias.name}" for alias in node.names}
            loaded = {name for name in submodules if is_module(name)}
            found |= loaded
            if len(loaded) < len(submodules):  # some name comes out of `base` itself
                found.add(base)
    return found


@cache
def is_module(name: str) -> bool:
    return source(name) is not None


def syntax(path: Path) -> str:
    """The file's syntax tree as text, docstrings removed; positions and comments are no part of it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:]
    return ast.dump(tree)
