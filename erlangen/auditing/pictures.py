"""PNG images as data URLs, for pages that must be one file."""

from __future__ import annotations

import base64
import struct
import zlib

import torch
from torch import Tensor

SIDE = 128  # pixels of the longer side: fewer than half of it are enlarged, more than twice of it are thinned out


def png(image: Tensor) -> str:
    """An image (1 or 3, H, W) in [0, 1] as a data URL with 8 bits per channel; small images are enlarged pixel by pixel."""
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
