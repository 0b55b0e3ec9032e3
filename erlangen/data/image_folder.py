"""A user's own images: one folder of pictures per class, read as a training and a test set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.data.files import DataError
from erlangen.data.labeled_images import LabeledImages

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
TEST = ("test", "val", "valid", "validation")  # names of the folder beside train/, the first that exists
ADVICE = "give a folder with one subfolder of pictures per class, or with train/ and test/ that have such subfolders"


def image_folder(path: Path, side: int = 32, *, test_share: float = 0.2, seed: int = 0) -> tuple[LabeledImages, LabeledImages]:
    """The images (N, 3, side, side) for training and for the test, in random order.

    path: a folder with train/ and test/ (or val/), which have one subfolder per class; or a folder with one subfolder per class,
    where `test_share` of each class is drawn for the test. seed: of the order and the draw. Pictures are turned upright as their
    EXIF data say, cropped to the largest centered square, resized to `side` pixels and read as RGB.
    Raises DataError if there are fewer than two classes, a class has too few pictures, or a picture cannot be read.
    """
    path = Path(path).expanduser()
    rng = np.random.default_rng(seed)
    train, test = _listed(path, test_share, rng)
    return tuple(_read(path, files, side, rng) for files in (train, test))  # type: ignore[return-value]


Listing = dict[str, list[Path]]  # the pictures of each class


def check_image_folder(path: Path) -> None:
    """Raises DataError if `image_folder` could not list the pictures. Reads none of them."""
    _listed(Path(path).expanduser(), 0.2, np.random.default_rng(0))


def _listed(path: Path, test_share: float, rng: np.random.Generator) -> tuple[Listing, Listing]:
    """The pictures of each class for training and for the test."""
    if not path.is_dir():
        raise DataError(f"{path} is not a folder: {ADVICE}")
    held_out = next((path / name for name in TEST if (path / name).is_dir()), None)
    if not (path / "train").is_dir() or held_out is None:
        return _drawn(_classes(path), test_share, rng)
    train, test = _classes(path / "train"), _classes(held_out, 1)
    if unknown := sorted(set(test) - set(train)):
        raise DataError(f"{held_out / unknown[0]}: there is no class {unknown[0]} in {path / 'train'}: add or rename its folder")
    return train, {name: test.get(name, []) for name in train}


def _classes(path: Path, least: int = 2) -> Listing:
    """The pictures below each subfolder, by name. Raises DataError for fewer than `least` subfolders."""
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    listing = {folder.name: _pictures(folder) for folder in folders}
    if empty := [folder for folder in folders if not listing[folder.name]]:
        raise DataError(f"{empty[0]}: there are no pictures in it ({', '.join(PICTURES)}): add some, or remove the folder")
    if len(listing) < least:
        raise DataError(f"{path}: it has {len(listing) or 'no'} subfolder{'s' * (not listing)} of pictures: {ADVICE}")
    return listing


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        file for file in folder.rglob("*") if file.suffix.lower() in PICTURES and file.name[0] != "." and file.is_file()
    )


def _drawn(listing: Listing, test_share: float, rng: np.random.Generator) -> tuple[Listing, Listing]:
    """A share of each class for the test, at least one picture, and the rest."""
    train, test = {}, {}
    for name, files in listing.items():
        if len(files) < 2:
            raise DataError(f"{files[0].parent}: the class {name} has one picture, but training and test need one each: add some")
        order = [files[i] for i in rng.permutation(len(files))]
        count = min(max(1, round(test_share * len(files))), len(files) - 1)
        test[name], train[name] = order[:count], order[count:]
    return train, test


def _read(path: Path, listing: Listing, side: int, rng: np.random.Generator) -> LabeledImages:
    """The pictures of all classes, in random order."""
    labeled = [(file, label) for label, files in enumerate(listing.values()) for file in files]
    labeled = [labeled[i] for i in rng.permutation(len(labeled))]
    images = torch.empty(len(labeled), 3, side, side, dtype=torch.uint8)
    for image, (file, _) in zip(images, labeled, strict=True):
        image.copy_(_picture(path, file, side))
    return LabeledImages(images, torch.tensor([label for _, label in labeled], dtype=torch.int64), tuple(listing))


def _picture(path: Path, file: Path, side: int) -> Tensor:
    """One picture as (3, side, side) uint8."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise DataError("reading pictures needs Pillow: pip install pillow") from None
    try:
        with Image.open(file) as opened:
            picture: Any = ImageOps.exif_transpose(opened)
            picture = picture if picture.mode[0] not in "IF" else _eight_bits(picture)
            square = _centered_square(picture).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # what Pillow raises for damaged files
        raise DataError(f"{file.relative_to(path)} in {path} cannot be read: {error}: replace or remove it") from error
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)


def _centered_square(picture: Any) -> Any:
    """Cut out before it is resized: `ImageOps.fit` lets pixels from outside the square bleed into it."""
    width, height = picture.size
    size = min(width, height)
    left, top = (width - size) // 2, (height - size) // 2
    return picture.crop((left, top, left + size, top + size))


def _eight_bits(picture: Any) -> Any:
    """A gray picture of 16 bits with its upper eight, since Pillow would cut what is above 255."""
    from PIL import Image

    values = np.asarray(picture)
    if not picture.mode.startswith("I") or values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its pixels have the mode {picture.mode}, not 8 or 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))
