"""`erlangen gpt train` as users meet it: results on stdout, a fault in one line, nothing lost, and a run goes on bit for bit."""

from __future__ import annotations

import json
import random
import re
import resource
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from support.command import erlangen, start
from support.gpt_command import TINY, Command, command, story

from erlangen.cli.gpt.train import threads_here
from erlangen.train.checkpoint import BEST, LAST, load_checkpoint

run = command("train")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return story(tmp_path / "story.txt")


def test_it_trains_and_tells_what_came_of_it(run: Command, text: Path, tmp_path: Path) -> None:
    out = run(text, *TINY, "--out", "run", "--sample-every", "10")
    assert out.code == 0, out.err
    for words in ("validation", "test", "nats per token", "bits per byte", "non-overlapping windows of 8", "generate run"):
        assert words in out.out
    assert "step 20/20" in out.err
    assert "sample at step 20" in out.err
    assert "floor" not in out.out
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [BEST, LAST]


def test_a_training_that_diverges_says_so_and_offers_no_text(run: Command, text: Path) -> None:
    def warned(out: str) -> bool:
        return bool(
            re.search(r"above that of a uniform guess \(ln 1\d = 2\.\d\d nats per token\): training diverged\. Try a", out)
        )

    out = run(text, *TINY, "--lr", "10", "--out", "hot")
    assert out.code == 0, out.err
    assert warned(out.out)
    assert "Try it" not in out.out
    assert warned(run("--out", "hot", "--resume").out), "a finished run still says so"
    as_json = run(text, *TINY, "--lr", "10", "--out", "json", "--json", "-")
    assert json.loads(as_json.out)["scores"][0]["nats_per_token"] > json.loads(as_json.out)["uniform_guess"] > 2
    assert warned(as_json.err)
    short = run(text, *TINY[:-4], "--steps", "1", "--precision", "float32", "--lr", "1e-9", "--out", "short")
    assert "diverged" not in short.out, short.out
    healthy = run(text, *TINY, "--out", "run")
    assert "uniform guess" not in healthy.out + healthy.err
    assert "Try it" in healthy.out


def test_divergence_after_the_best_step_is_told_and_overfitting_is_not_divergence() -> None:
    from types import SimpleNamespace

    from erlangen.cli.gpt.scores import warnings
    from erlangen.models.gpt import GPT, GPTConfig
    from erlangen.train.language_model import Evaluation, LanguageHistory

    model = GPT(GPTConfig(vocabulary=20, block=8, layers=1, heads=1, width=8))  # ln 20 = 3.00

    def told(train: float, validation: float, scored: float, before: float | None = None) -> str:
        course = (Evaluation(5, 2.9, scored), Evaluation(10, train, validation))
        history = LanguageHistory(evaluations=course, best_step=5, best_loss=scored, steps=10, tokens=80, ended="steps")
        return " ".join(warnings(model, history, SimpleNamespace(nats_per_token=scored), before))  # type: ignore[arg-type]

    assert told(600.0, 610.7, 2.5).startswith("The validation loss at step 10, 610.70, is above that of a uniform guess (ln 20 =")
    assert told(0.1, 8.0, 2.5) == "", "a text learned by heart"
    assert told(2.0, 2.0, 2.0) == ""
    assert "diverged" not in told(9.0, 8.0, 8.0, before=12.0), "weights of another text, which improve"
    assert told(3.02, 3.01, 3.01).endswith("Train for more steps.")


def test_the_last_line_of_progress_has_the_last_validation_loss(run: Command, text: Path) -> None:
    """As in the results, on the same tokens: the part is shorter than what an evaluation during training reads."""
    out = run(text, *TINY, "--json", "-")
    assert out.code == 0, out.err
    last = json.loads(out.out)["evaluations"][-1]["validation_loss"]
    assert re.search(rf"step 20/20 .* validation {last:.4f} at step 20  0:00 left", out.err), out.err
    assert out.err.count("step 20/20") == 1


