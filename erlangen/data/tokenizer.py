"""What a tokenizer is, and one made again from the JSON that a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from erlangen.errors import DamagedFileError


class Tokenizer(Protocol):
    """Text to tokens 0 .. size - 1 and back. `decode(encode(text)) == text` for every text that it can encode."""

    @property
    def size(self) -> int:
        """Tokens in the vocabulary."""
        ...

    @property
    def bytes_per_token(self) -> Tensor:
        """(size,) int64: UTF-8 bytes that each token stands for; over the tokens of a text they add up to the text's."""
        ...

    def encode(self, text: str) -> Tensor:
        """(n,) int64. Raises ErlangenError where a character has no token."""
        ...

    def decode(self, tokens: Tensor | Sequence[int]) -> str:
        """The text of tokens (n,)."""
        ...

    def to_json(self) -> dict[str, Any]:
        """All that `tokenizer_from_json` needs."""
        ...


def tokenizer_from_json(data: object) -> Tokenizer:
    """The tokenizer whose `to_json` this is. Raises DamagedFileError where it is of none; the caller names the file."""
    from erlangen.data.bpe import GPT2Tokenizer
    from erlangen.data.characters import CharacterTokenizer

    data = data if isinstance(data, dict) else {}
    kind = data.get("kind")
    if kind == CharacterTokenizer.KIND:
        return CharacterTokenizer.from_json(data)
    if kind == GPT2Tokenizer.KIND:
        return GPT2Tokenizer.from_json(data)
    raise DamagedFileError(f"a tokenizer of kind {kind!r:.40}, known are {CharacterTokenizer.KIND!r} and {GPT2Tokenizer.KIND!r}")
