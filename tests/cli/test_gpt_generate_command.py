"""`erlangen gpt generate` as users meet it: texts on stdout, the same again for the same seed, a fault in one line."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from support.gpt_command import Command, command, save_small_gpt2, spread

from erlangen.cli import main as cli
from erlangen.cli.gpt.generate import fast_mode
from erlangen.cli.gpt.prompts import read_prompts
from erlangen.data.bpe import GPT2Tokenizer
from erlangen.data.characters import CharacterTokenizer
from erlangen.errors import ErlangenError
from erlangen.generate.decode import generate
from erlangen.generate.fast import fast_decoder
from erlangen.generate.settings import Settings
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.models.gpt2 import load_gpt2
from erlangen.train.checkpoint import save
from erlangen.train.precision import resolve_device

LETTERS = CharacterTokenizer.of("abcdefghijklmnopqrstuvwxyzOTAWI,.‘?\n ")
CONFIG = GPTConfig(vocabulary=LETTERS.size, block=32, layers=2, heads=2, width=32)


def model(config: GPTConfig = CONFIG) -> GPT:
    torch.manual_seed(0)
    return spread(GPT(config))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    save(folder / "best.safetensors", model(), LETTERS, step=1, history=[], about={})
    return folder


run = command("generate")


@pytest.mark.parametrize("fast", ["off", "auto", "float32"])
def test_the_text_is_the_models(run: Command, checkpoint: Path, fast: str) -> None:
    """On whichever device the command chooses: a GPU that has bfloat16 rounds the weights, and may write another text."""
    place, net = resolve_device("auto"), model()
    start, settings = LETTERS.encode("Once").to(place), Settings(top_p=0.9, seed=5)
    rounded = fast_decoder(net.to(place), 1, "bfloat16") if fast_mode(fast, place, net) == "bfloat16" else None
    expected = generate(net.to(place), start, 60, settings=settings, read=rounded)
    out = run(checkpoint, "--prompt", "Once", "--tokens", 60, "--top-p", 0.9, "--seed", 5, "--fast", fast)
    assert (out.code, out.out) == (0, LETTERS.decode(expected[0].cpu()) + "\n")
    assert re.fullmatch(rf"device: {place}\n60 tokens in [\d.]+ s, \d+ a second \(\w+\)\n", out.err)


def test_every_option_of_the_filters_reaches_them(run: Command, checkpoint: Path) -> None:
    options = {
        "temperature": 1.5, "top_k": 20, "top_p": 0.95, "min_p": 0.01, "typical_p": 0.9, "min_tokens_to_keep": 3,
        "repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "seed": 5,
    }  # fmt: skip
    arguments = [argument for name, value in options.items() for argument in (f"--{name.replace('_', '-')}", value)]
    arguments += ["--device", "cpu"]
    text = json.loads(run(checkpoint, "--prompt", "Once", "--tokens", 60, *arguments, "--json", "-").out)["texts"][0]
    assert {name: text[name] for name in asdict(Settings())} == options
    expected = generate(model(), LETTERS.encode("Once"), 60, settings=Settings(**options))  # type: ignore[arg-type]
    assert text["text"] == LETTERS.decode(expected[0, 4:])


def test_a_text_that_cannot_continue_without_repetition_is_an_error(run: Command, checkpoint: Path) -> None:
    out = run(checkpoint, "--prompt", "Once", "--tokens", 60, "--no-repeat-ngram-size", 1, "--device", "cpu")
    assert (out.code, out.out) == (2, "")
    assert out.err.startswith("erlangen: --no-repeat-ngram-size 1: every token would repeat an n-gram of the text")


def test_a_named_device_is_not_announced(run: Command, checkpoint: Path) -> None:
    out = run(checkpoint, "--prompt", "Once", "--tokens", 5, "--device", "cpu")
    assert (out.code, "device" in out.err) == (0, False)


def test_a_mode_that_a_gpu_lacks_is_refused_and_auto_is_its_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    from erlangen.train import precision

    for known, fastest in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(precision, "has_bfloat16", lambda device, known=known: known)
        assert fast_mode("auto", "cuda:1", model()) == fastest
        assert fast_mode("auto", "cuda", model().double()) == "auto"
    assert [fast_mode("auto", device, model()) for device in ("cpu", "mps")] == ["auto", "off"]
    for fast in ("int8", "bfloat16"):
        with pytest.raises(ErlangenError, match=f"--fast {fast}: cuda has no such products"):
            fast_mode(fast, "cuda", model())


@pytest.mark.parametrize("fast", ["bfloat16", "int8"])
def test_rounded_weights_give_a_text_too(run: Command, checkpoint: Path, fast: str) -> None:
    out = run(checkpoint, "--prompt", "Once", "--tokens", 30, "--fast", fast, "--device", "cpu")
    assert out.code == 0
    assert len(out.out) == len("Once") + 30 + 1


def test_streaming_prints_the_same(run: Command, checkpoint: Path) -> None:
    arguments = (checkpoint, "--prompt", "Once", "--prompt", "An", "--tokens", 40)
    assert run(*arguments, "--stream").out == run(*arguments, "--no-stream").out


def test_samples_differ_and_are_the_same_however_many_are_made(run: Command, checkpoint: Path) -> None:
    def texts(n: int, *prompts: str) -> list[str]:
        asked = [argument for prompt in prompts for argument in ("--prompt", prompt)]
        out = run(checkpoint, *asked, "-n", n, "--tokens", 30, "--json", "-", "--fast", "off")
        return [entry["text"] for entry in json.loads(out.out)["texts"]]

    many = texts(20, "Once")
    assert len({*many}) == 20
    assert texts(3, "Once") == many[:3]
    assert texts(1, "As", "Once") == [texts(1, "As")[0], many[0]]


def test_the_published_prompts_are_one_command(run: Command, tmp_path: Path) -> None:
    published = json.loads((Path(cli.__file__).parent / "gpt" / "prompts.json").read_text(encoding="utf-8"))
    assert "UvA Deep Learning 1 (2024)" in published["source"]
    characters = CharacterTokenizer.of("".join(entry["prompt"] for entry in published["prompts"]))
    save(tmp_path / "a.safetensors", model(replace(CONFIG, vocabulary=characters.size)), characters, step=1, history=[], about={})
    out = run(tmp_path / "a.safetensors", "--prompts", "published", "--tokens", 10, "--json", "-", "--seed", 3)
    found = json.loads(out.out)["texts"]
    for entry, text in zip(published["prompts"], found, strict=True):
        assert {key: text[key] for key in entry} == entry
        assert (text["seed"], len(text["text"])) == (3, 10)
    assert [(entry["temperature"], entry["top_p"]) for entry in found] == [(0.7, 0.9), (1.0, 0.9), (0.75, 0.95), (0.65, 0.85)]
    warmer = run(tmp_path / "a.safetensors", "--prompts", "published", "--tokens", 5, "--json", "-", "--temperature", 2)
    assert {entry["temperature"] for entry in json.loads(warmer.out)["texts"]} == {2.0}


def test_a_file_of_prompts_has_one_a_line(tmp_path: Path) -> None:
    lines, listed = tmp_path / "prompts.txt", tmp_path / "prompts.json"
    lines.write_bytes("\ufeffOnce \r\n\r\n[In the\n".encode())
    assert [prompt.text for prompt in read_prompts(str(lines))] == ["Once ", "[In the"]
    listed.write_text('["Once", {"prompt": "As", "top_k": 3, "temperature": 0, "top_p": null}]', encoding="utf-8")
    assert [(prompt.text, prompt.settings) for prompt in read_prompts(str(listed))] == [
        ("Once", {}),
        ("As", {"top_k": 3, "temperature": 0}),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"prompt": "a", "heat": 3}]', "entry 1: there is no setting 'heat'"),
        ('["b", {"prompt": "a", "top_k": 1.5}]', "entry 2: top_k 1.5: give a number"),
        ('[{"prompt": "a", "top_p": "much"}]', "entry 1: top_p 'much': give a number"),
        ('[{"text": "a"}]', "entry 1: give a text"),
        ('[{"prompt": "a"}, {"prompt": "b", "top_p": 3}]', "entry 2: top-p 3: must be a probability"),
        ('{"prompt": "a"}', "give a list"),
        ('["a"', "truncated or not JSON"),
        ("[]", "contains no prompt"),
    ],
)
def test_a_broken_file_of_prompts_is_named_with_the_entry(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "prompts.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ErlangenError, match=re.escape(message)) as error:
        read_prompts(str(path))
    assert str(path) in str(error.value)


def test_a_file_of_prompts_is_read_once_and_may_begin_with_a_mark(tmp_path: Path) -> None:
    marked = tmp_path / "prompts.json"
    marked.write_text('\ufeff["Once"]', encoding="utf-8")
    assert [prompt.text for prompt in read_prompts(str(marked))] == ["Once"]
    reading, writing = os.pipe()  # as the shell's <(...)
    os.write(writing, b'["Once", "As"]')
    os.close(writing)
    assert [prompt.text for prompt in read_prompts(f"/dev/fd/{reading}")] == ["Once", "As"]
    os.close(reading)


def test_a_stop_token_ends_the_text(run: Command, checkpoint: Path) -> None:
    arguments = (checkpoint, "--prompt", "Once", "--tokens", 400, "--json", "-", "-n", 3, "--device", "cpu")
    free = [entry["text"] for entry in json.loads(run(*arguments).out)["texts"]]
    stopped = [entry["text"] for entry in json.loads(run(*arguments, "--stop", r"\n").out)["texts"]]
    assert stopped == [text[: text.index("\n") + 1] for text in free]


def test_without_a_prompt_a_text_begins_after_a_new_line(run: Command, checkpoint: Path) -> None:
    expected = generate(model(), LETTERS.encode("\n"), 20)
    for arguments in ((), ("--prompt", "")):
        assert run(checkpoint, "--tokens", 20, *arguments, "--device", "cpu").out == LETTERS.decode(expected[0, 1:]) + "\n"


def test_of_a_prompt_beyond_the_block_the_rest_is_told(run: Command, checkpoint: Path) -> None:
    out = run(checkpoint, "--prompt", "a" * 40, "--tokens", 3)
    assert "note: --prompt has 40 tokens; the model reads the last 32 of them" in out.err
    assert out.out.startswith("a" * 40)


def test_where_the_operators_are_missing_the_text_is_the_same(
    run: Command, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from erlangen.generate import fast

    arguments = (checkpoint, "--prompt", "Once", "--tokens", 30, "--device", "cpu")
    expected = run(*arguments).out
    monkeypatch.setattr(fast, "works", lambda precision, batch: False)
    out = run(*arguments)
    assert out.out == expected
    assert "note: torch" in out.err
    assert "(plain)" in out.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--prompt", "Onceß"), "--prompt: the text has characters that this tokenizer lacks: 'ß' (U+00DF)"),
        (("--prompt", "On", "--prompt", "9"), "prompt 2: the text has characters that this tokenizer lacks: '9'"),
        (("--top-p", "3"), "--top-p 3.0: "),
        (("--typical-p", "2"), "--typical-p 2.0: "),
        (("--min-tokens-to-keep", "0"), "--min-tokens-to-keep 0: "),
        (("--temperature", "-1"), "--temperature -1.0: "),
        (("--fast", "int4"), "--fast int4: choose auto, off"),
        (("--device", "tpu"), "--device tpu is unknown: choose auto, cpu, cuda, cuda:N or mps"),
        (("--device", "cuda:999"), "--device cuda:999 "),
        (("--stop", "ab"), "--stop 'ab' is 2 tokens"),
        (("--stop", "ß"), "--stop: the text has characters"),
        (("--prompts", "nowhere.txt"), "--prompts nowhere.txt: No such file"),
    ],
)
def test_a_fault_is_one_line(run: Command, checkpoint: Path, arguments: tuple[str, ...], message: str) -> None:
    out = run(checkpoint, "--tokens", 5, *arguments)
    assert (out.code, out.out) == (2, "")
    assert out.err.startswith(f"erlangen: {message}")
    assert out.err.count("\n") == 1


def test_gpt2_from_a_folder_goes_on_with_bytes(run: Command, tmp_path: Path) -> None:
    save_small_gpt2(tmp_path)
    for arguments in ((), ("--stream",)):
        out = run(tmp_path, "--prompt", "the é", "--tokens", 40, "--seed", 1, "--device", "cpu", *arguments)
        assert out.code == 0, out.err
        expected = generate(load_gpt2(tmp_path), GPT2Tokenizer.read(tmp_path).encode("the é"), 40, settings=Settings(seed=1))
        assert out.out.startswith("the é")
        if not arguments:
            assert out.out == GPT2Tokenizer.read(tmp_path).decode(expected[0]) + "\n"
    found = run(tmp_path / "model.safetensors", "--prompt", "the", "--tokens", 3)
    assert found.code == 0, found.err
    (tmp_path / "vocab.json").unlink()
    out = run(tmp_path, "--prompt", "the")
    assert (out.code, out.out) == (4, "")
    assert "no tokenizer" in out.err


def test_a_tokenizer_without_a_new_line_needs_a_prompt(run: Command, tmp_path: Path) -> None:
    letters = CharacterTokenizer.of("ab")
    save(tmp_path / "a.safetensors", model(replace(CONFIG, vocabulary=2)), letters, step=1, history=[], about={})
    out = run(tmp_path / "a.safetensors")
    assert (out.code, out.err.count("\n")) == (2, 1)
    assert "--prompt is empty, and this tokenizer has no new line to start from" in out.err
