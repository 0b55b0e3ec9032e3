"""A folder of pictures -> images (C, H, W) in [0, 1]."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
KEPT = {"1": "L", "L": "L", "LA": "RGBA", "PA": "RGBA", "RGBA": "RGBA"}  # mode of a picture -> that of its image; others: RGB
NAMES = {1: "gray", 3: "RGB", 4: "RGBA"}  # by the number of channels


class InputError(Exception):
    """Why inputs cannot be read or made."""


def read_pictures(path: Path, n: int) -> tuple[list[Tensor], tuple[str, ...]]:
    """The first n pictures below a folder, or all if n = 0, as (C, H, W) in [0, 1]; and how many of each kind there are.

    Subfolders (one per class, say) take turns, by name. Gray pictures have one channel, RGBA four, all others (palettes too)
    become RGB. If they differ, all become RGB.
    """
    files = in_turns(path)
    if not files:
        raise InputError(f"there are no pictures in it ({', '.join(PICTURES)})")
    try:
        from PIL import Image
    except ImportError:
        raise InputError("reading pictures needs Pillow: pip install pillow") from None
    pictures: list[Any] = []
    for file in files[: n or None]:
        try:
            with Image.open(file) as image:
                image.load()
                pictures.append(image if image.mode.startswith("I;16") else image.convert(KEPT.get(image.mode, "RGB")))
        except OSError as error:
            raise InputError(f"{file.relative_to(path)} is not a picture that can be read: {error}") from None
    return unify([to_image(picture) for picture in pictures])


def in_turns(path: Path) -> list[Path]:
    """All pictures below a folder, the first of each folder first, then the second of each, and so on."""
    folders: dict[Path, list[Path]] = {}
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in PICTURES and not file.name.startswith(".") and file.is_file():
            folders.setdefault(file.parent, []).append(file)
    rounds = itertools.zip_longest(*folders.values())
    return [file for turn in rounds for file in turn if file is not None]


def to_image(picture: Any) -> Tensor:
    """A picture of 8 or 16 bits a channel as (C, H, W) in [0, 1]."""
    values = np.array(picture)
    pixels = torch.from_numpy(values.astype(np.float32) / (65535 if values.dtype.itemsize > 1 else 255))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)


def unify(images: Sequence[Tensor]) -> tuple[list[Tensor], tuple[str, ...]]:
    """The images with one number of channels, and what was done, in a sentence."""
    counts = Counter(len(image) for image in images)
    kinds = " and ".join(f"{count} {NAMES[channels]}" for channels, count in sorted(counts.items()))
    if len(counts) == 1:
        channels = next(iter(counts))
        words = f"{NAMES[channels]}, {channels} channel{'s' * (channels > 1)}"
        return list(images), (f"The pictures ({words}) were read as numbers in [0, 1].",)
    rgb = [image.expand(3, -1, -1) if len(image) == 1 else image[:3] for image in images]
    return rgb, (f"The pictures are of several kinds ({kinds}); all were read as RGB, 3 channels, in [0, 1].",)
