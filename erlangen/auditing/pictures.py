"""Inputs as a page can show them: images as PNG, texts as words, series as they are not shown at all."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import torch
from torch import Tensor

from erlangen.symmetries.graph import Graph
from erlangen.symmetries.text import Text

SIDE = 128  # pixels at most, and at least half of it


def pictures(x: Any, moved: Any) -> tuple[str, ...]:
    """x and g·x; () for what has no picture."""
    if isinstance(x, Text) and isinstance(moved, Text):
        return tuple(" ".join(map(str, text.ids[:40].tolist())) + (" …" if len(text) > 40 else "") for text in (x, moved))
    if isinstance(x, Graph) and isinstance(moved, Graph):
        return tuple(f"{len(graph)} nodes, {graph.edge_index.shape[1]} edges" for graph in (x, moved))
    if isinstance(x, Tensor) and x.ndim == 3 and x.shape[0] in (1, 3):
        low, high = x.amin(), x.amax()
        return tuple(png((image - low) / (high - low).clamp(min=1e-12)) for image in (x, moved))
    return ()


def png(image: Tensor) -> str:
    """An image (1 or 3, H, W) in [0, 1] as a data URL: 8 bits, small ones enlarged pixel by pixel."""
    times = max(1, SIDE // 2 // max(image.shape[-2:]))
    step = max(1, max(image.shape[-2:]) // SIDE)
    image = image[:, ::step, ::step].repeat_interleave(times, 1).repeat_interleave(times, 2)
    levels = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu()  # (H, W, 1 or 3)
    height, width, channels = levels.shape
    rows = b"".join(b"\0" + row.numpy().tobytes() for row in levels.contiguous())  # filter 0 before each row
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 6)) + _chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
