"""GPT-2's byte-pair encoding, read from local files and run by the library `tokenizers` (the extra `gpt`).

The encoding works on bytes: each byte of the UTF-8 text is written as one of 256 printable characters, and merges join these into
tokens, so every text can be encoded. Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019,
section 2.2.
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
SINGLE_FILE, FILE_PAIR = "tokenizer.json", ("vocab.json", "merges.txt")


@dataclass(frozen=True)
class GPT2Tokenizer:
    """A byte-pair encoding. definition: the text of a tokenizer.json.

    The tokenizer is built when it is first used; `read` and `from_json` build it at once.
    """

    KIND: ClassVar[str] = "byte-pair encoding"
    definition: str

    @classmethod
    def read(cls, path: Path | str) -> GPT2Tokenizer:
        """Read a tokenizer.json, a vocab.json with its merges.txt, or a folder that has either.

        path: the folder or any of these files; naming vocab.json or merges.txt reads both.
        Raises DataError if the files are missing, DamagedFileError if they are broken or do not define a byte-level encoding, and
        ErlangenError if the library is missing.
        """
        path = Path(path)
        folder = path if path.is_dir() else path.parent
        if path.is_file() and path.name not in FILE_PAIR:
            return _checked(cls(_content(path)), str(path))
        if path.is_dir() and (folder / SINGLE_FILE).is_file():
            return _checked(cls(_content(folder / SINGLE_FILE)), str(folder / SINGLE_FILE))
        if not path.exists() or not all((folder / name).is_file() for name in FILE_PAIR):
            raise DataError(
                f"{path}: there is no tokenizer here: give a {SINGLE_FILE}, or a folder with {FILE_PAIR[0]} and {FILE_PAIR[1]}"
            )
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
        """The number of tokens in the vocabulary."""
        return max(self._vocabulary.values()) + 1

    @property
    def bytes_per_token(self) -> Tensor:
        """UTF-8 bytes of each token, (size,) int64.

        A token made by merges has one character per byte; an added token such as <|endoftext|> is stored as text.
        """
        added = {index: token.content for index, token in self._library.get_added_tokens_decoder().items()}
        lengths = torch.zeros(self.size, dtype=torch.int64)
        for token, index in self._vocabulary.items():
            lengths[index] = len(added[index].encode()) if index in added else len(token)
        return lengths

    def encode(self, text: str) -> Tensor:
        """The tokens of a text, (n,) int64. <|endoftext|> becomes a single token; nothing is added before or after the text."""
        return torch.tensor(self._library.encode(text, add_special_tokens=False).ids, dtype=torch.int64)

    def decode(self, tokens: Tensor | Sequence[int]) -> str:
        """The text of tokens (n,). Bytes that are not valid UTF-8, such as half a character, become U+FFFD.

        Raises ValueError for a token outside 0 .. size - 1.
        """
        index = torch.as_tensor(tokens, dtype=torch.int64).tolist()
        if index and not 0 <= min(index) <= max(index) < self.size:
            raise ValueError(f"decode: the tokens range from {min(index)} to {max(index)}, but the vocabulary has {self.size}")
        return self._library.decode(index, skip_special_tokens=False)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.KIND, "definition": self.definition}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> GPT2Tokenizer:
        """The tokenizer that `to_json` wrote.

        Raises DamagedFileError if the definition is broken, ErlangenError if the library is missing.
        """
        definition = data.get("definition")
        if not isinstance(definition, str):
            raise DamagedFileError(f"the tokenizer's definition is {definition!r:.40}, not the text of a {SINGLE_FILE}")
        return _checked(cls(definition), "its tokenizer")


def _imported() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ErlangenError("byte-pair encoding needs the tokenizers library: pip install tokenizers") from error
    return tokenizers


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}: give a {SINGLE_FILE}") from error
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"{path}: the file is not valid UTF-8 at byte {error.start}: download it again") from error


def _joined(folder: Path) -> str:
    """A tokenizer.json equivalent to GPT-2's vocab.json and merges.txt."""
    library = _imported()
    try:
        model = library.models.BPE.from_file(*(str(folder / name) for name in FILE_PAIR))
    except Exception as error:  # the library raises a bare Exception
        raise DamagedFileError(
            f"{folder}: {FILE_PAIR[0]} and {FILE_PAIR[1]} cannot be read: {_line(error)}: download them again"
        ) from error
    tokenizer = library.Tokenizer(model)
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    if tokenizer.token_to_id(END_OF_TEXT) is not None:
        tokenizer.add_special_tokens([END_OF_TEXT])
    text: str = tokenizer.to_str()
    return text


def _checked(tokenizer: GPT2Tokenizer, where: str) -> GPT2Tokenizer:
    """The tokenizer, built, provided that it returns every text unchanged."""
    try:
        parts = json.loads(tokenizer.definition)
        size = len(tokenizer._vocabulary)
    except ErlangenError:
        raise
    except Exception as error:
        raise DamagedFileError(f"{where} is not a valid {SINGLE_FILE}: {_line(error)}: download it again") from error
    steps = parts.get("pre_tokenizer") or {}
    bytewise = [step for step in steps.get("pretokenizers", [steps]) if step.get("type") == "ByteLevel"]
    lossless = parts.get("normalizer") is None and bytewise and not any(step.get("add_prefix_space") for step in bytewise)
    if not lossless or not size or parts.get("model", {}).get("type") != "BPE":
        raise DamagedFileError(
            f"{where} is not a byte-level BPE that keeps the text unchanged, as GPT-2's does: give GPT-2's files"
        )
    return tokenizer


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
