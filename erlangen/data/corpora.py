"""Load a corpus by name: the generated tales, Grimms' Fairy Tales, a text file or a folder of tokens."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from erlangen.data.bpe import GPT2Tokenizer
from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import CHARACTERS, Corpus
from erlangen.data.extent import longest
from erlangen.data.files import DataError
from erlangen.data.grimm import grimm
from erlangen.data.tales import END, GRAMMAR, tales as draw_tales
from erlangen.data.text import read_text, strip_gutenberg
from erlangen.data.token_folder import folder_corpus
from erlangen.data.tokenizer import Tokenizer
from erlangen.errors import ErlangenError

PIECE = 1 << 20  # characters


def load_corpus(
    name: str,
    *,
    block: int,
    tokenizer: str | Tokenizer = CHARACTERS,
    validation: float = 0.05,
    test: float = 0.05,
    tales: int = 50_000,
    seed: int = 0,
) -> Corpus:
    """The corpus called `name`, split into a train, a validation and a test part.

    name: "grimm", "tales" (`tales` of them, drawn with `seed`), the path of a UTF-8 file, or a folder with train.bin and val.bin
    as nanoGPT writes them. block: tokens per window. tokenizer: a tokenizer, "characters" (the characters of the whole text), or
    the path of byte-pair encoding files, see `GPT2Tokenizer.read`. validation, test: these parts' shares of the tokens; for
    tales, of the tales. The header and footer of a Project Gutenberg book are removed.
    Raises DataError if the data are not available or too short, ErlangenError if the shares are not valid.
    """
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise ErlangenError(
            f"validation {validation} and test {test} must be shares of the text: each above 0, and together below 1"
        )
    if name == "tales":
        return _tales(block, tokenizer, validation, test, tales, seed)
    if name == "grimm":
        return _split(name, grimm(), block, tokenizer, validation, test)
    path = Path(name).expanduser()
    if not path.exists():
        raise DataError(f"{name}: there is no such corpus: give tales, grimm, or the path of a file or folder")
    if path.is_dir():
        return folder_corpus(path, block=block, tokenizer=tokenizer)
    return _split(path.stem, strip_gutenberg(read_text(path)), block, tokenizer, validation, test)


def whole_text(name: str, tokenizer: Tokenizer) -> Corpus:
    """A UTF-8 file as a corpus whose only part is `test`. The header and footer of a Project Gutenberg book are removed.

    Raises DataError if the file cannot be read, is too short for a loss, or has characters that the tokenizer lacks.
    """
    path = Path(name).expanduser()
    tokens = _encoded(tokenizer, strip_gutenberg(read_text(path)), name)  # (n,)
    if len(tokens) < 2:
        raise DataError(f"{name}: a loss needs at least two tokens, but the text has {len(tokens)}: give a longer text")
    return Corpus(name=path.stem, tokenizer=tokenizer, train=tokens[:0], validation=tokens[:0], test=tokens)


def _split(name: str, text: str, block: int, tokenizer: str | Tokenizer, validation: float, test: float) -> Corpus:
    chosen = _tokenizer(tokenizer, text)
    tokens = _encoded(chosen, text, name)  # (n,)
    kept = len(tokens) - 2 * block
    n_validation, n_test = int(kept * validation), int(kept * test)
    n_train = kept - n_validation - n_test
    if min(n_train, n_validation, n_test) < block + 1:
        raise DataError(
            f"{name}: {len(tokens)} tokens are too few for windows of {block}: after two gaps of {block} they leave "
            f"{max(n_train, 0)} for training, {max(n_validation, 0)} for validation and {max(n_test, 0)} for the test, and each "
            f"part needs {block + 1}: choose a longer text or a smaller block"
        )
    after = n_train + block
    return Corpus(
        name=name,
        tokenizer=chosen,
        train=tokens[:n_train],
        validation=tokens[after : after + n_validation],
        test=tokens[after + n_validation + block :],
    )


def _tales(block: int, tokenizer: str | Tokenizer, validation: float, test: float, n: int, seed: int) -> Corpus:
    """Whole tales in each part; each part is drawn with its own seed."""
    if tokenizer != CHARACTERS and not isinstance(tokenizer, CharacterTokenizer):
        of = tokenizer if isinstance(tokenizer, str) else "another kind"
        raise ErlangenError(
            f"tales: the entropy floor is known for characters, not for the tokens of {of}: use the tokenizer 'characters'"
        )
    most = longest(GRAMMAR)
    if most > block:
        raise DataError(
            f"tales: windows of {block} cannot hold the longest tale, which has {most} characters: choose a block of at "
            f"least {most}"
        )
    n_validation, n_test = int(n * validation), int(n * test)
    numbers = (n - n_validation - n_test, n_validation, n_test)
    if min(numbers) < 2:
        raise DataError(
            f"tales: {n} are too few for a validation share of {validation} and a test share of {test}: each part needs at "
            f"least two tales: draw more"
        )
    texts = [draw_tales(number, 3 * seed + part) for part, number in enumerate(numbers)]
    chosen = _tokenizer(tokenizer, "".join(texts))
    parts = [_encoded(chosen, text, "tales") for text in texts]
    end = chosen.encode(END)
    ends = [torch.nonzero(part == end).squeeze(1) for part in parts]  # (tales,) each
    starts = [torch.cat([torch.zeros(1, dtype=torch.int64), at[:-1] + 1]) for at in ends]
    return Corpus(
        name="tales",
        tokenizer=chosen,
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        train_starts=ends[0][:-1],
        validation_starts=starts[1],
        test_starts=starts[2],
    )


def _tokenizer(tokenizer: str | Tokenizer, text: str) -> Tokenizer:
    if not isinstance(tokenizer, str):
        return tokenizer
    return CharacterTokenizer.of(text) if tokenizer == CHARACTERS else GPT2Tokenizer.read(tokenizer)


def _encoded(tokenizer: Tokenizer, text: str, name: str) -> Tensor:
    """The tokens (n,) of a text in uint8, int16 or int32: the smallest that holds the vocabulary (uint16 has few operations).

    Raises DataError, which names the corpus, for characters that the tokenizer lacks.
    """
    largest = tokenizer.size - 1
    dtype = next(dtype for dtype in (torch.uint8, torch.int16, torch.int32) if largest <= torch.iinfo(dtype).max)
    if not isinstance(tokenizer, CharacterTokenizer):
        return tokenizer.encode(text).to(dtype)
    try:  # piece by piece, because int64 takes eight times the memory of the text
        return torch.cat([tokenizer.encode(text[at : at + PIECE]).to(dtype) for at in range(0, len(text), PIECE)])
    except ErlangenError as error:
        raise DataError(f"{name}: {error}") from None
