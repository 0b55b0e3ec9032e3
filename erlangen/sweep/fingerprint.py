"""The fingerprint of the code behind an experiment: what must change for its results to be recomputed.

It hashes the version of torch and the syntax trees, docstrings removed, of every module that the experiment's `run.py` imports,
directly or not, at its top or inside a function: our modules and the user's, which are those that belong neither to Python nor to
an installed package. A comment, a docstring or the wording of a verdict recomputes nothing. A layer does, and so does a module of
the user's beside their package.

Not counted:
- Data files. A key knows the code that reads a file, not what is in the file: `erlangen run --fresh` recomputes. (A recipe that
  names a file of the user's puts its SHA-256 among the parameters of its jobs, so that a change is noticed.)
- The experiment's own `__init__.py`, which holds its claims and presets, unless `run.py` imports a name from it, and those of our
  packages, which hold no logic: a name imported from one of them counts as the module that it comes from.
- Records and errors, which carry numbers and decide none; the `advice` of a symmetry; imports for type checkers alone.
- Modules whose names are made up at run time (`importlib.import_module`).
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.metadata
from pathlib import Path

from erlangen.sweep.reach import Reach, parsed

RECORDS = ("erlangen.errors", "erlangen.records")
WORDING = "advice: ClassVar[str] ="  # people read it, nothing computes with it


def fingerprint(module: str) -> str:
    """Hex digest over `module` (dotted), every module that it reaches, and torch's version."""
    digest = hashlib.sha256(f"torch {importlib.metadata.version('torch')}".encode())
    for name, file in sorted(reachable(module).items()):
        digest.update(f"\0{name}\0{content(file)}".encode())
    return digest.hexdigest()


def reachable(module: str) -> dict[str, Path]:
    """`module` and every module that it imports, directly or not, and that counts: name -> file. Nothing is executed."""
    importlib.invalidate_caches()  # a file may have been written a moment ago
    reach = Reach(module)
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        place = reach.find(name)
        if place is None or place.file is None or name in found or name.startswith(RECORDS) or reach.public(name):
            continue
        found[name] = place.file
        waiting += reach.imports(name, place.file)
    return found


def content(file: Path) -> str:
    """What of a file counts: its syntax tree without positions, comments and docstrings; every byte of a compiled one."""
    if file.suffix != ".py":
        return hashlib.sha256(file.read_bytes()).hexdigest()
    tree = parsed(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [line for line in node.body if not is_wording(line)]
    return ast.dump(tree)


def is_wording(line: ast.stmt) -> bool:
    """A docstring, a text below a definition that serves as one, or the advice that a symmetry gives."""
    if isinstance(line, ast.AnnAssign):
        return ast.unparse(line).startswith(WORDING)
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
