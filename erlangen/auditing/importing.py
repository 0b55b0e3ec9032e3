"""The user's files and modules, imported without taking the place of others; and what helps where that fails."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import sysconfig
from pathlib import Path
from typing import Any

from erlangen.auditing.calling import ModelError, describe_error
from erlangen.errors import ErlangenError

PACKAGES = {"cv2": "opencv-python", "PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml"}


def import_module(place: str) -> Any:
    """A file or a module, imported. Its folder, or the working directory, is on the path as it is for `python FILE.py`."""
    try:
        if place.endswith(".py"):
            return import_file(Path(place).resolve())
        add_to_path(Path.cwd())
        return importlib.import_module(place)
    except ErlangenError:
        raise
    except SystemExit as error:
        raise ModelError(
            f"importing {place} ended the process (exit {error.code}): guard that code with if __name__ == '__main__'"
        ) from None
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{place}.".startswith(f"{error.name}."):
            raise ErlangenError(
                f"there is no module {error.name}, neither installed nor in this folder; name a file as FILE.py:build"
            ) from None
        raise ModelError(f"importing {place} failed: {describe_error(error)}{remedy(error)}") from error


def import_file(path: Path) -> Any:
    """A file as a module; if it belongs to a package (its folder has an `__init__.py`), as part of that, for relative imports."""
    root, name = path.parent, path.stem
    while (root / "__init__.py").is_file() and root != root.parent:
        root, name = root.parent, f"{root.name}.{name}"
    add_to_path(root)
    top = name.partition(".")[0]
    if root != path.parent and top not in sys.modules and top not in sys.stdlib_module_names:
        module = importlib.import_module(name.removesuffix(".__init__"))
        if module.__file__ is not None and Path(module.__file__).resolve() == path:
            return module
    # never under the name of another module: `json.py` must not become what torch gets for `import json`
    taken = path.stem in sys.modules or path.stem in sys.stdlib_module_names
    name = f"{path.stem}_to_audit" if taken else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def add_to_path(folder: Path) -> None:
    """Puts a folder on the module path, before all packages but after Python's own modules, so that it replaces none of them."""
    own = {sysconfig.get_path("stdlib"), sysconfig.get_config_var("DESTSHARED")}
    places = [place for place, entry in enumerate(sys.path) if entry in own]
    sys.path.insert(max(places, default=-1) + 1, str(folder))


def remedy(error: BaseException) -> str:
    """How to fix a common failure; '' for others."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error)
    if "torchvision::nms" in text or ("torchvision::" in text and "does not exist" in text):
        return "; torch and torchvision are different builds: install both from one index, such as download.pytorch.org/whl/cpu"
    if isinstance(error, ModuleNotFoundError) and error.name:
        top, dot, _ = error.name.partition(".")
        if dot and importlib.util.find_spec(top) is not None:
            return f"; the installed version of {top} has no such module: try another version"
        return f"; pip install {PACKAGES.get(top, top)}"
    if "no known parent package" in text:
        return "; add an __init__.py to its folder, or name it as package.module:build from the folder above"
    return ""
