"""`erlangen gpt train --from`: a training begins with the weights of another, or with GPT-2's, and keeps their tokenizer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from support.gpt_command import TINY, Command, command, save_small_gpt2, story

from erlangen.data.bpe import GPT2Tokenizer
from erlangen.models.gpt2 import load_gpt2
from erlangen.train.checkpoint import LAST, load_checkpoint

MORE = ("--batch", "4", "--steps", "20", "--evaluate-every", "5", "--precision", "float32")


run = command("train")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return story(tmp_path / "story.txt")


@pytest.fixture
def trained(run: Command, text: Path, tmp_path: Path) -> Path:
    assert run(text, *TINY, "--dropout", "0", "--lr", "1e-2", "--out", "first").code == 0
    return tmp_path / "first"


def test_it_begins_where_the_other_ended(trained: Path, run: Command, text: Path, tmp_path: Path) -> None:
    before = load_checkpoint(trained)
    out = run(text, *MORE, "--from", "first", "--lr", "1e-9", "--json", "-")
    assert out.code == 0, out.err
    data = json.loads(out.out)
    assert data["folder"] == "runs/gpt/story-from-first"
    assert data["config"] == {**data["config"], "width": 48, "block": 8, "positions": "rotary"}
    told = re.search(r"before the first step: ([\d.]+) nats", out.err)
    assert told is not None
    assert float(told[1]) == pytest.approx(before.history[-1]["validation_loss"], abs=1e-4)
    after = load_checkpoint(tmp_path / data["folder"])
    for name, weight in before.model.state_dict().items():
        torch.testing.assert_close(after.model.state_dict()[name], weight, rtol=0, atol=1e-6)


def test_where_no_step_is_better_than_the_beginning_that_is_said(trained: Path, run: Command, text: Path) -> None:
    worse = run(text, *MORE, "--from", "first", "--lr", "0.5", "--out", "worse")
    assert worse.code == 0, worse.err
    assert re.search(r"No evaluation improved on the starting weights \(\d\.\d{4} nats", worse.out)
    better = run(text, *MORE, "--from", "first", "--lr", "1e-2", "--out", "better", "--steps", "60")
    assert "No evaluation improved" not in better.out
    assert json.loads(run(text, *MORE, "--from", "first", "--out", "x", "--json", "-").out)["before"] > 0
    assert json.loads(run(text, *TINY, "--out", "y", "--json", "-").out)["before"] is None


def test_it_keeps_the_alphabet_of_its_weights(trained: Path, run: Command, tmp_path: Path) -> None:
    story(tmp_path / "few.txt", "the old fox")
    assert run("few.txt", *MORE, "--from", "first", "--out", "few").code == 0
    assert load_checkpoint(tmp_path / "few").tokenizer.to_json() == load_checkpoint(trained).tokenizer.to_json()
    resumed = run("--out", "few", "--resume", "--from", "first", "--steps", "22", "--json", "-")
    assert resumed.code == 0, resumed.err
    assert json.loads(resumed.out)["before"] is None, "it goes on from its own last step"
    assert load_checkpoint(tmp_path / "few" / LAST).step == 22
    story(tmp_path / "other.txt", "the zoo")
    out = run("other.txt", *MORE, "--from", "first", "--out", "other")
    assert (out.code, out.out, out.err.count("\n")) == (4, "", 1)
    assert "other: the text has characters that this tokenizer lacks: 'z' (U+007A)" in out.err
    assert not (tmp_path / "other").exists()


def test_other_dropout_window_and_block_are_allowed(trained: Path, run: Command, text: Path, tmp_path: Path) -> None:
    options = ("--dropout", "0.3", "--block", "16", "--attention", "local", "--window", "4")
    assert run(text, *MORE, "--from", "first", *options, "--out", "next").code == 0
    config = load_checkpoint(tmp_path / "next").config
    assert (config.dropout, config.block, config.attention, config.window) == (0.3, 16, "local", 4)


@pytest.mark.parametrize(
    "option",
    [("--model", "gpt-micro"), ("--positions", "alibi"), ("--norm", "layer"), ("--tokenizer", "characters"), ("--kv-heads", "1")],
    ids=str,
)
def test_what_the_weights_say_is_not_asked_twice(option: tuple[str, str], trained: Path, run: Command, text: Path) -> None:
    out = run(text, *MORE, "--from", "first", *option)
    assert (out.code, out.out, out.err.count("\n")) == (2, "", 1)
    assert f"{option[0]} {option[1]}: --from first decides this" in out.err


def test_absolute_positions_are_cut_but_not_invented(run: Command, text: Path, tmp_path: Path) -> None:
    assert run(text, *TINY, "--positions", "absolute", "--out", "first").code == 0
    assert run(text, *MORE, "--from", "first", "--block", "6", "--lr", "1e-9", "--out", "less").code == 0
    first, less = (load_checkpoint(tmp_path / name).model.state_dict()["place.weight"] for name in ("first", "less"))
    torch.testing.assert_close(less, first[:6], rtol=0, atol=1e-6)
    out = run(text, *MORE, "--from", "first", "--block", "9", "--out", "more")
    assert (out.code, out.err.count("\n")) == (2, 1)
    assert "--block 9: first has 8 absolute positions" in out.err


def test_no_checkpoint_is_one_line(run: Command, text: Path) -> None:
    out = run(text, *MORE, "--from", "nowhere")
    assert (out.code, out.err.count("\n")) == (2, 1)
    assert "nowhere" in out.err


def test_gpt2_goes_on_with_its_own_byte_pairs(run: Command, text: Path, tmp_path: Path) -> None:
    gpt2_folder = save_small_gpt2(tmp_path / "gpt2")
    out = run(text, *MORE, "--from", gpt2_folder, "--block", "8", "--lr", "1e-9", "--out", "tuned")
    assert out.code == 0, out.err
    tuned = load_checkpoint(tmp_path / "tuned")
    assert isinstance(tuned.tokenizer, GPT2Tokenizer)
    torch.testing.assert_close(
        tuned.model.state_dict()["blocks.0.mlp.up.weight"], load_gpt2(gpt2_folder).state_dict()["blocks.0.mlp.up.weight"]
    )
    (gpt2_folder / "vocab.json").write_text(json.dumps({chr(0x100 + k): k for k in range(300)}))
    (gpt2_folder / "merges.txt").write_text("#version: 0.2\n")
    out = run(text, *MORE, "--from", gpt2_folder, "--block", "8", "--out", "other")
    assert (out.code, out.err.count("\n")) == (2, 1)
    assert "its tokenizer has 300 tokens, the model 260: they do not belong together" in out.err
