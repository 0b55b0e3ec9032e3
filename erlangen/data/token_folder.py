"""A folder of tokens as nanoGPT writes them: train.bin and val.bin, raw uint16, or .npy; as memory maps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from erlangen.data.bpe import GPT2Tokenizer
from erlangen.data.corpus import CHARACTERS, Corpus
from erlangen.data.files import DataError
from erlangen.data.tokenizer import Tokenizer, tokenizer_from_json
from erlangen.errors import DamagedFileError

META = "tokenizer-erlangen.json"  # beside train.bin: what `Tokenizer.to_json` gave


def folder_corpus(folder: Path, *, block: int, tokenizer: str | Tokenizer = CHARACTERS) -> Corpus:
    """train, val and, if there, test in `folder`, each .bin (raw uint16) or .npy, memory-mapped.

    Without a test file the second half of val is the test, after a gap. The tokenizer is what `META` holds, else byte-pair
    encoding from `tokenizer`, else from the folder's own files; nanoGPT's meta.pkl is a pickle and is not read.
    Raises DataError for what is missing or too short, DamagedFileError for tokens that the vocabulary lacks.
    """
    found = {part: _part(folder, part) for part in ("train", "val", "test")}
    train, val, test = (None if path is None else memory_mapped(path) for path in found.values())
    if train is None or val is None:
        raise DataError(f"{folder}: no {'val' if train is not None else 'train'}.bin or .npy: give a folder that has both")
    chosen = _folder_tokenizer(folder, tokenizer)
    for path in filter(None, found.values()):
        array = memory_mapped(path).numpy()  # torch has no maximum of uint16
        for token in (int(array.min()), int(array.max())):
            if not 0 <= token < chosen.size:
                raise DamagedFileError(
                    f"{path}: token {token}, the tokenizer has {chosen.size}: it is not the one this was made with"
                )
    half = len(val) // 2
    val, test = (val[:half], val[half + block :]) if test is None else (val, test)
    for part, tokens in (("train", train), ("val", val), ("test", test)):
        if len(tokens) < block + 1:
            raise DataError(
                f"{folder}: {len(tokens)} tokens in {part}: windows of {block} need {block + 1}: choose a smaller block"
            )
    return Corpus(name=folder.name, tokenizer=chosen, train=train, validation=val, test=test)


def memory_mapped(path: Path) -> Tensor:
    """The integers (n,) of a .npy file, or of raw little-endian uint16 under any other name, as they lie on the disk.

    Nothing is read before it is used, nothing that is written to the tensor reaches the file. Raises DataError where it is
    missing or empty, DamagedFileError for an odd number of bytes, and for a .npy of anything else.
    """
    try:
        if path.suffix == ".npy":
            array = np.load(path, mmap_mode="c", allow_pickle=False)
        elif path.stat().st_size % 2:
            raise DamagedFileError(f"{path}: {path.stat().st_size} bytes, an odd number, are no uint16: write it again")
        else:
            array = np.memmap(path, dtype="<u2", mode="c") if path.stat().st_size else np.empty(0, dtype=np.uint16)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}: give a file of tokens") from error
    except (ValueError, EOFError) as error:
        raise DamagedFileError(f"{path}: not a .npy of numbers: {str(error).splitlines()[0][:80]}: write it again") from error
    if array.ndim != 1 or array.dtype.kind not in "iu" or not array.dtype.isnative:
        raise DamagedFileError(f"{path}: {array.dtype} of shape {array.shape}, expected a row of integers: write it again")
    if not len(array):
        raise DataError(f"{path}: empty: give a file with tokens in it")
    return torch.from_numpy(array)


def _part(folder: Path, part: str) -> Path | None:
    return next((path for path in (folder / f"{part}.bin", folder / f"{part}.npy") if path.is_file()), None)


def _folder_tokenizer(folder: Path, tokenizer: str | Tokenizer) -> Tokenizer:
    """The folder's own; a tokenizer that is there already has to be that one."""
    if not (folder / META).is_file():
        if not isinstance(tokenizer, str):
            return tokenizer
        return GPT2Tokenizer.read(folder if tokenizer == CHARACTERS else tokenizer)
    try:
        own = tokenizer_from_json(json.loads((folder / META).read_text(encoding="utf-8")))
    except (OSError, ValueError, DamagedFileError) as error:
        raise DamagedFileError(f"{folder / META}: {str(error).splitlines()[0][:120]}: write it again") from error
    if not isinstance(tokenizer, str) and own.to_json() != tokenizer.to_json():
        raise DataError(f"{folder}: its tokens were made by another tokenizer than the weights': make them anew with theirs")
    return own
