"""Which modules a file's statements import, read from its syntax tree: nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from erlangen._lazy import public_names
from erlangen.experiments.modules import Module, find, is_users

OURS = "erlangen"


class Reach:
    """What the modules behind an experiment import, of those that count."""

    def __init__(self, module: str) -> None:
        self.own = module.rpartition(".")[0]  # the experiment's package
        self.counts = cache(self._counts)
        self.find = cache(self._find)
        self.public = cache(self._public)

    def _counts(self, top: str) -> bool:
        """Whether the modules of a top-level package count."""
        if top in (OURS, self.own.split(".")[0]):
            return True
        module = find(top)
        return module is not None and is_users(module)

    def _find(self, name: str) -> Module | None:
        return find(name) if self.counts(name.split(".")[0]) else None

    def _public(self, name: str) -> dict[str, tuple[str, str]]:
        """What one of our packages offers: public name -> (module, name there)."""
        module = self.find(name) if name.split(".")[0] == OURS else None
        return public_names(module.file) if module and module.file and module.folders else {}

    def imports(self, module: str, file: Path) -> set[str]:
        """The modules that the statements of a module's file import or name, wherever in it they stand."""
        if file.suffix != ".py":
            return set()
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        nodes = list(executed(parsed(file)))
        imported = [pair for node in nodes for pair in self.imported(node, package)]
        names = {local: name for local, name in imported if local}
        used = [in_dots(node).partition(".") for node in nodes if isinstance(node, ast.Attribute)]
        dotted = [name for local, name in imported if not local]
        dotted += [f"{names[root]}.{rest}" for root, _, rest in used if root in names]
        return set().union(*map(self.home, dotted))

    def imported(self, node: ast.AST, package: str) -> Iterator[tuple[str, str]]:
        """('', dotted name) of all that a statement imports, and (local name, dotted name) of the names that it sets."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                yield "", alias.name
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node, package)
            for alias in node.names:
                for name in [alias.name] if alias.name != "*" else list(self.public(base)) or ["*"]:
                    yield "", f"{base}.{name}"
                    yield alias.asname or name, f"{base}.{name}"

    def home(self, dotted: str) -> set[str]:
        """The modules that come in with a dotted name: the one that holds it, and the user's packages around that."""
        module = ""
        for part in dotted.split("."):
            step = f"{module}.{part}".lstrip(".")
            source, name = self.public(module).get(part, ("", "")) if module else ("", "")
            if source not in ("", module, step):
                return self.home(f"{source}.{name}")
            if self.find(step) is None:
                break
            module = step
        return {module} | self.around(module) if module else set()

    def around(self, module: str) -> set[str]:
        """The packages of the user's that Python runs before a module of theirs."""
        parts = module.split(".")
        packages = {".".join(parts[:end]) for end in range(1, len(parts))}
        return set() if parts[0] == OURS else packages - {self.own}


def absolute(node: ast.ImportFrom, package: str) -> str:
    """The module after `from`."""
    if not node.level:
        return node.module or ""
    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parents, *([node.module] if node.module else [])])


def in_dots(node: ast.AST) -> str:
    """`erlangen.nn.graph.GATConv` of an expression that reads so; '' of any other."""
    if isinstance(node, ast.Name):
        return node.id
    inner = in_dots(node.value) if isinstance(node, ast.Attribute) else ""
    return f"{inner}.{node.attr}" if inner and isinstance(node, ast.Attribute) else ""


def executed(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`."""
    yield tree
    seen_by_types = tree.body if isinstance(tree, ast.If) and in_dots(tree.test).endswith("TYPE_CHECKING") else []
    for node in ast.iter_child_nodes(tree):
        if node not in seen_by_types:
            yield from executed(node)


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_bytes(), str(file))
