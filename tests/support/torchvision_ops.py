"""Makes torchvision importable beside the CPU build of torch, for tests alone: timm calls none of its operators."""

from __future__ import annotations

import torch

SCHEMAS = {  # what torchvision registers fake kernels for while it is imported; its own library is built against CUDA's torch
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_libraries: list[torch.library.Library] = []  # an operator lives as long as the library that declared it


def declare_torchvision_ops() -> None:
    """Declares the operators that torchvision would have brought, without kernels; does nothing the second time."""
    missing = [schema for name, schema in SCHEMAS.items() if not hasattr(torch.ops.torchvision, name)]
    if not missing:
        return
    library = torch.library.Library("torchvision", "DEF")
    for schema in missing:
        library.define(schema)
    _libraries.append(library)
