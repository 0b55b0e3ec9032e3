"""Where Python would find a module, looked up without importing it or the packages that it is in."""

from __future__ import annotations

import importlib.util
import sysconfig
from dataclasses import dataclass
from importlib.machinery import all_suffixes
from pathlib import Path

INSTALLED = {"site-packages", "dist-packages"}
STANDARD = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}


@dataclass(frozen=True)
class Module:
    """file: its code; None for a built-in module and a folder without `__init__.py`. folders: where a package has its modules."""

    file: Path | None
    folders: tuple[Path, ...] = ()


def find(name: str) -> Module | None:
    """The module of a dotted name; None where there is none."""
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):  # an empty name, or a module without a spec, such as `__main__`
        return None
    if spec is None:
        return None
    file = Path(spec.origin) if spec.has_location and spec.origin else None
    module: Module | None = Module(file, tuple(map(Path, spec.submodule_search_locations or ())))
    for part in rest:
        module = find_within(module.folders, part) if module else None
    return module


def find_within(folders: tuple[Path, ...], part: str) -> Module | None:
    """The module `part` of a package whose modules are in `folders`."""
    for folder in folders:
        for suffix in all_suffixes():
            if (file := folder / part / f"__init__{suffix}").is_file():
                return Module(file, (folder / part,))
        for suffix in all_suffixes():
            if (file := folder / f"{part}{suffix}").is_file():
                return Module(file)
    bare = tuple(folder / part for folder in folders if part and (folder / part).is_dir())
    return Module(None, bare) if bare else None


def is_users(module: Module) -> bool:
    """Whether a module belongs to the user, rather than to Python or to an installed package."""
    places = [module.file] if module.file else module.folders
    return any(not is_installed(place) for place in places)


def is_installed(place: Path) -> bool:
    """Whether a file or folder is part of Python or of an installed package."""
    return bool(INSTALLED & set(place.parts)) or any(place.is_relative_to(folder) for folder in STANDARD)
