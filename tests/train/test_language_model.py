"""Training a language model: it learns, it can be stopped and resumed bit for bit, and slices make the step of a batch."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpora import load_corpus
from erlangen.data.corpus import Corpus, random_starts, windows
from erlangen.errors import DamagedFileError, ErlangenError
from erlangen.measure.token_loss import token_losses
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.train.checkpoint import BEST, LAST, load_checkpoint
from erlangen.train.language_model import LanguageSchedule, Training, adamw, fingerprint, fit, pace, part_losses

CONFIG = GPTConfig(vocabulary=5, block=8, layers=2, heads=2, width=16, dropout=0.2)
SCHEDULE = LanguageSchedule(steps=40, batch=6, warmup=5, evaluate_every=10, seed=3)


def corpus_of(seed: int = 0, alphabet: str = "abcde") -> Corpus:
    """Noise: a model learns how often each letter comes, and then to repeat what it saw."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.multinomial(torch.tensor([0.5, 0.2, 0.1, 0.1, 0.1]), 2000, True, generator=generator).to(torch.uint8)
    return Corpus(
        name="noise",
        tokenizer=CharacterTokenizer(alphabet),
        train=tokens[:1500],
        validation=tokens[1510:1700],
        test=tokens[1710:],
    )


def periodic() -> Corpus:
    tokens = (torch.arange(1000) % 5).to(torch.uint8)
    return Corpus(
        name="abcde", tokenizer=CharacterTokenizer("abcde"), train=tokens[:700], validation=tokens[710:850], test=tokens[860:]
    )


def model_of(config: GPTConfig = CONFIG) -> GPT:
    torch.manual_seed(0)
    return GPT(config)


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_the_learning_rate_warms_up_and_falls_along_a_cosine() -> None:
    schedule = LanguageSchedule(steps=110, warmup=10, lr=2.0, final=0.1)
    assert [schedule.lr_at(step) for step in (0, 4, 9, 10)] == pytest.approx([0.2, 1.0, 2.0, 2.0])
    assert schedule.lr_at(60) == pytest.approx(2.0 * (0.1 + 0.9 / 2))
    assert schedule.lr_at(110) == schedule.lr_at(500) == pytest.approx(0.2)
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=2.0)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100, eta_min=0.2)
    for step in range(10, 110):
        assert schedule.lr_at(step) == pytest.approx(cosine.get_last_lr()[0], rel=1e-6)
        optimizer.step()
        cosine.step()


def test_decay_is_for_matrices_alone() -> None:
    model = model_of(replace(CONFIG, bias=True, norm="layer", positions="absolute"))
    optimizer = adamw(model, SCHEDULE)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed, free = ({names[id(p)] for p in group["params"]} for group in optimizer.param_groups)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    assert decayed | free == set(names.values())
    assert {"embed.weight", "place.weight", "head.weight", "blocks.0.mlp.up.weight"} <= decayed
    assert all(name.endswith("bias") or "norm" in name for name in free)
    assert not any(name.endswith("bias") or "norm" in name for name in decayed)


def test_steps_are_those_of_a_plain_loop() -> None:
    """Written once more in the plainest form: same draws, same clipping, AdamW without fusing."""
    corpus, config = corpus_of(), replace(CONFIG, dropout=0.0)
    schedule = replace(SCHEDULE, steps=12, clip=0.05, evaluate_every=100)
    model, plain, losses = model_of(config), model_of(config), []
    fit(model, corpus, schedule, on_step=lambda step: losses.append(step.loss))
    generator = torch.Generator().manual_seed(schedule.seed)
    matrices = [p for p in plain.parameters() if p.ndim > 1]
    others = [p for p in plain.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), foreach=False, fused=False)
    for step in range(12):
        starts = random_starts(len(corpus.train), config.block, schedule.batch, generator)
        inputs, targets = windows(corpus.train, starts, config.block)
        loss = F.cross_entropy(plain(inputs).transpose(1, 2), targets)
        assert float(loss.detach()) == pytest.approx(losses[step], abs=2e-5)
        optimizer.zero_grad()
        loss.backward()
        total = math.sqrt(sum(float((p.grad**2).sum()) for p in plain.parameters()))
        for p in plain.parameters():
            p.grad *= min(1.0, schedule.clip / total)
        for group in optimizer.param_groups:
            group["lr"] = schedule.lr_at(step)
        optimizer.step()
    for one, other in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_slices_add_up_to_the_gradient_of_the_batch() -> None:
    corpus, model = corpus_of(), model_of(replace(CONFIG, dropout=0.0)).double()
    gradients, losses = [], []
    for accumulate in (1, 2, 3, 6):
        training = Training(model, corpus, replace(SCHEDULE, accumulate=accumulate), "float32", "cpu")
        model.zero_grad()
        losses.append(float(training.gradient(model, *training.batch())))
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    for gradient, loss in zip(gradients[1:], losses[1:], strict=True):
        torch.testing.assert_close(gradient, gradients[0], atol=1e-7, rtol=1e-5)
        assert loss == pytest.approx(losses[0], rel=1e-6)


