"""Byte-pair encoding made here by the library itself, read as users have it, against transformers' reading of the same files."""

import json
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, strategies as st

from erlangen.data.bpe import END_OF_TEXT, GPT2Tokenizer
from erlangen.data.files import DataError
from erlangen.data.tokenizer import tokenizer_from_json
from erlangen.errors import DamagedFileError, ErlangenError

tokenizers = pytest.importorskip("tokenizers")

TRAINING = ["the king's daughter said that she would, and the king said no;  then the fox said: “café”\n\nThe end.\n"] * 3
TEXTS = [
    "",
    "the king's daughter",
    "  The fox\n\n said:\tcafé, 漢字 🦊\r\n",
    f"the end{END_OF_TEXT}the fox",
    "   ",
    "don't 123 DON'T",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vocab.json, merges.txt and, in whole/, tokenizer.json."""
    place = tmp_path_factory.mktemp("bpe")
    made = tokenizers.ByteLevelBPETokenizer()
    made.train_from_iterator(TRAINING, vocab_size=300, min_frequency=2, special_tokens=[END_OF_TEXT], show_progress=False)
    made.save_model(str(place))
    (place / "whole").mkdir()
    made.save(str(place / "whole" / "tokenizer.json"))
    return place


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> GPT2Tokenizer:
    return GPT2Tokenizer.read(folder)


@pytest.mark.parametrize("text", TEXTS)
def test_equal_to_transformers(folder: Path, tokenizer: GPT2Tokenizer, text: str) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.GPT2TokenizerFast(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))
    tokens = tokenizer.encode(text)
    assert tokens.tolist() == theirs(text)["input_ids"]
    assert tokens.dtype == torch.int64
    assert tokenizer.decode(tokens) == theirs.decode(tokens, clean_up_tokenization_spaces=False)
    assert tokenizer.size == len(theirs) == 300


def test_merges_are_used(tokenizer: GPT2Tokenizer) -> None:
    assert len(tokenizer.encode("the king said")) < 8


@given(text=st.text())
def test_there_and_back_with_bytes_that_add_up(tokenizer: GPT2Tokenizer, text: str) -> None:
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text
    assert tokenizer.bytes_per_token[tokens].sum() == len(text.encode())


def test_the_end_of_text_is_one_token_of_thirteen_bytes(tokenizer: GPT2Tokenizer) -> None:
    tokens = tokenizer.encode(f"a{END_OF_TEXT}b")
    assert len(tokens) == 3
    assert tokenizer.bytes_per_token[tokens].tolist() == [1, 13, 1]


def test_an_added_token_counts_the_bytes_of_its_text(tokenizer: GPT2Tokenizer) -> None:
    library = tokenizers.Tokenizer.from_str(tokenizer.definition)
    library.add_special_tokens(["⁂fin"])
    larger = GPT2Tokenizer(library.to_str())
    tokens = larger.encode("é⁂fin")
    assert tokens[-1] == larger.size - 1 == 300
    assert larger.bytes_per_token[tokens].sum() == len("é⁂fin".encode()) == 8


@pytest.mark.parametrize("where", [".", "vocab.json", "merges.txt", "whole", "whole/tokenizer.json"])
def test_all_ways_to_name_it_are_one(folder: Path, tokenizer: GPT2Tokenizer, where: str) -> None:
    read = GPT2Tokenizer.read(folder / where)
    for text in TEXTS:
        assert read.encode(text).tolist() == tokenizer.encode(text).tolist()


def test_json_keeps_it(tokenizer: GPT2Tokenizer) -> None:
    again = tokenizer_from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert again == tokenizer
    assert again.encode(TEXTS[2]).tolist() == tokenizer.encode(TEXTS[2]).tolist()


def test_a_stored_limit_does_not_cut(folder: Path, tmp_path: Path) -> None:
    library = tokenizers.Tokenizer.from_file(str(folder / "whole" / "tokenizer.json"))
    library.enable_truncation(4)
    library.enable_padding(length=64)
    library.save(str(tmp_path / "tokenizer.json"))
    read = GPT2Tokenizer.read(tmp_path)
    assert read.decode(read.encode(TRAINING[0])) == TRAINING[0]


@pytest.mark.parametrize("token", [-1, 300])
def test_tokens_outside_the_vocabulary_are_refused(tokenizer: GPT2Tokenizer, token: int) -> None:
    with pytest.raises(ValueError, match="the vocabulary has 300"):
        tokenizer.decode([0, token])


def test_missing_files_are_named(folder: Path, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no.json"):
        with pytest.raises(DataError, match=f"{path.name}: there is no tokenizer here: give a tokenizer.json"):
            GPT2Tokenizer.read(path)
    (tmp_path / "vocab.json").write_bytes((folder / "vocab.json").read_bytes())
    with pytest.raises(DataError, match=r"vocab\.json and merges\.txt"):
        GPT2Tokenizer.read(tmp_path / "vocab.json")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"not json", b"\xff", b'{"version": "1.0", "model": {"type": "BPE"}}'])
def test_broken_files_are_refused_in_one_line(folder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "merges.txt").write_bytes((folder / "merges.txt").read_bytes())
    (tmp_path / "two" / "vocab.json").write_bytes(content)
    for path in (tmp_path, tmp_path / "two"):
        with pytest.raises(DamagedFileError) as caught:
            GPT2Tokenizer.read(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("change", ["words", "normalizer", "prefix space", "whitespace"])
def test_an_encoding_that_loses_text_is_refused(folder: Path, change: str) -> None:
    library = tokenizers.Tokenizer.from_file(str(folder / "whole" / "tokenizer.json"))
    if change == "words":
        library.model = tokenizers.models.WordLevel({"a": 0}, unk_token="a")
    if change == "normalizer":
        library.normalizer = tokenizers.normalizers.Lowercase()
    if change == "prefix space":
        library.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    if change == "whitespace":
        library.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    with pytest.raises(DamagedFileError, match="not a byte-level BPE"):
        tokenizer_from_json({"kind": GPT2Tokenizer.KIND, "definition": library.to_str()})


def test_without_the_library_it_is_said_how_to_install_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    for path in (folder, folder / "whole"):
        with pytest.raises(ErlangenError, match=r"pip install tokenizers"):
            GPT2Tokenizer.read(path)
