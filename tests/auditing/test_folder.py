"""Folders of pictures: their modes, one stated range, and class subfolders that take turns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from erlangen.auditing.folder import InputError, read_pictures

image = pytest.importorskip("PIL.Image")
PIXELS = np.random.default_rng(0).integers(256, size=(6, 5, 4)).astype(np.uint8)


def save(path: Path, mode: str) -> None:
    """A picture of this mode, 5 pixels wide and 6 high."""
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = {"L": PIXELS[..., 0], "RGB": PIXELS[..., :3], "RGBA": PIXELS}
    if mode == "I;16":
        image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257).save(path)
    elif mode in channels:
        image.fromarray(channels[mode]).save(path)
    else:
        image.fromarray(PIXELS[..., :3]).convert(mode).save(path)


@pytest.mark.parametrize(
    ("mode", "channels", "words"),
    [
        ("L", 1, "gray, 1 channel)"), ("1", 1, "gray, 1 channel)"), ("I;16", 1, "gray, 1 channel)"),
        ("RGB", 3, "RGB, 3 channels)"), ("P", 3, "RGB, 3 channels)"),
        ("RGBA", 4, "RGBA, 4 channels)"), ("LA", 4, "RGBA, 4 channels)"),
    ],
)  # fmt: skip
def test_modes_are_kept_and_said(mode: str, channels: int, words: str, tmp_path: Path) -> None:
    save(tmp_path / "a.png", mode)
    (x,), (note,) = read_pictures(tmp_path, 0)
    assert x.shape == (channels, 6, 5)
    assert words in note
    assert 0 <= float(x.min()) <= float(x.max()) <= 1
    if mode in ("L", "RGB", "RGBA", "I;16"):
        assert torch.allclose(x, torch.from_numpy(PIXELS[..., :channels]).permute(2, 0, 1) / 255)


def test_pictures_of_several_kinds_become_rgb(tmp_path: Path) -> None:
    for name, mode in (("a", "L"), ("b", "RGB"), ("c", "RGBA")):
        save(tmp_path / f"{name}.png", mode)
    pictures, (note,) = read_pictures(tmp_path, 0)
    assert [len(x) for x in pictures] == [3, 3, 3]
    assert torch.equal(pictures[0][0], pictures[0][2])
    assert torch.equal(pictures[1], pictures[2])
    assert "1 gray and 1 RGB and 1 RGBA" in note


def test_class_subfolders_take_turns(tmp_path: Path) -> None:
    for k, name in enumerate(["cat/1.png", "cat/2.png", "cat/deep/1.PNG", "dog/1.jpeg", "dog/2.png"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(np.full((4, 4), 10 * k, np.uint8)).save(tmp_path / name, format="png")
    (tmp_path / "cat" / "._1.png").write_bytes(b"not a picture")  # what macOS leaves beside files
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    shades = [round(255 * float(x.mean())) for x in read_pictures(tmp_path, 0)[0]]
    assert shades == [0, 20, 30, 10, 40]
    assert [round(255 * float(x.mean())) for x in read_pictures(tmp_path, 2)[0]] == [0, 20]


def test_a_picture_that_cannot_be_read_is_named_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"cat/a\.png is not a picture"):
        read_pictures(tmp_path, 0)
    with pytest.raises(InputError, match="no pictures"):
        read_pictures(tmp_path / "none", 0)
