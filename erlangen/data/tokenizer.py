"""The interface of a tokenizer, and a tokenizer restored from the JSON in a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from erlangen.errors import DamagedFileError


class Tokenizer(Protocol):
    """Converts text to tokens 0 .. size - 1 and back. `decode(encode(text)) == text` for every text that it can encode."""

    @property
    def size(self) -> int:
        """The number of tokens in the vocabulary."""
        ...

    @property
    def bytes_per_token(self) -> Tensor:
        """UTF-8 bytes of each token, (size,) int64. Over the tokens of a text they add up to the bytes of the text."""
        ...

    def encode(self, text: str) -> Tensor:
        """The tokens of a text, (n,) int64. Raises ErlangenError if a character has no token."""
        ...

    def decode(self, tokens: Tensor | Sequence[int]) -> str:
        """The text of tokens (n,)."""
        ...

    def to_json(self) -> dict[str, Any]:
        """The JSON from which `tokenizer_from_json` restores the tokenizer."""
        ...


def tokenizer_from_json(data: object) -> Tokenizer:
    """The tokenizer whose `to_json` is `data`. Raises DamagedFileError if it is not valid; the caller adds the file's name."""
    from erlangen.data.bpe import GPT2Tokenizer
    from erlangen.data.characters import CharacterTokenizer

    data = data if isinstance(data, dict) else {}
    kind = data.get("kind")
    if kind == CharacterTokenizer.KIND:
        return CharacterTokenizer.from_json(data)
    if kind == GPT2Tokenizer.KIND:
        return GPT2Tokenizer.from_json(data)
    raise DamagedFileError(
        f"the tokenizer's kind is {kind!r:.40}, but must be {CharacterTokenizer.KIND!r} or {GPT2Tokenizer.KIND!r}"
    )
