"""A book seen hundreds of times: what is measured on a tiny recipe, and by what."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.figures import assert_drawn
from support.results import evidence_of, result

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.data.files import DataError
from erlangen.data.tales import is_grammatical, tales
from erlangen.errors import ErlangenError
from erlangen.experiments import planned_jobs
from erlangen.experiments.fairytales import PRESETS, Recipe, fetch, jobs
from erlangen.experiments.fairytales.book_job import cut
from erlangen.experiments.fairytales.figures import figures
from erlangen.experiments.fairytales.judge import verdicts
from erlangen.experiments.fairytales.nets import train
from erlangen.experiments.fairytales.pairs import PAIRS, minimal_pairs, shared
from erlangen.experiments.fairytales.quotes_job import look_up
from erlangen.experiments.fairytales.recall import next_word_probabilities
from erlangen.experiments.fairytales.run import run
from erlangen.experiments.fairytales.style import FUNCTION_WORDS, odds_of, other_prose, score, taken_for_the_book
from erlangen.experiments.fairytales.tales_job import aligned_corpus, right_choices, tale_losses, tale_shares, write_tales
from erlangen.experiments.fairytales.tasks import Book, Quotes, Tales
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import read_task
from erlangen.generate.writing import passages, whole_words, written
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.runs import Job
from erlangen.train.language_model import Evaluation, LanguageHistory, LanguageSchedule

TINY = Recipe(
    corpus="tales", dictionary="training", seeds=1, characters=512, views=16, layers=1, heads=1, width=16, block=32, batch=8,
    evaluations=4, samples=4, prompt=8, length=60, few=3, tale_steps=8, tale_batch=2, tale_samples=4,
)  # fmt: skip
TEXT = "It was a dark night, and the 7 ships lay still. " * 60


def book_jobs(recipe: Recipe) -> list[Job]:
    return [job for job in planned_jobs("fairytales", recipe) if job.params["task"] == "book"]


@pytest.fixture(scope="module")
def measured() -> Evidence:
    return evidence_of(planned_jobs("fairytales", TINY), run)


def test_a_run_measures_all_that_is_judged(measured: Evidence):
    assert "not measured" not in {verdict.verdict for verdict in verdicts(TINY, measured)}
    (book,) = measured.of(Book)
    assert book.value("views") == pytest.approx(16, rel=0.1)
    assert len(book.values("curve_train")) == len(book.values("curve_views")) >= 4
    assert book.value("stopped_test_loss") < math.log(60)
    curve = zip(book.values("curve_views"), book.values("curve_train"), strict=True)
    (late,) = [loss for views, loss in curve if views > 0.8 * book.value("views")]
    assert book.value("train_loss_in_training") == pytest.approx(late)
    assert book.value("other_prose_taken_for_the_book") <= book.value("held_out_taken_for_the_book")
    seen = {str(one.params["arm"]): one.value("tales_seen") for one in measured.of(Tales)}
    assert seen == {"few": 3, "many": 16}
    assert [one.value("fresh_copies") for one in measured.of(Tales)] == [0, 0], "the test tales are others than those seen"
    assert all(0 < one.value("train_loss_in_training") < math.log(60) for one in measured.of(Tales))


def test_figures_are_drawn_of_whatever_there_is(measured: Evidence):
    shown = figures(TINY, measured)
    assert_drawn(shown)
    assert [figure.name for figure in shown] == ["memory", "copied", "losses", "choices", "tales"]
    assert figures(TINY, Evidence(())) == []


def test_a_minimal_pair_differs_in_one_place_that_the_grammar_forbids():
    made = minimal_pairs(tales(40, seed=3).split("\n")[:-1], seed=0)
    assert set(made) == set(PAIRS)
    assert min(map(len, made.values())) > 25
    for kind, pairs in made.items():
        for right, wrong in pairs:
            assert is_grammatical(right), kind
            assert not is_grammatical(wrong), kind
            changed = [(a, b) for a, b in zip(right.split(), wrong.split(), strict=True) if a != b]
            assert len(changed) == (2 if kind == "order" else 1), kind
            assert kind != "order" or changed[0] == changed[1][::-1]
    sexes = {frozenset(("he", "she")), frozenset(("his", "her")), frozenset(("boy", "girl")), frozenset(("his.", "her."))}
    for right, wrong in made["pronouns"]:
        (pair,) = [{a, b} for a, b in zip(right.split(), wrong.split(), strict=True) if a != b]
        assert frozenset(word.lower() for word in pair) in sexes | {frozenset(("hers.", "his."))}
    for kind, same in (("kinds", False), ("nouns", True)):
        for right, wrong in made[kind]:
            (pair,) = [(a, b) for a, b in zip(right.split(), wrong.split(), strict=True) if a != b]
            first, second = (word.strip('.,!"').lower() for word in pair)
            assert bool(shared(first, second)) == same, (kind, pair)


def test_a_choice_is_right_where_the_tale_is_more_likely(monkeypatch: pytest.MonkeyPatch):
    text = tales(3, seed=1)
    corpus = aligned_corpus(text, text, text)
    model = GPT(GPTConfig(vocabulary=corpus.tokenizer.size, block=256, layers=1, heads=1, width=8)).eval().requires_grad_(False)
    told = text.split("\n")[:-1]
    alone = [float(tale_losses(model, corpus, [tale])) for tale in told]
    assert tale_losses(model, corpus, told).tolist() == pytest.approx(alone, rel=1e-5), "padding costs nothing"
    tokens = corpus.tokenizer.encode("\n" + told[0] + "\n").long()
    by_hand = torch.nn.functional.cross_entropy(model(tokens[None, :-1])[0], tokens[1:], reduction="sum")
    assert alone[0] == pytest.approx(float(by_hand), rel=1e-5)
    pairs = [("a", "b"), ("a", "b"), ("a", "b"), ("a", "b")]
    losses = iter([torch.tensor([1.0, 2.0, 2.0, 2.0]), torch.tensor([2.0, 1.0, 2.0, 3.0])])
    monkeypatch.setattr("erlangen.experiments.fairytales.tales_job.tale_losses", lambda *_: next(losses))
    assert right_choices("last", "nouns", model, corpus, pairs).value == 2.5 / 4


def test_the_probability_of_the_next_word_is_the_product_of_its_characters():
    text = "a cat sat on a mat. "
    tokenizer = CharacterTokenizer.of(text)
    model = GPT(GPTConfig(vocabulary=tokenizer.size, block=32, layers=1, heads=1, width=8)).eval().requires_grad_(False)
    (found,) = next_word_probabilities(model, tokenizer, text, 1, 5)
    assert text[6:10] == "sat "
    tokens = tokenizer.encode(text[1:10]).long()
    probabilities = model(tokens[None, :-1])[0].softmax(-1)  # (8, vocabulary)
    assert found == pytest.approx(math.prod(float(probabilities[at - 1, tokens[at]]) for at in range(5, 9)), rel=1e-4)
    assert len(next_word_probabilities(model, tokenizer, text, 9, 5)) == 4, "sat, on, a and mat"


def test_style_is_read_from_words_without_content():
    assert len(set(FUNCTION_WORDS)) == 70
    odds = odds_of("and then his " * 50, "which is any " * 50)
    assert score("and then the cat came into his house", odds) > 0 > score("any cat which is red", odds)
    assert score("Grimm cat", odds) == 0
    assert taken_for_the_book(["and his", "which is", "xq zv", ""], odds) == 0.25, "what has no words is not taken for the book"
    assert odds["and"] == pytest.approx(math.log(51 / 220) - math.log(1 / 220))


def test_the_other_prose_is_long_and_its_two_parts_are_apart():
    learned, tested = other_prose()
    assert min(len(learned), len(tested)) > 100_000
    assert len(passages(tested, 64, 48, 400)) == 64
    assert learned[-200:] not in tested


def test_the_classifier_tells_tales_from_technical_english():
    learned, tested = other_prose()
    odds = odds_of(tales(40, seed=0), learned)
    others = [tested[at : at + 400] for at in range(0, 40_000, 400)]
    told = [tales(2, seed=at) for at in range(100, 150)]
    assert taken_for_the_book(told, odds) > 0.9
    assert taken_for_the_book(others, odds) < 0.1


def test_quotes_are_found_over_line_breaks(monkeypatch: pytest.MonkeyPatch):
    book = "‘Tell me, glass, tell me!’ As soon as she was alone that dwarf\ncame in, and said, ‘What will you give me to spin"
    book += "\ngold for"
    monkeypatch.setattr("erlangen.data.text_file.grimm", lambda: book)
    job = Job(params={}, seed=0)
    assert [one.value for one in look_up(Quotes(corpus="grimm"), job)] == [1, 1, 1, 0]
    monkeypatch.setattr("erlangen.data.text_file.grimm", lambda: book.replace("gold", "straw").replace("Tell", "tell"))
    assert [one.value for one in look_up(Quotes(corpus="grimm"), job)] == [0, 1, 0, 0]


def test_a_book_is_looked_up_only_where_it_is_the_reports():
    kinds = {corpus: {str(job.params["task"]) for job in jobs(replace(TINY, corpus=corpus))} for corpus in ("grimm", "tales")}
    assert kinds == {"grimm": {"quotes", "book", "tales"}, "tales": {"book", "tales"}}
    assert {str(job.params["task"]) for job in jobs(PRESETS["quick"])} == {"book"}


def test_equal_jobs_measure_equal_numbers(measured: Evidence):
    (job,) = book_jobs(TINY)
    again, (first,) = result(job, run(job)), measured.of(Book)
    assert [(m.name, str(m.value)) for m in again.measurements] == [(m.name, str(m.value)) for m in first.measurements]


def test_the_last_weights_are_kept_beside_the_best(monkeypatch: pytest.MonkeyPatch):
    def fit(model: GPT, corpus: Corpus, schedule: LanguageSchedule, **options: Any) -> LanguageHistory:
        for step, level in ((1, 1.0), (2, 2.0)):
            torch.nn.init.constant_(model.embed.weight, level)
            options["on_evaluation"](Evaluation(step, 0.0, 0.0))
        torch.nn.init.constant_(model.embed.weight, 1.0)  # back to the best
        return LanguageHistory(evaluations=(), best_step=1, best_loss=0.0, steps=2, tokens=0, ended="steps")

    monkeypatch.setattr("erlangen.experiments.fairytales.nets.fit", fit)
    (job,) = book_jobs(TINY)
    model = GPT(GPTConfig(vocabulary=3, block=8, layers=1, heads=1, width=8))
    _, weights = train(model, cut(read_task(Book, job), 0)[0], LanguageSchedule(steps=2), job)
    assert {which: float(state["embed.weight"].mean()) for which, state in weights.items()} == {"stopped": 1.0, "last": 2.0}


def test_a_tale_that_the_block_cuts_is_none(monkeypatch: pytest.MonkeyPatch):
    """Not even where only its END is missing."""
    text = tales(1, seed=2)
    tokenizer = CharacterTokenizer.of(text)
    tokens = tokenizer.encode("\n" + text)
    corpus = Corpus(name="", tokenizer=tokenizer, train=tokens, validation=tokens, test=tokens)
    model = GPT(GPTConfig(vocabulary=tokenizer.size, block=8, layers=1, heads=1, width=8))
    for kept, told in ((tokens[:-1], text[:-1] + "…"), (tokens, text[:-1])):
        row = torch.stack([kept] * 2)
        monkeypatch.setattr("erlangen.experiments.fairytales.tales_job.generate", lambda *_, rows=row, **__: rows)
        assert write_tales(model, corpus, 2, (1.0, 1.0), 0) == [told] * 2
    assert [m.value for m in tale_shares("x", [text[:-1] + "…"], text)[:2]] == [0, 0]


def test_a_slice_and_what_is_held_out_are_apart():
    first, second = (cut(read_task(Book, job), job.seed) for job in book_jobs(replace(TINY, seeds=2)))
    corpus, training, test = first
    assert len(training) == 512
    assert corpus.tokenizer.decode(corpus.train) == training
    assert corpus.tokenizer.decode(corpus.test) == test
    assert len(test) == 4 * 68
    text = tales((512 + 256 + 4 * 68 + 64) // 150 + 1, seed=0)
    start = text.index(training)
    assert text.index(test, start) == start + 512 + 32 + 256 + 32
    assert second[1] != training


def test_no_two_seeds_read_the_same_pages(monkeypatch: pytest.MonkeyPatch):
    book = "".join(map(chr, range(0x4E00, 0x4E00 + 6000)))  # no character comes twice
    monkeypatch.setattr("erlangen.data.text_file.grimm", lambda: book)
    read: set[str] = set()
    for job in book_jobs(replace(TINY, corpus="grimm", seeds=5)):
        corpus, training, test = cut(read_task(Book, job), job.seed)
        own = set(training + test + corpus.tokenizer.decode(corpus.validation))
        assert len(own) == 512 + 256 + 4 * 68
        assert not own & read
        read |= own
    with pytest.raises(ErlangenError, match="6,000 characters, and this recipe needs 6,624"):
        fetch(replace(TINY, corpus="grimm", seeds=6))


def test_a_text_file_is_read_and_its_digest_kept(tmp_path: Path):
    path = tmp_path / "book.txt"
    path.write_text(TEXT, encoding="utf-8")
    recipe = replace(TINY, corpus=str(path), seeds=2)
    fetch(recipe)
    planned = book_jobs(recipe)
    assert {job.params["digest"] for job in planned} == {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}
    assert all(cut(read_task(Book, job), job.seed)[1] in TEXT for job in planned)
    path.write_text(TEXT.replace("dark", "calm"), encoding="utf-8")
    edited = book_jobs(recipe)
    assert {job.key("") for job in planned}.isdisjoint({job.key("") for job in edited})
    with pytest.raises(DataError, match="the file has changed"):
        cut(read_task(Book, planned[0]), 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "neither grimm nor tales, and no such file"),
        (b"\xff\xfa no text", "not UTF-8"),
        (b"too short", "9 characters, and this recipe needs 1,104: choose a longer text or fewer seeds, characters or samples"),
    ],
)
def test_a_text_that_does_not_serve_is_refused_in_one_line(tmp_path: Path, content: bytes | None, message: str):
    path = tmp_path / "book.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as raised:
        fetch(replace(TINY, corpus=str(path)))
    assert "\n" not in str(raised.value)
    assert "book.txt" in str(raised.value)


def test_passages_are_prompt_and_rest_of_the_text_in_order():
    text = "".join(map(chr, range(200)))
    parts = passages(text, 4, 10, 40)
    assert [text.index(part.prompt + part.rest) for part in parts] == [0, 50, 100, 150]
    assert all(len(part.prompt) == 10 and len(part.rest) == 40 for part in parts)
    assert [text.index(part.prompt) for part in passages(text, 4, 10, 20)] == [0, 50, 100, 150], "over all of the text"
    with pytest.raises(ValueError, match="200"):
        passages(text, 4, 11, 40)


def test_words_that_may_be_cut_are_left_out():
    assert whole_words("ing a fox\nand the gol") == "a fox and the"


def test_what_is_written_leaves_out_the_prompt_and_follows_the_seed():
    tokenizer = CharacterTokenizer("abc")
    model = GPT(GPTConfig(vocabulary=3, block=8, layers=1, heads=1, width=8))
    first = written(model, tokenizer, ["ab", "cc"], 12, (1.0, 1.0), seed=3)
    assert [len(text) for text in first] == [12, 12]
    assert written(model, tokenizer, ["ab", "cc"], 12, (1.0, 1.0), seed=3) == first
    assert written(model, tokenizer, ["ab", "cc"], 12, (1.0, 1.0), seed=4) != first


def test_tales_are_told_apart():
    first, second, *_ = tales(3, seed=5).split("\n")
    found = {m.name: m.value for m in tale_shares("x", [first, second, first[:40], "", "…"], first + "\n")}
    assert found["x_grammatical"] == 2 / 5
    assert found["x_copies"] == 1 / 5
    assert found["x_grammatical_and_new"] == 1 / 5
    assert isinstance(found["x_followed"], float)
    assert 0.4 < found["x_followed"] < 0.6


def test_presets_keep_within_their_time():
    assert sum(job.seconds for job in jobs(PRESETS["quick"])) < 2 * 60
    assert sum(job.seconds for job in jobs(PRESETS["standard"])) < 2 * 60 * 60
    planned = [
        job for job in planned_jobs("fairytales", PRESETS["standard"], "bfloat16", "cuda") if job.params["task"] != "quotes"
    ]
    assert {(job.precision, job.device) for job in planned} == {("bfloat16", "cuda")}