def test_it_learns_what_there_is_to_learn() -> None:
    model = model_of(replace(CONFIG, dropout=0.0))
    history = fit(model, periodic(), replace(SCHEDULE, steps=80, lr=1e-2))
    assert history.evaluations[0].train_loss > 1
    assert history.best_loss < 0.35  # the first token of a window cannot be told before it, the others can
    assert history.tokens == 80 * 6 * 8
    assert not model.training


@pytest.mark.parametrize("stopped", [1, 17, 20, 39])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_training_is_the_whole_one_bit_for_bit(stopped: int, precision: str, tmp_path: Path) -> None:
    corpus, whole, losses, again = corpus_of(), model_of(), [], []
    history = fit(whole, corpus, SCHEDULE, precision=precision, checkpoints=tmp_path / "whole", on_step=losses.append)
    half = model_of()
    first = fit(
        half, corpus, SCHEDULE, precision=precision, checkpoints=tmp_path / "parts", on_step=again.append,
        stopping=lambda: len(again) == stopped,
    )  # fmt: skip
    assert (first.ended, first.steps) == ("asked", stopped)
    torch.manual_seed(12345)
    other = GPT(CONFIG)
    start = load_checkpoint(tmp_path / "parts" / LAST)
    resumed = fit(
        other, corpus, SCHEDULE, precision=precision, checkpoints=tmp_path / "parts", start=start, on_step=again.append
    )  # fmt: skip
    assert again == losses
    assert resumed == history
    assert same(whole, other)
    for name in (LAST, BEST):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_two_threads_go_on_bit_for_bit_and_another_number_says_that_dropout_draws_anew(tmp_path: Path) -> None:
    try:
        torch.set_num_threads(2)
        whole, other, told, count = model_of(), GPT(CONFIG), [], []
        history = fit(whole, corpus_of(), SCHEDULE, checkpoints=tmp_path / "whole")
        fit(
            model_of(), corpus_of(), SCHEDULE, checkpoints=tmp_path / "parts", on_step=count.append,
            stopping=lambda: len(count) == 17,
        )  # fmt: skip
        start = load_checkpoint(tmp_path / "parts" / LAST)
        assert fit(other, corpus_of(), SCHEDULE, start=start, notify=told.append) == history
        assert same(whole, other)
        assert not told
        torch.set_num_threads(1)
        fit(GPT(CONFIG), corpus_of(), SCHEDULE, start=start, notify=told.append)
        assert "was written with 2 threads, but now there are 1: dropout will draw other numbers" in told[0]
    finally:
        torch.set_num_threads(1)


def test_a_training_from_another_device_says_that_its_steps_will_differ(tmp_path: Path) -> None:
    told: list[str] = []
    fit(model_of(), corpus_of(), replace(SCHEDULE, steps=10), checkpoints=tmp_path)
    start = load_checkpoint(tmp_path / LAST)
    fit(model_of(), corpus_of(), replace(SCHEDULE, steps=10), start=start, notify=told.append)
    assert not told
    there = replace(start, state={**start.state, "random.cuda": torch.zeros(1, 16, dtype=torch.uint8)})
    fit(model_of(), corpus_of(), replace(SCHEDULE, steps=10), start=there, notify=told.append)
    assert len(told) == 1
    assert "was written on another device than cpu: the steps will not be identical" in told[0]


def test_the_best_weights_are_kept_and_early_stopping_ends_it(tmp_path: Path) -> None:
    schedule = replace(SCHEDULE, steps=400, lr=2e-2, patience=3, evaluate_every=10)
    model, corpus = model_of(replace(CONFIG, dropout=0.0)), corpus_of()
    history = fit(model, corpus, schedule, checkpoints=tmp_path)
    losses = [one.validation_loss for one in history.evaluations]
    assert history.ended == "patience"
    assert losses.index(min(losses)) == len(losses) - 4
    assert history.best_step == history.evaluations[-4].step
    assert history.best_loss == min(losses)
    own = float(token_losses(model, corpus.validation, 8).mean())
    assert own == pytest.approx(history.best_loss, abs=1e-9)
    best, last = load_checkpoint(tmp_path), load_checkpoint(tmp_path / LAST)
    assert (best.step, last.step) == (history.best_step, history.steps)
    assert same(best.model, model)
    assert not same(last.model, model)
    assert fit(model, corpus, schedule, checkpoints=tmp_path, start=last) == history  # nothing is left to do
    assert same(best.model, model)


