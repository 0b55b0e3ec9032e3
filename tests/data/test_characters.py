"""A token a character: there and back for every text, and clear words for characters that are not in the alphabet."""

import json

import pytest
import torch
from hypothesis import given, strategies as st

from erlangen.data.characters import CHUNK, CharacterTokenizer
from erlangen.data.tokenizer import tokenizer_from_json
from erlangen.errors import DamagedFileError, ErlangenError

texts = st.text(st.characters(codec=None), min_size=1)


@given(texts)
def test_there_and_back(text: str) -> None:
    tokenizer = CharacterTokenizer.of(text)
    tokens = tokenizer.encode(text)
    assert tokens.dtype == torch.int64
    assert tokens.shape == (len(text),)
    assert tokenizer.decode(tokens) == tokenizer.decode(tokens.tolist()) == text


@given(texts)
def test_tokens_are_places_in_the_sorted_alphabet(text: str) -> None:
    order = sorted(set(text))
    tokenizer = CharacterTokenizer.of(text)
    assert tokenizer.alphabet == "".join(order)
    assert tokenizer.size == len(order)
    assert tokenizer.encode(text).tolist() == [order.index(character) for character in text]


@given(st.text(min_size=1))
def test_bytes_of_the_tokens_add_up_to_the_texts(text: str) -> None:
    tokenizer = CharacterTokenizer.of(text)
    assert tokenizer.bytes_per_token[tokenizer.encode(text)].sum() == len(text.encode())


@given(texts)
def test_json_keeps_it(text: str) -> None:
    tokenizer = CharacterTokenizer.of(text)
    assert tokenizer_from_json(json.loads(json.dumps(tokenizer.to_json()))) == tokenizer


def test_long_texts_and_empty_ones() -> None:
    tokenizer = CharacterTokenizer("abc")
    text = "abcb" * CHUNK + "a"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode("").shape == (0,)
    assert tokenizer.decode([]) == ""


@given(texts, texts)
def test_unknown_characters_are_refused_and_no_others(alphabet: str, text: str) -> None:
    tokenizer, unknown = CharacterTokenizer.of(alphabet), sorted(set(text) - set(alphabet))
    if not unknown:
        assert tokenizer.decode(tokenizer.encode(text)) == text
        return
    with pytest.raises(ErlangenError) as caught:
        tokenizer.encode(text)
    assert len(str(caught.value).splitlines()) == 1
    assert all(f"U+{ord(character):04X}" in str(caught.value) for character in unknown[:5])


def test_unknown_characters_are_named() -> None:
    with pytest.raises(ErlangenError, match=r"lacks: '\\xa0' \(U\+00A0, NO-BREAK SPACE\), 'é' \(U\+00E9\): ") as caught:
        CharacterTokenizer("abc").encode("abécéab\xa0")
    assert caught.value.exit_code == 2
    with pytest.raises(ErlangenError, match=r"'4' \(U\+0034\) and 5 more"):
        CharacterTokenizer("abc").encode("0123456789")


@pytest.mark.parametrize("tokens", [[3], [-1], [0, 1, 99]])
def test_tokens_outside_the_vocabulary_are_refused(tokens: list[int]) -> None:
    with pytest.raises(ValueError, match="the vocabulary has 3"):
        CharacterTokenizer("abc").decode(tokens)


@pytest.mark.parametrize("alphabet", ["", "ba", "aab"])
def test_an_alphabet_is_sorted_and_distinct(alphabet: str) -> None:
    with pytest.raises(ValueError, match="distinct sorted characters"):
        CharacterTokenizer(alphabet)


@pytest.mark.parametrize(
    "data",
    [
        *(None, [], {}, {"kind": "words"}, {"kind": ["characters"]}, {"kind": "characters"}, {"kind": "byte-pair encoding"}),
        *({"kind": "characters", "alphabet": alphabet} for alphabet in ("ba", "", ["a", "b"], 7)),
    ],
)
def test_damaged_json_is_refused(data: object) -> None:
    with pytest.raises(DamagedFileError, match="tokenizer"):
        tokenizer_from_json(data)
