"""Temperature and top-p: what is measured on a tiny recipe, and what its jobs and texts are."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.figures import assert_drawn
from support.results import evidence_of
from torch import Tensor

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.data.files import DataError
from erlangen.experiments import planned_jobs
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.tasks import read_task
from erlangen.experiments.sampling import EXTREMES, PRESETS, RANGES, Recipe, fetch, jobs
from erlangen.experiments.sampling.figures import figures
from erlangen.experiments.sampling.judge import verdicts
from erlangen.experiments.sampling.run import losses, run, train
from erlangen.experiments.sampling.tasks import LOSS, OUTCOMES, SETTINGS, SOURCE, Write, label
from erlangen.experiments.sampling.text import corpus_of, parts_of
from erlangen.generate.writing import Passage
from erlangen.models.gpt import GPTConfig
from erlangen.records.runs import Job

TINY = Recipe(
    corpus="tales", dictionary="training", seeds=2, steps=20, characters=512, views=2, layers=1, width=16, memorizing_layers=1,
    memorizing_width=16, heads=1, block=32, batch=2, prompts=8, prompt=8, length=40,
)  # fmt: skip


def job_of(recipe: Recipe, regime: str, seed: int = 0) -> Job:
    return next(job for job in planned_jobs("sampling", recipe) if (job.params["regime"], job.seed) == (regime, seed))


@pytest.fixture(scope="module", autouse=True)
def short() -> Iterator[None]:
    """A text of 60 generated tales."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("erlangen.experiments.sampling.text.TALES", 60)
        yield


@pytest.fixture(scope="module")
def measured(short: None) -> Evidence:
    return evidence_of(planned_jobs("sampling", TINY), run)


def test_a_run_measures_all_that_is_judged(measured: Evidence):
    for one in measured.of(Write):
        for setting in ("held out", *map(label, SETTINGS)):
            for outcome in (*OUTCOMES, LOSS):
                assert len(one.values(f"{setting} {outcome}")) == TINY.prompts, (setting, outcome)
    names = {(verdict.part, verdict.of) for verdict in verdicts(TINY, measured)}
    assert len(names) == 2 * (len(RANGES) + len(EXTREMES)) + 2
    assert {verdict.verdict for verdict in verdicts(TINY, measured)} <= {"not measured", "inconclusive", "refuted"}


def test_hotter_is_less_likely_under_the_net_itself(measured: Evidence):
    for regime in ("memorizing", "stopped"):
        cold, hot = (
            np.mean([one.values(f"{name} loss") for one in measured.of(Write, regime=regime)]) for name in ("0.3/1", "1.5/1")
        )
        assert cold < hot


def test_a_knob_is_turned_alone():
    for where, changes in (("temperature alone", 0), ("top-p alone", 1)):
        settings = RANGES[where]
        assert len({setting[changes] for setting in settings}) == 3
        assert len({setting[1 - changes] for setting in settings}) == 1
        assert {min(pair) for pair in zip(*settings, strict=True)} <= {0.65, 0.7, 0.85, 0.9}
    assert all(set(settings) <= set(SETTINGS) for settings in (*RANGES.values(), *EXTREMES.values()))


def test_a_memorizing_net_keeps_its_last_weights_and_the_other_its_best(monkeypatch: pytest.MonkeyPatch):
    def fit(model, corpus, schedule, **options):  # type: ignore[no-untyped-def]
        from erlangen.train.language_model import Evaluation, LanguageHistory

        torch.nn.init.constant_(model.embed.weight, 2.0)
        last = Evaluation(schedule.steps, 0.5, 2.0)
        options["on_evaluation"](last)
        torch.nn.init.constant_(model.embed.weight, 1.0)  # back to the best
        return LanguageHistory(evaluations=(last,), best_step=1, best_loss=1.5, steps=schedule.steps, tokens=0, ended="steps")

    monkeypatch.setattr("erlangen.experiments.sampling.run.fit", fit)
    for regime, level in (("memorizing", 2.0), ("stopped", 1.0)):
        job = job_of(TINY, regime)
        task = read_task(Write, job)
        model, found = train(task, job, corpus_of(task, 0, parts_of(task)))
        assert float(model.embed.weight.mean()) == level
        assert {one.name: one.value for one in found}["train_loss_in_training"] == 0.5