def test_the_best_file_is_no_state_and_is_needed(tmp_path: Path) -> None:
    fit(model_of(), corpus_of(), replace(SCHEDULE, steps=20, lr=0.5, warmup=0), checkpoints=tmp_path)
    start = load_checkpoint(tmp_path / LAST)
    with pytest.raises(ErlangenError, match="has only weights, so training cannot resume from it"):
        fit(model_of(), corpus_of(), SCHEDULE, start=load_checkpoint(tmp_path / BEST))
    assert start.step == 20
    if load_checkpoint(tmp_path / BEST).step != 20:
        (tmp_path / BEST).unlink()
        with pytest.raises(ErlangenError, match=BEST):
            fit(model_of(), corpus_of(), SCHEDULE, start=start)


def test_a_best_that_was_not_written_any_more_is_written_when_it_goes_on(tmp_path: Path) -> None:
    """Killed between the two files: `last` is the best there is."""
    schedule = replace(SCHEDULE, steps=10)
    model = model_of()
    fit(model, corpus_of(), schedule, checkpoints=tmp_path)
    (tmp_path / BEST).unlink()
    fit(model_of(), corpus_of(), schedule, checkpoints=tmp_path, start=load_checkpoint(tmp_path / LAST))
    assert load_checkpoint(tmp_path / BEST).step == 10
    assert same(load_checkpoint(tmp_path).model, model)


def test_only_its_own_corpus_and_configuration_resume_a_training(tmp_path: Path) -> None:
    fit(model_of(), corpus_of(), replace(SCHEDULE, steps=10), checkpoints=tmp_path)
    start = load_checkpoint(tmp_path / LAST)
    with pytest.raises(ErlangenError, match="its tokenizer differs from that of the corpus noise"):
        fit(model_of(), corpus_of(alphabet="abcdf"), SCHEDULE, start=start)
    with pytest.raises(ErlangenError, match="with other tokens than this corpus has"):
        fit(model_of(), corpus_of(seed=1), SCHEDULE, start=start)
    with pytest.raises(ErlangenError, match="another configuration"):
        fit(model_of(replace(CONFIG, dropout=0.1)), corpus_of(), SCHEDULE, start=start)
    broken = replace(start, state={name: x for name, x in start.state.items() if name != "optimizer.norm.weight.exp_avg"})
    with pytest.raises(DamagedFileError, match=r"incomplete or invalid \('optimizer\.norm\.weight\.exp_avg'\)"):
        fit(model_of(), corpus_of(), SCHEDULE, start=broken)


@pytest.mark.parametrize("where", ["first", "later", "validation"])
def test_a_loss_that_is_not_finite_is_one_line_and_replaces_nothing(where: str, tmp_path: Path) -> None:
    model, kept = model_of(), b""
    if where == "first":
        nn.init.constant_(model.norm.weight, torch.nan)

    def spoil(step) -> None:
        nonlocal kept
        if step.step == {"first": 0, "later": 15, "validation": 20}[where]:
            kept = (tmp_path / LAST).read_bytes()
            nn.init.constant_(model.norm.weight, torch.inf)

    with pytest.raises(ErlangenError, match=r"loss is (no longer|not) finite at step \d+: lower the learning rate") as caught:
        fit(model, corpus_of(), SCHEDULE, checkpoints=tmp_path, on_step=spoil)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / LAST).exists() if where == "first" else (tmp_path / LAST).read_bytes() == kept


def test_a_seed_repeats_it_and_another_does_not() -> None:
    models = [model_of() for _ in range(3)]
    for model, seed in zip(models, (3, 3, 4), strict=True):
        torch.rand(7)
        fit(model, corpus_of(), replace(SCHEDULE, steps=10, seed=seed))
    assert same(models[0], models[1])
    assert not same(models[0], models[2])


def test_evaluating_draws_nothing_and_drops_nothing() -> None:
    losses: list[list[float]] = [[], []]
    for every, seen in zip((1, 10), losses, strict=True):
        fit(
            model_of(),
            corpus_of(),
            replace(SCHEDULE, steps=10, evaluate_every=every),
            on_step=lambda s, seen=seen: seen.append(s.loss),
        )
    assert losses[0] == losses[1]