def test_results_name_the_part_that_evaluations_during_training_read(
    run: Command, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from erlangen.train.language_schedule import LanguageSchedule

    sentence = "Evaluations during training use the first 32 tokens of the validation part."
    assert sentence not in run(text, *TINY, "--out", "run").out
    monkeypatch.setattr(
        LanguageSchedule.__init__, "__kwdefaults__", {**LanguageSchedule.__init__.__kwdefaults__, "evaluation_tokens": 32}
    )
    assert sentence in run(text, *TINY, "--out", "again").out


def test_a_run_that_patience_ended_says_so_when_it_is_resumed(run: Command, text: Path, tmp_path: Path) -> None:
    out = run(text, *TINY, "--lr", "10", "--evaluate-every", "1", "--patience", "1", "--out", "run")
    assert "(ended by --patience)" in out.out, out.out
    made = load_checkpoint(tmp_path / "run" / LAST).step
    assert made < 20
    again = run("--out", "run", "--resume", "--steps", "30")
    assert "This run is finished: --patience ended it. To train its weights further, start a run with --from run" in again.out
    assert load_checkpoint(tmp_path / "run" / LAST).step == made


def test_json_holds_the_numbers_that_are_printed(run: Command, text: Path) -> None:
    out = run(text, *TINY, "--json", "-")
    data = json.loads(out.out)
    assert (data["steps"], data["ended"], data["folder"]) == (20, "steps", "runs/gpt/story-gpt-nano")
    assert [one["step"] for one in data["evaluations"]] == [5, 10, 15, 20]
    assert data["config"]["width"] == 48
    assert data["config"]["rotary"]["base"] == 10000
    for score in data["scores"]:
        low, high = score["interval"]
        assert low < score["nats_per_token"] < high
        ratio = score["nats_per_token"] / score["bits_per_byte"]  # ln 2 · bytes per token, é has two
        assert 0.693147 < ratio < 0.75
    printed = run(text, *TINY, "--out", "again").out
    assert f"{data['scores'][0]['nats_per_token']:.4f}" in printed


def test_tales_have_their_floor_beside(run: Command) -> None:
    out = run("--tales", "200", "--model", "gpt-nano", "--batch", "1", "--steps", "2", "--out", "run", "--json", "-")
    assert out.code == 0, out.err
    for score in json.loads(out.out)["scores"]:
        low, high = score["above_floor_interval"]
        assert 0 < score["floor"] < 1
        assert score["nats_per_token"] - score["floor"] == pytest.approx(score["above_floor"])
        assert 0 < low < score["above_floor"] < high
        assert score["evaluation"].startswith("windows of whole tales")


def test_minutes_choose_the_steps_and_record_them(run: Command, text: Path) -> None:
    args = [argument for argument in TINY if argument not in ("--steps", "20", "--evaluate-every", "5")]
    began = time.monotonic()
    out = run(text, *args, "--minutes", "0.05", "--json", "-")
    data = json.loads(out.out)
    assert data["schedule"]["steps"] == data["steps"] >= 1
    assert len(data["evaluations"]) <= 20
    assert data["options"]["minutes"] == 0.05
    assert time.monotonic() - began < 60


def test_find_lr_prints_a_rate_and_trains_nothing(run: Command, text: Path, tmp_path: Path) -> None:
    out = run(text, *TINY, "--find-lr")
    assert out.code == 0
    assert "Suggested: --lr " in out.out
    assert list(tmp_path.iterdir()) == [text]


def test_find_lr_gives_its_curve_as_json_and_times_nothing(run: Command, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from erlangen.train import language_model

    monkeypatch.setattr(language_model, "pace", lambda *args, **options: pytest.fail("the pace was measured for nothing"))
    args = [argument for argument in TINY if argument not in ("--steps", "20", "--evaluate-every", "5")]
    out = run(text, *args, "--find-lr", "--json", "-")
    assert out.code == 0, out.err
    data = json.loads(out.out)
    assert len(data["rates"]) == len(data["losses"]) == len(data["smoothed"]) > 10
    assert data["suggestion"] in [rate / 10 for rate in data["rates"]]


def test_a_machine_shares_its_cores_among_its_own_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlangen.sweep.machine.cores", lambda: 8)
    for omp, here, threads in (("", None, 8), ("", "2", 4), ("", "16", 1), ("3", "2", 3), ("0", "2", 4), ("many", None, 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", omp)
        monkeypatch.setenv("WORLD_SIZE", "32")  # of all machines
        monkeypatch.setenv("LOCAL_WORLD_SIZE", here) if here else monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
        assert threads_here() == threads, (omp, here)


def test_short_runs_are_not_compiled(run: Command, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda net: pytest.fail("20 steps were compiled"))
    out = run(text, *TINY, "--compile")
    assert out.code == 0, out.err
    assert "--compile: 20 steps are few" in out.err


@pytest.mark.parametrize("dropout", ["0", "0.1"])
def test_who_compiles_dropout_for_a_cpu_is_told_the_price(
    dropout: str, run: Command, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["erlangen.cli.gpt.train"], "SMALL_STEPS", 1)
    monkeypatch.setattr(torch, "compile", lambda net: net)
    out = run(text, *TINY, "--compile", "--dropout", dropout)
    assert out.code == 0, out.err
    assert ("--compile: on a CPU compiled dropout is slow" in out.err) == (dropout == "0.1")


def test_results_that_cannot_be_written_are_printed_all_the_same(
    run: Command, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from erlangen.cli.gpt import scores
    from erlangen.errors import ErlangenError

    def full(data: object, target: str | None) -> None:
        raise ErlangenError(f"cannot write {target}: the disk is full")

    monkeypatch.setattr(scores, "emit", full)
    out = run(text, *TINY, "--json", "x.json")
    assert out.code == 2
    assert "nats per token" in out.out
    assert out.err.splitlines()[-1] == "erlangen: cannot write x.json: the disk is full"


def test_too_few_tales_for_a_block_are_one_line(run: Command) -> None:
    out = run("--tales", "60", "--block", "30000", "--steps", "1")
    assert (out.code, out.out) == (4, "")
    assert out.err.splitlines()[-1].startswith("erlangen: --block 30000: tales has ")
    assert "Traceback" not in out.err


@pytest.mark.parametrize("words", ["the old fox", "the\nold fox"])
def test_a_sample_begins_with_a_new_line_or_with_the_first_token_it_was_given(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from types import SimpleNamespace

    from erlangen.cli.gpt import progress
    from erlangen.data.corpora import load_corpus
    from erlangen.generate.decode import generate
    from erlangen.generate.settings import Settings
    from erlangen.models.gpt import GPT, GPTConfig

    path = tmp_path / "story.txt"
    path.write_text(f"{words} " * 100, encoding="utf-8")
    corpus = load_corpus(str(path), block=8)
    model = GPT(GPTConfig(vocabulary=corpus.tokenizer.size, block=8, layers=1, heads=1, width=8))
    monkeypatch.setattr(progress, "SAMPLE", 20)
    plan = SimpleNamespace(model=model, corpus=corpus)
    progress.sampler(plan, "cpu", 5)(SimpleNamespace(step=5))  # type: ignore[arg-type]
    first = corpus.tokenizer.encode("\n") if "\n" in words else corpus.validation[:1].long()
    expected = corpus.tokenizer.decode(generate(model, first, 20, settings=Settings(seed=5))[0])
    assert capsys.readouterr().err == f"--- sample at step 5 ---\n{expected.removeprefix(chr(10))}\n---\n"


@pytest.mark.parametrize(("here", "on_cuda", "resumed"), [(0, True, "cpu"), (1, True, "cuda"), (1, False, "cpu")])
def test_a_run_resumes_on_the_kind_of_device_that_it_was_written_on(
    here: int, on_cuda: bool, resumed: str, run: Command, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    from erlangen.cli.gpt.resuming import device_of

    monkeypatch.setattr(torch.cuda, "is_available", lambda: here > 0)
    save_file({"random.cuda" if on_cuda else "random.cpu": torch.zeros(1)}, tmp_path / LAST)
    assert device_of(tmp_path) == resumed
    (tmp_path / LAST).write_bytes(b"no checkpoint")
    assert device_of(tmp_path) == device_of(tmp_path / "nowhere") == ("cuda" if here else "cpu")


def test_the_device_and_the_precision_are_said_in_one_line(run: Command, text: Path) -> None:
    out = run(text, *TINY)
    assert "float32 on cpu: 20 steps, 32 tokens each" in out.err


FAULTS = {
    "unknown size": (("--model", "gpt-giga"), 2, "--model gpt-giga: choose gpt-nano"),
    "no such text": (("nowhere.txt",), 2, "nowhere.txt"),
    "two ends": (("--steps", "9", "--minutes", "1"), 2, "give one"),
    "float16 on a CPU": (("--device", "cpu", "--precision", "float16"), 2, "--precision float16 needs a CUDA device, not cpu"),
    "unknown precision": (("--precision", "float8"), 2, "--precision float8: choose"),
    "tf32 on a CPU": (("--device", "cpu", "--precision", "tf32"), 2, "--precision tf32 needs a CUDA device, not cpu"),
    "one process to divide among": (("--shard", "--steps", "5"), 2, "--shard divides a model among processes"),
    "unknown device": (("--device", "tpu"), 2, "--device tpu"),
    "slices": (("--batch", "5", "--accumulate", "2"), 2, "--batch 5 is not a multiple"),
    "nothing to resume": (("--resume",), 2, "no last.safetensors"),
    "unknown positions": (("--positions", "spiral"), 2, "positions 'spiral' are unknown: choose one of rotary"),
    "keys for no heads": (("--kv-heads", "3"), 2, "--kv-heads 3: must divide the 4 heads of --model gpt-micro"),
    "no heads of keys": (("--kv-heads", "0"), 2, "--kv-heads"),
    "local without a window": (("--attention", "local"), 2, "needs a window"),
    "too long a block": (("story.txt", "--block", "2000"), 4, "too few for windows of 2000"),
    "tales of a text": (("story.txt", "--tales", "99"), 2, "--tales 99: the text is story.txt"),
    "zero steps": (("--steps", "0"), 2, "--steps"),
    "a rate without end": (("--lr", "inf"), 2, "--lr inf: give a finite number"),
    "a decay without end": (("--weight-decay", "inf"), 2, "--weight-decay inf: give a finite number"),
    "minutes without end": (("--minutes", "inf"), 2, "--minutes inf: give a finite number"),
    "a seed beyond torch's": (("--seed", str(2**64)), 2, "--seed"),
    "results below a file": (("--json", "story.txt/x.json"), 2, "story.txt is not a writable directory"),
    "a rate for a run that goes on": (("--find-lr", "--resume"), 2, "--find-lr is for a training that begins"),
    "a folder below a file": (("story.txt", "--out", "story.txt/x"), 2, "story.txt is not a writable directory"),
    "a file in place of a folder": (("story.txt", "--out", "story.txt"), 2, "it is a file"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_user_is_one_line_and_leaves_nothing(name: str, run: Command, text: Path, tmp_path: Path) -> None:
    args, code, told = FAULTS[name]
    out = run(*args)
    assert (out.code, out.out) == (code, ""), out.err
    assert told in out.err
    assert out.err.count("\n") == 1, out.err
    assert list(tmp_path.iterdir()) == [text]


def test_a_run_is_not_overwritten_and_goes_on_when_asked(run: Command, text: Path, tmp_path: Path) -> None:
    run(text, *TINY, "--out", "run")
    kept = (tmp_path / "run" / LAST).read_bytes()
    out = run(text, *TINY, "--out", "run")
    assert (out.code, out.err.count("\n")) == (2, 1)
    assert "--resume" in out.err
    assert (tmp_path / "run" / LAST).read_bytes() == kept
    done = run("--out", "run", "--resume")
    assert done.code == 0, done.err
    assert "all 20 steps are done" in done.err
    assert "This run is finished; add --steps N to go on." in done.out
    assert "0 steps in" not in done.out
    assert (tmp_path / "run" / LAST).read_bytes() == kept
    out = run("--out", "run", "--resume", "--lr", "0.1")
    assert (out.code, out.out) == (2, "")
    assert "--lr 0.1: the run in run was started with 0.003" in out.err
    assert "has already made 20" in run("--out", "run", "--resume", "--steps", "10").err
    longer = run("--out", "run", "--resume", "--steps", "25")
    assert longer.code == 0, longer.err
    assert load_checkpoint(tmp_path / "run" / LAST).step == 25


def test_what_a_run_was_started_without_is_said_in_words(run: Command, text: Path) -> None:
    run(text, *TINY, "--out", "run")
    out = run("--out", "run", "--resume", "--patience", "3")
    assert out.code == 2
    assert "--patience 3: the run in run was started without it: leave it out" in out.err
    assert "from step 20 to 25, 32 tokens each" in run("--out", "run", "--resume", "--steps", "25").err


def test_shared_keys_are_trained_and_resumed(run: Command, text: Path, tmp_path: Path) -> None:
    assert run(text, *TINY, "--kv-heads", "1", "--out", "run").code == 0
    assert load_checkpoint(tmp_path / "run" / LAST).config.kv_heads == 1
    assert "--kv-heads 3: the run in run was started with 1" in run("--out", "run", "--resume", "--kv-heads", "3").err
    assert run("--out", "run", "--resume", "--steps", "25", "--kv-heads", "1").code == 0
    assert load_checkpoint(tmp_path / "run" / LAST).config.kv_heads == 1


def test_a_run_resumes_from_another_working_directory(run: Command, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert run(text.name, *TINY, "--out", "run").code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    out = run("--out", "../run", "--resume", "--steps", "25")
    assert out.code == 0, out.err
    out = run(f"../{text.name}", "--out", "../run", "--resume", "--steps", "30")  # naming it is no change
    assert out.code == 0, out.err
    assert load_checkpoint(tmp_path / "run" / LAST).step == 30


def test_a_text_that_moved_is_named_again_and_must_be_the_same(run: Command, text: Path, tmp_path: Path):
    assert run(text.name, *TINY, "--out", "run").code == 0
    moved = text.rename(tmp_path / "moved.txt")
    out = run("--out", "run", "--resume", "--steps", "25")
    assert out.code == 2
    assert f"{text}: there is no such text; if it moved, name it" in out.err
    assert run(moved.name, "--out", "run", "--resume", "--steps", "25").code == 0
    other = story(tmp_path / "other.txt", "other words with xylophones")
    out = run(other.name, "--out", "run", "--resume", "--steps", "30")
    assert out.code == 2
    assert "resume on the corpus that it was trained on" in out.err
    assert "started with" in run("tales", "--out", "run", "--resume", "--steps", "30").err


def test_a_text_that_changed_does_not_resume(run: Command, text: Path) -> None:
    run(text, *TINY, "--out", "run")
    story(text, "other words with xylophones")
    out = run("--out", "run", "--resume")
    assert out.code == 2
    assert "resume on the corpus that it was trained on" in out.err


@pytest.mark.parametrize(("signum", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")])
def test_a_signal_saves_at_the_next_step_and_the_run_goes_on_bit_for_bit(
    signum: int, code: int, word: str, run: Command, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from erlangen.cli.gpt.progress import Line

    options = (*TINY, "--dropout", "0.1")
    assert run(text, *options, "--out", "whole").code == 0
    tell = Line.tell

    def at_13(line: Line, step: int) -> None:
        tell(line, step)
        if step == 13:
            signal.raise_signal(signum)

    monkeypatch.setattr(Line, "tell", at_13)
    out = run(text, *options, "--out", "parts")
    assert (out.code, out.out) == (code, "")
    assert f"{word}: step 13 is saved in parts; continue with --resume" in out.err
    monkeypatch.setattr(Line, "tell", tell)
    assert run("--out", "parts", "--resume").code == 0
    assert same_training(tmp_path / "whole", tmp_path / "parts")


def same_training(one: Path, other: Path) -> bool:
    """Whether weights, moments, random states and losses are the same, bit for bit."""
    first, second = (load_checkpoint(folder / LAST) for folder in (one, other))
    tensors = [{**read.model.state_dict(), **read.state} for read in (first, second)]
    assert tensors[0].keys() == tensors[1].keys()
    assert len(first.state) > 10
    return first.history == second.history and all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])


def test_a_full_disk_is_one_line_and_keeps_the_checkpoint_before(run: Command, text: Path, tmp_path: Path) -> None:
    run(text, *TINY, "--out", "run")
    kept = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    handler, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(map(len, kept.values())) // 2, limits[1]))
    try:
        out = run("--out", "run", "--resume", "--steps", "40")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (out.code, out.out) == (2, "")
    assert "cannot write run/" in out.err.splitlines()[-1]
    assert "what was there before is kept" in out.err
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == kept
    assert run("--out", "run", "--resume", "--steps", "40").code == 0


@pytest.mark.slow
def test_a_run_killed_at_any_moment_goes_on_bit_for_bit(text: Path, tmp_path: Path) -> None:
    options = (*TINY[:-2], "--dropout", "0.1", "--steps", "600", "--evaluate-every", "10")
    assert erlangen("gpt", "train", text, *options, "--out", "whole", cwd=tmp_path).returncode == 0
    moments = random.Random(1)
    args: tuple[object, ...] = (text, *options)
    killed = 0
    for _ in range(4):
        process = start("gpt", "train", *args, "--out", "parts", cwd=tmp_path)
        limit = time.monotonic() + 60
        before = (tmp_path / "parts" / LAST).stat().st_mtime_ns if args[0] == "--resume" else 0
        while time.monotonic() < limit and process.poll() is None:
            if (tmp_path / "parts" / LAST).exists() and (tmp_path / "parts" / LAST).stat().st_mtime_ns > before:
                break
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 1))
        killed += process.poll() is None
        process.kill()
        process.communicate()
        args = ("--resume",)
    assert killed >= 2
    assert erlangen("gpt", "train", "--resume", "--out", "parts", cwd=tmp_path).returncode == 0
    assert same_training(tmp_path / "whole", tmp_path / "parts")