def test_slices_of_a_text_are_apart_and_outside_the_prompts(tmp_path: Path):
    path = tmp_path / "book.txt"
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 4000)))  # no character comes twice
    path.write_text(text, encoding="utf-8")
    recipe = replace(TINY, corpus=str(path), seeds=5)
    tasks = [read_task(Write, job_of(recipe, "memorizing", seed)) for seed in range(5)]
    parts = parts_of(tasks[0])
    slices = [corpus_of(task, seed, parts) for seed, task in enumerate(tasks)]
    seen = [corpus.tokenizer.decode(corpus.train) for corpus in slices]
    assert [len(one) for one in seen] == [512] * 5
    assert len(set("".join(seen))) == 5 * 512
    assert not set("".join(seen)) & set(parts[1] + parts[2])
    assert len(text) - len("".join(parts)) == 2 * TINY.block
    whole = read_task(Write, job_of(recipe, "stopped"))
    assert corpus_of(whole, 3, parts).tokenizer.decode(corpus_of(whole, 3, parts).train) == parts[0]


def test_a_text_file_is_read_and_its_digest_kept(tmp_path: Path):
    path = tmp_path / "book.txt"
    recipe = replace(TINY, corpus=str(path), regimes=("memorizing",))
    path.write_text("It was a dark night, and the 7 ships lay still. " * 60, encoding="utf-8")
    fetch(recipe)
    (first, _) = planned_jobs("sampling", recipe)
    assert first.params["digest"] == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert all(len(one.value) == 8 for one in run(first) if isinstance(one.value, tuple))
    path.write_text("It was a calm night, and the 7 ships lay still. " * 60, encoding="utf-8")
    assert planned_jobs("sampling", recipe)[0].key("") != first.key("")
    with pytest.raises(DataError, match="the file has changed"):
        run(first)


@pytest.mark.parametrize("change", [{"prompts": 40}, {"characters": 2048}], ids=str)
def test_a_text_just_long_enough_serves_and_one_shorter_is_refused(tmp_path: Path, change: dict[str, int]):
    path = tmp_path / "book.txt"
    recipe = replace(TINY, corpus=str(path), regimes=("memorizing",), **change)
    path.write_text("x", encoding="utf-8")
    with pytest.raises(DataError, match=r"book\.txt: 1 characters, and this recipe needs [\d,]+: .* fewer seeds") as raised:
        fetch(recipe)
    needed = int(str(raised.value).split("needs ")[1].split(":")[0].replace(",", ""))
    path.write_text("ab cd. " * (needed // 7) + "x" * (needed % 7), encoding="utf-8")
    fetch(recipe)
    run(planned_jobs("sampling", recipe)[-1])


def test_a_texts_loss_begins_with_its_first_character_and_ends_with_its_last():
    class Pairs:
        """-log p of a character is 1 after an equal one, whatever stood before."""

        config = GPTConfig(vocabulary=3, block=4, layers=1, heads=1, width=8)

        def __call__(self, tokens: Tensor) -> Tensor:
            return torch.full((3, 3), -other).fill_diagonal_(-1.0)[tokens]

    other = -math.log((1 - math.exp(-1.0)) / 2)
    tokenizer = CharacterTokenizer("abc")
    corpus = Corpus(name="", tokenizer=tokenizer, **dict.fromkeys(("train", "validation", "test"), tokenizer.encode("abc")))
    parts = [Passage("abcab", ""), Passage("ccccc", "")]
    found = losses(Pairs(), corpus, parts, ["bbbbbbbbb", "abbbbbbbb"])  # type: ignore[arg-type]
    assert found == pytest.approx([1.0, (2 * other + 7) / 9], rel=1e-5)


def test_figures_are_drawn_of_whatever_there_is(measured: Evidence):
    shown = figures(TINY, measured)
    assert_drawn(shown)
    assert [figure.name for figure in shown] == ["outcomes", "loss"]
    assert all(0 <= end <= 100 for row in shown[0].rows for end in row[3:] if isinstance(end, float))
    assert figures(TINY, Evidence(())) == []


def test_two_hundred_texts_a_setting_four_nets_and_the_published_pairs():
    standard = PRESETS["standard"]
    assert standard.prompts >= 200
    assert standard.seeds >= 4
    assert set(SOURCE) == {(0.7, 0.9), (1.0, 0.9), (0.75, 0.95), (0.65, 0.85)}
    assert sum(job.seconds for job in jobs(PRESETS["quick"])) < 2 * 60
    assert sum(job.seconds for job in jobs(standard)) < 2 * 60 * 60
    planned = planned_jobs("sampling", PRESETS["quick"], "bfloat16", "cuda")
    assert {(job.precision, job.device) for job in planned} == {("bfloat16", "cuda")}


def test_the_reports_regime_is_always_judged():
    with pytest.raises(ValueError, match="regimes: give memorizing"):
        replace(TINY, regimes=("stopped",))
