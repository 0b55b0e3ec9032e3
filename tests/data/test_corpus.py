"""Three parts that no window joins, batches that are the text, tokens as they lie on the disk."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

import erlangen.data.corpora
from erlangen.data.bpe import GPT2Tokenizer
from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpora import load_corpus
from erlangen.data.corpus import Corpus, random_starts, windows
from erlangen.data.files import DataError
from erlangen.data.grammar import Grammar
from erlangen.data.token_folder import META, memory_mapped
from erlangen.errors import DamagedFileError, ErlangenError

GRIMM = Path(__file__).resolve().parents[3] / "shared" / "data" / "text" / "grimms_fairy_tales.txt"


def counted(n: int) -> str:
    """n characters, no 12 of them in a row twice."""
    return "".join(f"{i:06d}é\n" for i in range(n // 8 + 1))[:n]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "counted.txt").write_text(counted(4000), encoding="utf-8", newline="")
    return tmp_path / "counted.txt"


@pytest.mark.parametrize("block", [1, 7, 64])
@pytest.mark.parametrize("shares", [(0.05, 0.05), (0.2, 0.1)])
def test_parts_are_contiguous_in_order_and_a_block_apart(file: Path, block: int, shares: tuple[float, float]) -> None:
    corpus = load_corpus(str(file), block=block, validation=shares[0], test=shares[1])
    text = counted(4000)
    parts = [corpus.tokenizer.decode(part) for part in (corpus.train, corpus.validation, corpus.test)]
    at = [text.index(part) for part in parts]
    ends = [start + len(part) for start, part in zip(at, parts, strict=True)]
    assert at[0] == 0
    assert ends[2] == len(text)
    assert at[1] - ends[0] == at[2] - ends[1] == block
    assert len(parts[1]) == int((4000 - 2 * block) * shares[0])
    assert len(parts[2]) == int((4000 - 2 * block) * shares[1])
    assert corpus.name == "counted"
    assert corpus.bytes_of(corpus.test) == len(parts[2].encode())
    assert corpus.train_starts is corpus.test_starts is None


def test_the_shortest_text_that_will_do(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(counted(240), encoding="utf-8")
    corpus = load_corpus(str(path), block=10)
    assert (len(corpus.validation), len(corpus.test)) == (11, 11)
    path.write_text(counted(239), encoding="utf-8")
    left = "199 for training, 10 for validation and 10 for the test, and each part needs 11"
    with pytest.raises(DataError, match=f"a: 239 tokens .* windows of 10: .* leave {left}"):
        load_corpus(str(path), block=10)
    path.write_text("ab", encoding="utf-8")
    with pytest.raises(DataError, match=r"2 tokens .* leave 0 for training, 0 for validation"):
        load_corpus(str(path), block=10)


@pytest.mark.parametrize("shares", [(0.0, 0.1), (0.1, 0.0), (0.5, 0.5), (-0.1, 0.1), (float("nan"), 0.1)])
def test_shares_that_leave_nothing_are_refused(file: Path, shares: tuple[float, float]) -> None:
    with pytest.raises(ErlangenError, match="shares of the text"):
        load_corpus(str(file), block=8, validation=shares[0], test=shares[1])


def test_what_is_no_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="grim: there is no such corpus: give tales, grimm, or the path of a file or folder"):
        load_corpus("grim", block=8)


def test_a_gutenberg_book_is_stripped(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    mark = "OF THE PROJECT GUTENBERG EBOOK A ***"
    path.write_text(f"header\n*** START {mark}\n\n{counted(400)}\n\n*** END {mark}\nlicense\n", encoding="utf-8")
    corpus = load_corpus(str(path), block=2)
    assert "G" not in corpus.tokenizer.alphabet
    assert len(corpus.train) + len(corpus.validation) + len(corpus.test) + 4 == 400 + (not counted(400).endswith("\n"))


@pytest.mark.skipif(not GRIMM.is_file(), reason=f"{GRIMM} is not here")
def test_grimm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLANGEN_DATA", str(GRIMM.parents[1]))
    corpus = load_corpus("grimm", block=256)
    assert corpus.tokenizer.decode(corpus.train[:15]) == "THE GOLDEN BIRD"
    assert corpus.tokenizer.decode(corpus.test[-22:]) == "roses, white and red.\n"
    assert corpus.train.dtype == torch.uint8


@pytest.mark.parametrize(("size", "dtype"), [(256, torch.uint8), (257, torch.int16), (32768, torch.int16), (32769, torch.int32)])
def test_tokens_are_as_small_as_the_vocabulary_allows(tmp_path: Path, size: int, dtype: torch.dtype) -> None:
    text = "".join(chr(0x4E00 + i) for i in range(20_000)) + "".join(chr(0x20000 + i) for i in range(20_000))
    (tmp_path / "a.txt").write_text(text[:size] * 2, encoding="utf-8")
    corpus = load_corpus(str(tmp_path / "a.txt"), block=1)
    assert corpus.train.dtype == dtype
    assert corpus.tokenizer.decode(corpus.train) == (text[:size] * 2)[: len(corpus.train)]


@pytest.fixture
def bpe(tmp_path: Path) -> Path:
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.ByteLevelBPETokenizer()
    made.train_from_iterator(["the fox and the hen"], vocab_size=270, show_progress=False)
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_byte_pairs(file: Path, bpe: Path) -> None:
    corpus = load_corpus(str(file), block=8, tokenizer=str(bpe))
    assert isinstance(corpus.tokenizer, GPT2Tokenizer)
    assert counted(4000).startswith(corpus.tokenizer.decode(corpus.train))
    assert corpus.bytes_of(corpus.train) == len(corpus.tokenizer.decode(corpus.train).encode())


@given(st.integers(1, 20), st.integers(1, 9), st.integers(0, 30), st.sampled_from(["uint8", "int16", "uint16", "int32", "int64"]))
def test_windows_are_slices(block: int, batch: int, spare: int, dtype: str) -> None:
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, 200, block + 1 + spare).astype(dtype))
    starts = torch.randint(spare + 1, (batch,))
    inputs, targets = windows(tokens, starts, block)
    assert inputs.dtype == targets.dtype == torch.int64
    for row, start in enumerate(starts.tolist()):
        assert inputs[row].tolist() == tokens[start : start + block].tolist()
        assert targets[row].tolist() == tokens[start + 1 : start + block + 1].tolist()


def test_a_window_past_the_end_is_refused() -> None:
    with pytest.raises(IndexError):
        windows(torch.arange(10), torch.tensor([5]), 5)


def test_random_starts_are_all_that_fit_and_no_others() -> None:
    generator = torch.Generator().manual_seed(0)
    starts = random_starts(20, 8, 6000, generator)
    counts = torch.bincount(starts, minlength=12)
    assert len(counts) == 12  # 0 .. 11: windows of 9 tokens
    assert ((counts - 500).abs() < 5 * 500**0.5).all()
    allowed = torch.tensor([1, 4, 11, 12, 15])
    assert random_starts(20, 8, 300, generator, allowed).unique().tolist() == [1, 4, 11]


def test_the_generator_decides_the_starts() -> None:
    first, again = (random_starts(1000, 8, 50, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    generator = torch.Generator().manual_seed(3)
    assert not torch.equal(random_starts(1000, 8, 50, generator), random_starts(1000, 8, 50, generator))


@pytest.mark.parametrize(("n", "allowed"), [(8, None), (20, torch.tensor([12, 13])), (20, torch.tensor([], dtype=torch.int64))])
def test_no_window_at_all_is_refused(n: int, allowed: torch.Tensor | None) -> None:
    with pytest.raises(ValueError, match=r"tokens have no window of 8 \+ 1 tokens"):
        random_starts(n, 8, 4, torch.Generator(), allowed)


def stand_in(n: int, seed: int) -> str:
    """Tales of a length and content that tell their seed."""
    rng = np.random.default_rng(seed)
    return "".join(f"{seed} {'ab' * int(rng.integers(1, 9))}\u2042" for _ in range(n))


@pytest.fixture
def tales(monkeypatch: pytest.MonkeyPatch) -> None:
    grammar = Grammar(start="s", rules={"s": {"a" * 20: 1}}, slots={})
    for name, value in {"draw_tales": stand_in, "END": "\u2042", "GRAMMAR": grammar}.items():
        monkeypatch.setattr(erlangen.data.corpora, name, value)


def test_tales_are_whole_and_of_seeds_of_their_own(tales: None) -> None:
    corpus = load_corpus("tales", block=40, tales=200, validation=0.1, test=0.2, seed=4)
    texts = [corpus.tokenizer.decode(part) for part in (corpus.train, corpus.validation, corpus.test)]
    assert texts == [stand_in(140, 12), stand_in(20, 13), stand_in(40, 14)]
    assert corpus.train_starts is not None and corpus.validation_starts is not None and corpus.test_starts is not None  # noqa: PT018
    assert {texts[0][i] for i in corpus.train_starts.tolist()} == {"\u2042"}  # the END before each tale but the first
    assert len(corpus.train_starts) == 139
    for text, starts in ((texts[1], corpus.validation_starts), (texts[2], corpus.test_starts)):
        bounds = [*starts.tolist(), len(text)]
        cut = [text[start:stop] for start, stop in pairwise(bounds)]
        assert cut == [tale + "\u2042" for tale in text.split("\u2042")[:-1]]


def test_training_windows_of_tales_begin_with_a_tale(tales: None) -> None:
    corpus = load_corpus("tales", block=40, tales=200)
    starts = random_starts(len(corpus.train), 40, 64, torch.Generator().manual_seed(0), corpus.train_starts)
    inputs, targets = windows(corpus.train, starts, 40)
    assert all(corpus.tokenizer.decode(row).startswith("\u20420 ab") for row in inputs)
    assert all(corpus.tokenizer.decode(row).startswith("0 ab") for row in targets)


def test_tales_that_will_not_do(tales: None, bpe: Path) -> None:
    with pytest.raises(
        DataError, match=r"windows of 19 cannot hold the longest tale, which has 20 characters: choose a block of at least 20"
    ):
        load_corpus("tales", block=19, tales=200)
    assert load_corpus("tales", block=20, tales=200).name == "tales"
    with pytest.raises(DataError, match="10 are too few"):
        load_corpus("tales", block=64, tales=10)
    with pytest.raises(ErlangenError, match="use the tokenizer 'characters'"):
        load_corpus("tales", block=64, tokenizer=str(bpe))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
def test_a_memory_map_gives_what_was_written(tmp_path: Path, dtype: str) -> None:
    tokens = np.random.default_rng(0).integers(0, 250, 5000).astype(dtype)
    np.save(tmp_path / "a.npy", tokens)
    tokens.astype("<u2").tofile(tmp_path / "a.bin")
    for name in ("a.npy", "a.bin"):
        mapped = memory_mapped(tmp_path / name)
        inputs, targets = windows(mapped, torch.tensor([0, 17, 4900]), 99)
        assert mapped.tolist() == tokens.tolist()
        assert inputs[1].tolist() == tokens[17:116].tolist()
        assert targets[2].tolist() == tokens[4901:].tolist()
        mapped[0] = 7  # stays in memory
        assert memory_mapped(tmp_path / name)[0] == tokens[0]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.bin", b"", DataError),
        ("a.bin", b"abc", DamagedFileError),
        ("a.npy", b"", DamagedFileError),
        ("a.npy", b"\x93NUMPY\x01\x00", DamagedFileError),
        ("a.npy", b"pickle or not", DamagedFileError),
        ("b.bin", None, DataError),
        ("b.npy", None, DataError),
    ],
)
def test_files_of_no_tokens_are_refused(tmp_path: Path, name: str, content: bytes | None, error: type[ErlangenError]) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=name) as caught:
        memory_mapped(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((3, 2), dtype=int), np.array([{}]), np.zeros(3, dtype=">u2")])
def test_arrays_of_no_tokens_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(DamagedFileError, match=r"a\.npy"):
        memory_mapped(tmp_path / "a.npy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "prepared"
    place.mkdir()
    for part, n in (("train", 1000), ("val", 200)):
        np.arange(n, dtype="<u2").__mod__(3).astype("<u2").tofile(place / f"{part}.bin")
    (place / META).write_text(json.dumps(CharacterTokenizer("abc").to_json()), encoding="utf-8")
    return place


def test_a_prepared_folder(folder: Path) -> None:
    corpus = load_corpus(str(folder), block=8)
    assert isinstance(corpus, Corpus)
    assert corpus.tokenizer == CharacterTokenizer("abc")
    assert (corpus.name, len(corpus.train), len(corpus.validation), len(corpus.test)) == ("prepared", 1000, 100, 92)
    assert corpus.tokenizer.decode(corpus.train[:4]) == "abca"
    assert corpus.bytes_of(corpus.train) == 1000
    np.save(folder / "test.npy", np.zeros(50, dtype=np.uint8))
    corpus = load_corpus(str(folder), block=8)
    assert (len(corpus.validation), corpus.test.tolist()) == (200, [0] * 50)


def test_a_prepared_folder_with_byte_pairs(folder: Path, bpe: Path) -> None:
    (folder / META).unlink()
    with pytest.raises(DataError, match="prepared: there is no tokenizer here"):
        load_corpus(str(folder), block=8)
    assert isinstance(load_corpus(str(folder), block=8, tokenizer=str(bpe)).tokenizer, GPT2Tokenizer)
    bpe.rename(folder / "tokenizer.json")
    assert isinstance(load_corpus(str(folder), block=8).tokenizer, GPT2Tokenizer)


@pytest.mark.parametrize("fault", ["no train", "no val", "short", "token", "negative", "meta", "pickle"])
def test_a_prepared_folder_that_will_not_do(folder: Path, fault: str) -> None:
    short = "val has 100 tokens, but windows of 150 need 151"
    reason = {"no train": r"no train\.bin", "no val": r"no val\.bin", "short": short}.get(fault)
    if fault.startswith("no "):
        (folder / f"{fault[3:]}.bin").unlink()
    if fault == "token":
        np.array([0, 1, 3] * 20, dtype="<u2").tofile(folder / "val.bin")
        reason = r"val\.bin holds token 3, but the tokenizer has 3"
    if fault == "negative":
        (folder / "val.bin").unlink()
        np.save(folder / "val.npy", np.array([0, 1, -1] * 20))
        reason = r"val\.npy holds token -1, but the tokenizer has 3"
    if fault == "meta":
        (folder / META).write_text('{"kind": "characters"', encoding="utf-8")
        reason = META
    if fault == "pickle":
        (folder / META).unlink()
        (folder / "meta.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
        reason = "no tokenizer"
    with pytest.raises(ErlangenError, match=reason) as caught:
        load_corpus(str(folder), block=150 if fault == "short" else 8)
    assert caught.value.exit_code in (2, 4)
    assert "\n" not in str(caught.value)


def test_the_tales_themselves_pair_with_their_floor() -> None:
    from erlangen.data.tales import END, floor
    from erlangen.measure.token_loss import aligned_losses

    corpus = load_corpus("tales", block=512, tales=60)
    assert corpus.test_starts is not None
    text, size = corpus.tokenizer.decode(corpus.test), corpus.tokenizer.size
    assert [text[start - 1] for start in corpus.test_starts.tolist()] == [END] * 3  # text[-1] is one, too
    losses, index = aligned_losses(lambda tokens: torch.zeros(*tokens.shape, size), corpus.test, corpus.test_starts, 512)
    assert len(losses) == len(index) == len(floor(text)) == len(text)
    assert 0 < floor(text).mean() < losses.mean()


def test_long_texts_are_encoded_in_pieces_that_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlangen.data.corpora.PIECE", 100)
    (tmp_path / "a.txt").write_text(counted(950), encoding="utf-8")
    corpus = load_corpus(str(tmp_path / "a.txt"), block=4)
    assert counted(950).startswith(corpus.tokenizer.decode(corpus.train))
    assert counted(950).endswith(corpus.tokenizer.decode(corpus.test))
