"""Makes torchvision importable beside the CPU build of torch, for tests alone: timm calls none of its operators."""

from __future__ import annotations

import importlib
import sys

import torch

SCHEMAS = {  # what torchvision registers fake kernels for while it is imported; its own library may be built for another torch
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_libraries: list[torch.library.Library] = []  # an operator lives as long as the library that declared it


def declare_torchvision_ops() -> None:
    """Declare the operators without kernels, but only where torchvision cannot be imported without them.

    Where it works, a second declaration of its operators would abort the process.
    """
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        return  # not installed: nothing imports it either
    except (RuntimeError, AttributeError, OSError):  # "operator torchvision::nms does not exist"
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # half imported
        missing = [schema for name, schema in SCHEMAS.items() if not hasattr(torch.ops.torchvision, name)]
        if missing:
            library = torch.library.Library("torchvision", "DEF")
            for schema in missing:
                library.define(schema)
            _libraries.append(library)
