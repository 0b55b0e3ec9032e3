"""A tokenizer with one token per character (Unicode code point) of an alphabet."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from erlangen.errors import DamagedFileError, ErlangenError

CHUNK = 1 << 16  # characters
NAMED = 5  # unknown characters that an error message names


@dataclass(frozen=True)
class CharacterTokenizer:
    """Character alphabet[i] <-> token i.

    alphabet: distinct characters, sorted by code point. Raises ValueError if they are unsorted, repeated or missing.
    """

    KIND: ClassVar[str] = "characters"
    alphabet: str

    def __post_init__(self) -> None:
        if not self.alphabet or list(self.alphabet) != sorted(set(self.alphabet)):
            raise ValueError(f"CharacterTokenizer: the alphabet must be distinct sorted characters, but is {self.alphabet!r:.80}")

    @classmethod
    def of(cls, text: str) -> CharacterTokenizer:
        """The tokenizer whose alphabet is the characters of `text`."""
        return cls("".join(sorted(set(text))))

    @property
    def size(self) -> int:
        """The number of tokens in the vocabulary."""
        return len(self.alphabet)

    @property
    def bytes_per_token(self) -> Tensor:
        """UTF-8 bytes of each character, (size,) int64."""
        return torch.tensor([len(character.encode("utf-8", "surrogatepass")) for character in self.alphabet])  # (size,)

    def encode(self, text: str) -> Tensor:
        """The tokens of a text, one per character, (n,) int64.

        Raises ErlangenError, which names the characters that are not in the alphabet.
        """
        table, tokens = _tokens(self.alphabet), np.empty(len(text), dtype=np.int64)  # (n,)
        for at in range(0, len(text), CHUNK):  # chunks small enough that intermediate results stay in the CPU's cache
            np.take(table, _code_points(text[at : at + CHUNK]), mode="clip", out=tokens[at : at + CHUNK])
        if len(tokens) and tokens.min() < 0:
            unknown = sorted(set(text) - set(self.alphabet))
            more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
            raise ErlangenError(
                f"the text has characters that this tokenizer lacks: {', '.join(map(_named, unknown[:NAMED]))}{more}: "
                f"remove them, or train on text that has them"
            )
        return torch.from_numpy(tokens)

    def decode(self, tokens: Tensor | Sequence[int]) -> str:
        """The text of tokens (n,). Raises ValueError for a token outside 0 .. size - 1."""
        index = torch.as_tensor(tokens, dtype=torch.int64).cpu().numpy()  # (n,)
        if index.size and not 0 <= index.min() <= index.max() < self.size:
            raise ValueError(f"decode: the tokens range from {index.min()} to {index.max()}, but the vocabulary has {self.size}")
        text: str = _code_points(self.alphabet)[index].tobytes().decode("utf-32-le", "surrogatepass")
        return text

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.KIND, "alphabet": self.alphabet}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> CharacterTokenizer:
        """The tokenizer that `to_json` wrote. Raises DamagedFileError if the alphabet is missing or invalid."""
        alphabet = data.get("alphabet")
        try:
            if isinstance(alphabet, str):
                return cls(alphabet)
        except ValueError:
            pass
        raise DamagedFileError(f"the tokenizer's alphabet is {alphabet!r:.40}, not distinct sorted characters")


def _code_points(text: str) -> np.ndarray:
    """The code points of a text, (n,) unsigned 32-bit, little-endian on every machine."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


@lru_cache(maxsize=8)
def _tokens(alphabet: str) -> np.ndarray:
    """The token of each code point, (max + 2,) int64; -1 if it has none. The last entry is for all larger code points."""
    known = _code_points(alphabet)
    table = np.full(int(known.max()) + 2, -1, dtype=np.int64)
    table[known] = np.arange(len(known))
    return table


def _named(character: str) -> str:
    """A character written as `'é' (U+00E9)`, with its Unicode name if it is invisible."""
    name = "" if character.isprintable() and character != " " else unicodedata.name(character, "")
    return f"{character!r} (U+{ord(character):04X}{', ' + name if name else ''})"