def test_pace_leaves_everything_as_it_was() -> None:
    model, state = model_of(), torch.get_rng_state()
    before = copy.deepcopy(model.state_dict())
    found = pace(model, corpus_of(), SCHEDULE, "float32", "cpu", updates=4)
    assert 0 < found.update < 5
    assert 0 < found.evaluation < 5
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())
    assert model.training


def test_pace_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made, update = [], Training.update
    monkeypatch.setattr(Training, "update", lambda self, net: (made.append(1), update(self, net)))
    found = pace(model_of(), corpus_of(), SCHEDULE, "float32", "cpu", limit=1e-9)
    assert len(made) == 1
    assert found.update > 0
    pace(model_of(), corpus_of(), SCHEDULE, "float32", "cpu", updates=4)
    assert len(made) == 1 + 3 + 4


def test_losses_of_a_part_name_their_tokens() -> None:
    corpus, model = corpus_of(), model_of().eval()
    losses, at = part_losses(model, corpus, "validation")
    assert torch.equal(losses, token_losses(model, corpus.validation, 8))
    assert torch.equal(at, torch.arange(1, 190))
    losses, at = part_losses(model, corpus, "validation", limit=50)
    assert (len(losses), len(at), int(at[-1])) == (50, 50, 50)


def test_tales_are_scored_whole_and_only_whole_ones_up_to_a_limit() -> None:
    corpus = load_corpus("tales", block=256, tales=60)
    model = model_of(replace(CONFIG, vocabulary=corpus.tokenizer.size, block=256))
    losses, at = part_losses(model, corpus, "validation")
    assert torch.equal(at, torch.arange(len(corpus.validation)))
    assert len(losses) == len(at)
    text = corpus.tokenizer.decode(corpus.validation)
    first, second = (text.index("\n") + 1, text.index("\n", text.index("\n") + 1) + 1)
    for limit, scored in ((1, first), (second - 1, first), (second, second), (10**6, len(text))):
        assert len(part_losses(model, corpus, "validation", limit=limit)[0]) == scored


def test_what_decides_a_corpus_is_its_tokens() -> None:
    one = corpus_of()
    assert fingerprint(one) == fingerprint(replace(one, name="other"))
    changed = one.train.clone()
    changed[700] += 1
    assert fingerprint(one) != fingerprint(replace(one, train=changed))


FAULTS = {
    "precision": ({"precision": "float8"}, "choose one of float32, tf32, bfloat16, float16"),
    "float16": ({"precision": "float16"}, "--precision float16: .* needs a CUDA device, not cpu"),
    "tf32": ({"precision": "tf32"}, "--precision tf32: .* needs a CUDA device, not cpu"),
    "slices": ({"schedule": replace(SCHEDULE, accumulate=4)}, r"--batch 6 is not a multiple of 1 processes × 4 slices"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_trained_so_is_one_line(name: str) -> None:
    options, told = FAULTS[name]
    with pytest.raises(ErlangenError, match=told):
        fit(model_of(), corpus_of(), **{"schedule": SCHEDULE, **options})


@pytest.mark.parametrize("change", [{"steps": 0}, {"lr": 0.0}, {"lr": math.nan}, {"patience": 0}, {"clip": 0.0}, {"final": 2.0}])
def test_a_schedule_that_makes_no_sense_is_refused(change: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        LanguageSchedule(**change)


def test_where_nothing_compiles_training_goes_on_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(net):
        raise RuntimeError("no compiler\nfound")

    net = type("Broken", (nn.Module,), {"forward": lambda self, x, targets: broken(x)})()
    monkeypatch.setattr(torch, "compile", lambda _: net)
    lines: list[str] = []
    compiled, plain = model_of(), model_of()
    fit(compiled, corpus_of(), replace(SCHEDULE, steps=5), compile=True, notify=lines.append)
    fit(plain, corpus_of(), replace(SCHEDULE, steps=5))
    assert lines == ["--compile: torch.compile failed (no compiler); training without it"]
    assert same(compiled, plain)


@pytest.mark.slow
def test_a_compiled_model_learns_the_same() -> None:
    config = replace(CONFIG, dropout=0.0)
    compiled, plain, lines = model_of(config), model_of(config), []
    one = fit(compiled, corpus_of(), replace(SCHEDULE, steps=10), compile=True, notify=lines.append)
    two = fit(plain, corpus_of(), replace(SCHEDULE, steps=10))
    assert one.best_loss == pytest.approx(two.best_loss, abs=1e-3)


def test_bfloat16_and_float32_agree_on_what_was_learned() -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        losses[precision] = fit(
            model_of(replace(CONFIG, dropout=0.0)), periodic(), replace(SCHEDULE, lr=1e-2), precision=precision
        ).best_loss
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.1)
