"""A folder of tokens as nanoGPT writes it, memory-mapped: train.bin and val.bin in raw uint16, or .npy files."""

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

META = "tokenizer-erlangen.json"  # beside train.bin: the JSON of `Tokenizer.to_json`


def folder_corpus(folder: Path, *, block: int, tokenizer: str | Tokenizer = CHARACTERS) -> Corpus:
    """The files train, val and, if present, test in `folder`, each .bin (raw uint16) or .npy, memory-mapped.

    Without a test file, the second half of val, after a gap, is the test part. The tokenizer is read from the file `META`, or
    else from the byte-pair encoding files that `tokenizer` names, or else from such files in the folder; nanoGPT's meta.pkl is a
    pickle and is not read.
    Raises DataError if a file is missing or too short, DamagedFileError for tokens that are not in the vocabulary.
    """
    files = {part: _part(folder, part) for part in ("train", "val", "test")}
    train, val, test = (None if path is None else memory_mapped(path) for path in files.values())
    if train is None or val is None:
        raise DataError(
            f"{folder} has no {'val' if train is not None else 'train'}.bin or .npy: give a folder that has train and val"
        )
    chosen = _folder_tokenizer(folder, tokenizer)
    for path in filter(None, files.values()):
        array = memory_mapped(path).numpy()  # torch has no maximum of uint16
        for token in (int(array.min()), int(array.max())):
            if not 0 <= token < chosen.size:
                raise DamagedFileError(
                    f"{path} holds token {token}, but the tokenizer has {chosen.size} tokens: use the tokenizer that made it"
                )
    half = len(val) // 2
    val, test = (val[:half], val[half + block :]) if test is None else (val, test)
    for part, tokens in (("train", train), ("val", val), ("test", test)):
        if len(tokens) < block + 1:
            raise DataError(
                f"{folder}: {part} has {len(tokens)} tokens, but windows of {block} need {block + 1}: choose a smaller block"
            )
    return Corpus(name=folder.name, tokenizer=chosen, train=train, validation=val, test=test)


def memory_mapped(path: Path) -> Tensor:
    """The integers (n,) of a .npy file, or of a file with any other name in raw little-endian uint16, memory-mapped.

    Data are read when they are used; writing to the tensor does not change the file. Raises DataError if the file is missing or
    empty, DamagedFileError for an odd number of bytes or a .npy file of anything else.
    """
    try:
        if path.suffix == ".npy":
            array = np.load(path, mmap_mode="c", allow_pickle=False)
        elif path.stat().st_size % 2:
            raise DamagedFileError(
                f"{path} has {path.stat().st_size} bytes, an odd number, so it is not raw uint16: write it again"
            )
        else:
            array = np.memmap(path, dtype="<u2", mode="c") if path.stat().st_size else np.empty(0, dtype=np.uint16)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}: give a file of tokens") from error
    except (ValueError, EOFError) as error:
        raise DamagedFileError(
            f"{path} is not a .npy file of numbers: {str(error).splitlines()[0][:80]}: write it again"
        ) from error
    if array.ndim != 1 or array.dtype.kind not in "iu" or not array.dtype.isnative:
        raise DamagedFileError(
            f"{path} holds {array.dtype} of shape {array.shape}, but must hold a row of integers: write it again"
        )
    if not len(array):
        raise DataError(f"{path} is empty: give a file that has tokens")
    return torch.from_numpy(array)


def _part(folder: Path, part: str) -> Path | None:
    return next((path for path in (folder / f"{part}.bin", folder / f"{part}.npy") if path.is_file()), None)


def _folder_tokenizer(folder: Path, tokenizer: str | Tokenizer) -> Tokenizer:
    """The tokenizer of the folder; if `tokenizer` is already a tokenizer, it must be the same one."""
    if not (folder / META).is_file():
        if not isinstance(tokenizer, str):
            return tokenizer
        return GPT2Tokenizer.read(folder if tokenizer == CHARACTERS else tokenizer)
    try:
        stored = tokenizer_from_json(json.loads((folder / META).read_text(encoding="utf-8")))
    except (OSError, ValueError, DamagedFileError) as error:
        raise DamagedFileError(f"{folder / META}: {str(error).splitlines()[0][:120]}: write it again") from error
    if not isinstance(tokenizer, str) and stored.to_json() != tokenizer.to_json():
        raise DataError(
            f"{folder}: its tokens were made with another tokenizer than that of the weights: tokenize the text again with theirs"
        )
    return stored
