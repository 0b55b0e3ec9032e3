"""Inputs for the audits of docs/trained_models.md: `python inputs.py FOLDER` writes one .npy file for each kind of input.

lines (16, 3, 48, 320), pages (8, 3, 128, 128) and flips (16, 3, 48, 192), half of them upside down: printed text, in the range
that the models of PaddleOCR expect. gray_lines (16, 1, 64, 160): the same in [-1, 1] for ddddocr. faces (8, 3, 96, 96): crops of
two photographs that Python packages bring. files (16, 2048): both ends of files of this machine, as Magika reads them.
voice (16, 576), chunks (16, 512), windows (8, 24, 576), pitch (16, 1024) and music (4, 43844, 1): a synthetic voice; windows
overlap, as Silero VAD reads a stream. mels (16, 160, 40): mel energies of it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.signal import lfilter

SENTENCE = "the shape of a space is what its motions leave alone and 1872 was a good year for geometry in Erlangen Bavaria"
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (530, 1840, 2480), (570, 840, 2410), (300, 870, 2240))  # formants, in Hz

FACES = (("skimage/data/astronaut.png", 162, 50, 128), ("matplotlib/mpl-data/sample_data/grace_hopper.jpg", 160, 110, 200))


def text(width: int, height: int, size: int, lines: int, rng: np.random.Generator) -> np.ndarray:
    """Black text on paper, (3, height, width), in [0, 1]."""
    image = Image.new("RGB", (width, height), tuple(int(shade) for shade in rng.integers(200, 256, 3)))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for line in range(lines):
        words = " ".join(rng.choice(SENTENCE.split(), 1 + width // (size * 4)))
        draw.text((rng.integers(4, 12), (line + 0.1) * height / lines), words, (20, 20, 60), font)
    return np.asarray(image, np.float32).transpose(2, 0, 1) / 255


def faces(packages: Path) -> np.ndarray:
    """Crops around two faces, (N, 3, 96, 96), in [-1, 1): photographs in scikit-image (NASA) and matplotlib (US Navy)."""
    crops = []
    for name, left, top, size in FACES:
        photograph = Image.open(packages / name).convert("RGB")
        for shift in range(-24, 25, 16):
            box = (left + shift, top, left + shift + size, top + size)
            crops += [np.asarray(photograph.crop(box).resize((96, 96)), np.float32).transpose(2, 0, 1)]
    return (np.stack(crops) - 127.5) / 128


def file_bytes(path: Path) -> np.ndarray:
    """The first and last 1024 bytes of a file without the white space around it, 256 where there is none: (2048,)."""
    content = path.read_bytes()
    start, end = content[:4096].lstrip()[:1024], content[-4096:].rstrip()[-1024:]
    row = np.full(2048, 256, np.int32)
    row[: len(start)] = list(start)
    row[2048 - len(end) :] = list(end)
    return row


def voice(n: int, rng: np.random.Generator, rate: int = 16000) -> np.ndarray:
    """Syllables of pulses through three resonances each, (n,), in [-0.5, 0.5]. Silero VAD calls it speech."""
    sound, at, pitch = np.zeros(n), 0, rng.choice([110, 150, 220])
    while at < n:
        length = int(rng.uniform(0.12, 0.25) * rate)
        phase = np.cumsum(pitch * np.exp(rng.normal(0, 0.08)) * np.linspace(1.1, 0.9, length) / rate)
        syllable = lfilter([1], [1, -0.95], np.diff(np.floor(phase), prepend=0)) + 0.02 * rng.normal(size=length)
        for formant, bandwidth in zip(VOWELS[rng.integers(len(VOWELS))], (80, 100, 150), strict=True):
            radius = np.exp(-np.pi * bandwidth / rate)
            syllable = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * formant / rate), radius**2], syllable)
        sound[at : at + length] += (syllable * np.hanning(length) ** 0.5)[: n - at]
        at += length
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def mels(sound: np.ndarray, rate: int = 16000) -> np.ndarray:
    """Mel energies of windows of 25 ms every 10 ms, (160, 40), much as Resemblyzer computes them with librosa."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, 400)[::160][:160] * np.hanning(400)
    power, hertz = np.abs(np.fft.rfft(frames)) ** 2, np.fft.rfftfreq(400, 1 / rate)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), 42) / 2595) - 1)
    rise = (hertz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hertz) / np.diff(edges)[1:, None]
    return (power @ np.clip(np.minimum(rise, fall), 0, None).T * 2 / np.diff(edges)[None, :-1]).astype(np.float32)


def main(folder: Path, packages: Path) -> None:
    """Writes all files; photographs are looked for in `packages`."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [text(320, 48, 32, 1, rng) for _ in range(16)]
    flips = [text(192, 48, 32, 1, rng) for _ in range(16)]
    speech = [voice(26000, rng) for _ in range(16)]
    paths = [path for ending in (".py", ".so", ".png", ".md", ".json", ".pyc", ".npy", ".toml") for path in some_files(ending)]
    np.save(folder / "lines.npy", np.stack(lines) * 2 - 1)
    np.save(folder / "flips.npy", np.stack([x[:, ::-1, ::-1] if i % 2 else x for i, x in enumerate(flips)]) * 2 - 1)
    np.save(folder / "pages.npy", (np.stack([text(128, 128, 20, 4, rng) for _ in range(8)]) - 0.45) / 0.225)
    np.save(folder / "gray_lines.npy", np.stack([text(160, 64, 44, 1, rng).mean(0, keepdims=True) for _ in range(16)]) * 2 - 1)
    if all((packages / name).exists() for name, *_ in FACES):
        np.save(folder / "faces.npy", faces(packages))
    np.save(folder / "files.npy", np.stack([file_bytes(path) for path in paths]))
    np.save(folder / "voice.npy", np.stack([x[8000:8576] for x in speech]))
    np.save(folder / "chunks.npy", np.stack([x[8064:8576] for x in speech]))
    np.save(folder / "windows.npy", np.stack([np.lib.stride_tricks.sliding_window_view(x, 576)[::512][:24] for x in speech[:8]]))
    np.save(folder / "pitch.npy", np.stack([(x := y[9000:10024]) / x.std() for y in speech]))
    np.save(folder / "mels.npy", np.stack([mels(x) for x in speech]))
    np.save(folder / "music.npy", np.stack([voice(43844, rng)[:, None] for _ in range(4)]))


def some_files(ending: str) -> list[Path]:
    """Two files of the Python installation."""
    found = sorted(path for part in sys.path if part for path in Path(part).glob(f"*/**/*{ending}") if path.stat().st_size > 2048)
    return found[:1] + found[-1:]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(os.environ.get("ERLANGEN_PYPI_MODELS", ".")))
