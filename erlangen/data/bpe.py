"""GPT-2's byte-pair encoding from files on this machine, run by the library `tokenizers` (the extra `gpt`).

A byte-level encoding: each byte of the UTF-8 text is one of 256 printable characters, which merges join into tokens, so that
every text has one. Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.2.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from erlangen.data.files import DataError
from erlangen.errors import DamagedFileError, ErlangenError

if TYPE_CHECKING:
    import tokenizers

END_OF_TEXT = "<|endoftext|>"
ONE, TWO = "tokenizer.json", ("vocab.json", "merges.txt")


@dataclass(frozen=True)
class GPT2Tokenizer:
    """definition: the text of a tokenizer.json. Built on first use; `read` and `from_json` do so at once."""

    KIND: ClassVar[str] = "byte-pair encoding"
    definition: str

    @classmethod
    def read(cls, path: Path | str) -> GPT2Tokenizer:
        """From a tokenizer.json, from vocab.json with merges.txt, or from a folder with either; any of the files names both.

        Raises DataError where they are missing, DamagedFileError where they are broken or of no byte-level encoding,
        ErlangenError where the library is.
        """
        path = Path(path)
        folder = path if path.is_dir() else path.parent
        if path.is_file() and path.name not in TWO:
            return _checked(cls(_content(path)), str(path))
        if path.is_dir() and (folder / ONE).is_file():
            return _checked(cls(_content(folder / ONE)), str(folder / ONE))
        if not path.exists() or not all((folder / name).is_file() for name in TWO):
            raise DataError(f"{path}: no tokenizer: give a {ONE}, or a folder with {TWO[0]} and {TWO[1]}")
        return _checked(cls(_joined(folder)), str(folder))

    @cached_property
    def _library(self) -> tokenizers.Tokenizer:
        library: tokenizers.Tokenizer = _imported().Tokenizer.from_str(self.definition)
        library.no_truncation()
        library.no_padding()
        return library

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        return self._library.get_vocab(with_added_tokens=True)

    @property
    def size(self) -> int:
        return max(self._vocabulary.values()) + 1

    @property
    def bytes_per_token(self) -> Tensor:
        """(size,) int64. A token from merges has a character for each byte; an added one, as <|endoftext|>, is UTF-8 text."""
        added = {index: token.content for index, token in self._library.get_added_tokens_decoder().items()}
        lengths = torch.zeros(self.size, dtype=torch.int64)
        for token, index in self._vocabulary.items():
            lengths[index] = len(added[index].encode()) if index in added else len(token)
        return lengths

    def encode(self, text: str) -> Tensor:
        """(n,) int64. The text <|endoftext|> becomes its one token; nothing else is added, before or after."""
        return torch.tensor(self._library.encode(text, add_special_tokens=False).ids, dtype=torch.int64)

    def decode(self, tokens: Tensor | Sequence[int]) -> str:
        """The text of tokens (n,); bytes that are no UTF-8, as a character cut in two, become U+FFFD."""
        index = torch.as_tensor(tokens, dtype=torch.int64).tolist()
        if index and not 0 <= min(index) <= max(index) < self.size:
            raise ValueError(f"decode: tokens from {min(index)} to {max(index)}, the vocabulary has {self.size}")
        return self._library.decode(index, skip_special_tokens=False)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.KIND, "definition": self.definition}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> GPT2Tokenizer:
        """Raises DamagedFileError where the definition is broken, ErlangenError where the library is missing."""
        definition = data.get("definition")
        if not isinstance(definition, str):
            raise DamagedFileError(f"a tokenizer whose definition is {definition!r:.40}, not the text of a {ONE}")
        return _checked(cls(definition), "the tokenizer kept with it")


def _imported() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ErlangenError("byte-pair encoding needs the library tokenizers: pip install 'erlangen[gpt]'") from error
    return tokenizers


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}: give a {ONE}") from error
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"{path}: not UTF-8 at byte {error.start}: get it again") from error


def _joined(folder: Path) -> str:
    """The tokenizer.json that GPT-2's vocab.json and merges.txt amount to."""
    library = _imported()
    try:
        model = library.models.BPE.from_file(*(str(folder / name) for name in TWO))
    except Exception as error:  # the library raises a bare Exception
        raise DamagedFileError(f"{folder}: {TWO[0]} and {TWO[1]} cannot be read: {_line(error)}: get them again") from error
    tokenizer = library.Tokenizer(model)
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    if tokenizer.token_to_id(END_OF_TEXT) is not None:
        tokenizer.add_special_tokens([END_OF_TEXT])
    text: str = tokenizer.to_str()
    return text


def _checked(tokenizer: GPT2Tokenizer, where: str) -> GPT2Tokenizer:
    """It, built, if it gives back every text as it was."""
    try:
        parts = json.loads(tokenizer.definition)
        size = len(tokenizer._vocabulary)
    except ErlangenError:
        raise
    except Exception as error:
        raise DamagedFileError(f"{where}: not a {ONE}: {_line(error)}: get it again") from error
    steps = parts.get("pre_tokenizer") or {}
    bytewise = [step for step in steps.get("pretokenizers", [steps]) if step.get("type") == "ByteLevel"]
    lossless = parts.get("normalizer") is None and bytewise and not any(step.get("add_prefix_space") for step in bytewise)
    if not lossless or not size or parts.get("model", {}).get("type") != "BPE":
        raise DamagedFileError(f"{where}: not a byte-level BPE that keeps the text as it is, as GPT-2's: give GPT-2's files")
    return tokenizer


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
