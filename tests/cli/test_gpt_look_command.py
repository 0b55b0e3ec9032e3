"""`erlangen gpt look` as its users meet it: a checkpoint of ours or GPT-2's files in, tables, page and record out."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.gpt_command import save_small_gpt2, spread
from typer.testing import CliRunner, Result

from erlangen.cli.gpt import app
from erlangen.cli.gpt.look import ROWS, heads, preference
from erlangen.data.bpe import GPT2Tokenizer
from erlangen.data.characters import CharacterTokenizer
from erlangen.errors import DamagedFileError, ErlangenError
from erlangen.measure.lens import look
from erlangen.models.gpt import GPT, PRESETS, GPTConfig
from erlangen.models.gpt2 import save_gpt2
from erlangen.records.files import from_json
from erlangen.records.inspection import Look
from erlangen.train.checkpoint import save
from erlangen.train.precision import best_device

ALPHABET = "\n abcdefghijklmnop"
PROMPT = "ab abc abc\nno"
TOKENIZER = CharacterTokenizer(ALPHABET)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `erlangen gpt train` leaves it; its best differs from its last."""
    folder = tmp_path_factory.mktemp("run")
    for seed, name in enumerate(("best", "last")):
        torch.manual_seed(seed)
        model = spread(GPT(replace(PRESETS["gpt-nano"], vocabulary=len(ALPHABET), block=32)))
        save(folder / f"{name}.safetensors", model, TOKENIZER, step=1, history=[], about={})
    return folder


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_gpt2(tmp_path_factory.mktemp("gpt2"))


def command(*args: object) -> Result:
    return CliRunner().invoke(app, ["look", *map(str, args)])


def fault(*args: object) -> str:
    """The one line of a run that fails."""
    result = command(*args)
    assert isinstance(result.exception, ErlangenError), result.exception
    assert result.stdout == ""
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_the_tables_hold_what_the_model_says(run: Path):
    from erlangen.train.checkpoint import load_checkpoint

    result = command(run, "--prompt", PROMPT, "--top", 3, "--device", "cpu")
    assert result.exit_code == 0, result.exception
    model = load_checkpoint(run / "best.safetensors").model
    record = look(model, TOKENIZER.encode(PROMPT), 3)
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["at", "read", "next", "p", "rank", "nats", "predicted"]
    for place, (entry, line) in enumerate(zip(record.lens[-1], lines[1:], strict=False)):
        cells = line.split()
        assert (cells[0], cells[1]) == (str(place + 1), {" ": "␣", "\n": "↵"}.get(PROMPT[place], PROMPT[place]))
        if entry.next is None:
            assert cells[2:6] == ["–"] * 4
        else:
            assert [float(cells[3]), int(cells[4])] == pytest.approx([entry.probability, entry.rank], abs=6e-4)
            assert float(cells[5]) == pytest.approx(entry.surprisal, abs=6e-3)
        assert [float(p) for p in cells[7::2]] == pytest.approx(entry.probabilities, abs=6e-4)
    text = result.stdout
    assert f"{record.model_loss():.3f} nats per token over {len(PROMPT) - 1} tokens; the likeliest token came next" in text
    for head in record.heads:
        assert re.search(rf"^{head.layer + 1}\.{head.head + 1} +{head.entropy:.3f} .* {head.induction:.3f}$", text, re.MULTILINE)
    assert re.search(rf"^even +{record.even.entropy:.3f}", text, re.MULTILINE)
    assert max(map(len, lines)) <= 130


def test_json_alone_reaches_stdout_and_is_the_record(run: Path):
    result = command(run, "--prompt", PROMPT, "--json", "-")
    record = from_json(Look, json.loads(result.stdout))
    assert "".join(record.texts[token] for token in record.tokens) == PROMPT
    assert set(record.texts) == record.mentioned()
    assert record.model == f"{run.name}, 0.09 M parameters"
    assert record.versions
    assert record.source == str(run)


def test_page_and_record_are_written_and_named(run: Path, tmp_path: Path):
    result = command(run, "--prompt", PROMPT, "--html", tmp_path / "a" / "p.html", "--json", tmp_path / "r.json")
    assert result.stdout.splitlines()[-1] == f"Page: {tmp_path / 'a' / 'p.html'}"
    assert "␣" in result.stdout
    record = from_json(Look, json.loads((tmp_path / "r.json").read_text()))
    page = (tmp_path / "a" / "p.html").read_text()
    assert page.startswith("<!doctype html>")
    assert record.model in page


def test_a_file_of_a_run_is_taken_as_named(run: Path):
    best, last = (command(run / f"{name}.safetensors", "--prompt", PROMPT).stdout for name in ("best", "last"))
    assert best == command(run, "--prompt", PROMPT).stdout
    assert best != last


def test_the_device_may_be_named(run: Path):
    result = command(run, "--prompt", PROMPT, "--device", best_device())
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == command(run, "--prompt", PROMPT).stdout
    assert "--device tpu is unknown" in fault(run, "--prompt", PROMPT, "--device", "tpu")


@pytest.mark.cuda
def test_a_gpu_sees_what_a_cpu_sees(run: Path):
    cpu, cuda = (
        from_json(Look, json.loads(command(run, "--prompt", PROMPT, "--device", device, "--json", "-").stdout))
        for device in ("cpu", "cuda")
    )
    for one, other in zip(cpu.lens, cuda.lens, strict=True):
        assert [entry.rank for entry in one] == [entry.rank for entry in other]
        assert [entry.entropy for entry in one] == pytest.approx([entry.entropy for entry in other], abs=1e-4)
    for head, same in zip(cpu.heads, cuda.heads, strict=True):
        assert (head.entropy, head.first, head.induction) == pytest.approx((same.entropy, same.first, same.induction), abs=1e-4)
    assert cpu.even.entropy == pytest.approx(cuda.even.entropy)


def test_every_tensor_is_made_where_the_model_is():
    """With another default device: a tensor that is made without naming one is there, and cannot be combined with the model's."""
    model = spread(GPT(replace(PRESETS["gpt-nano"], vocabulary=len(ALPHABET), block=32))).eval()
    expected = look(model, TOKENIZER.encode(PROMPT))
    tokens = TOKENIZER.encode(PROMPT)
    with torch.device("meta"):
        assert look(model, tokens) == expected


def test_one_token_is_a_prompt(run: Path):
    result = command(run, "--prompt", "a")
    assert result.exit_code == 0, result.exception
    assert len(result.stdout.splitlines()) == 2
    assert "nats per token" not in result.stdout


def test_gpt2_from_its_folder_and_from_its_file(gpt2: Path):
    result = command(gpt2, "--prompt", "the heé")
    assert result.exit_code == 0, result.exception
    read = [line.split()[1] for line in result.stdout.split("\n\n")[0].splitlines()[1:]]
    assert read == ["t", "he", "␣", "he", "�", "�"]
    assert command(gpt2 / "model.safetensors", "--prompt", "the heé").stdout == result.stdout
    assert "<25" in command(gpt2, "--prompt", "the", "--top", 50, "--json", "-").stdout, "rows of the embedding without a token"


def test_heads_that_are_a_guess_are_said_to_be(gpt2: Path, tmp_path: Path):
    for name in ("model.safetensors", "vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((gpt2 / name).read_bytes())
    result = command(tmp_path / "model.safetensors", "--prompt", "the", "--json", "-")
    guess = "note: there is no config.json beside model.safetensors: 2 heads of 64 features each are a guess\n"
    assert re.fullmatch(re.escape(guess) + r"device: (cpu|cuda)\n", result.stderr)
    assert len(json.loads(result.stdout)["notes"]) == 1


def test_faults_are_one_line(run: Path, gpt2: Path, tmp_path: Path):
    assert fault(run, "--prompt", "") == "--prompt is empty: give the model something to read"
    assert fault(run, "--prompt", "a" * 33) == "--prompt has 33 tokens, but this model reads at most 32: shorten it"
    assert "'Z' (U+005A)" in fault(run, "--prompt", "aZ")
    assert "no such file" in fault(tmp_path / "nowhere", "--prompt", "a")
    assert "has neither best.safetensors nor last.safetensors" in fault(tmp_path, "--prompt", "a")
    assert "is a folder" in fault(run, "--prompt", "a", "--html", tmp_path)
    assert "named twice" in fault(run, "--prompt", "a", "--html", tmp_path / "x", "--json", tmp_path / "x")
    (tmp_path / "half.safetensors").write_bytes((run / "best.safetensors").read_bytes()[:-9])
    assert "truncated" in fault(tmp_path / "half.safetensors", "--prompt", "a")
    (tmp_path / "m.pt").write_bytes(b"PK\x03\x04")
    assert "a pickle" in fault(tmp_path / "m.pt", "--prompt", "a")
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((gpt2 / name).read_bytes())
    assert "no tokenizer" in fault(tmp_path, "--prompt", "a")


def test_a_tokenizer_of_another_model_is_refused(gpt2: Path, tmp_path: Path):
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((gpt2 / name).read_bytes())
    config = GPTConfig(
        vocabulary=200, block=16, layers=1, heads=1, width=64, norm="layer", positions="absolute", bias=True, tied=True
    )
    save_gpt2(GPT(config), tmp_path)
    assert GPT2Tokenizer.read(tmp_path).size == 257
    assert fault(tmp_path, "--prompt", "the") == "the tokenizer gives token 256, the model has 200: they do not belong together"


def test_numbers_that_are_none_are_refused(gpt2: Path, tmp_path: Path):
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((gpt2 / name).read_bytes())
    config = GPTConfig(
        vocabulary=260, block=16, layers=1, heads=1, width=64, norm="layer", positions="absolute", bias=True, tied=True
    )
    model = GPT(config)
    with torch.no_grad():
        model.norm.weight.fill_(float("nan"))
    save_gpt2(model, tmp_path)
    assert "not finite" in fault(tmp_path, "--prompt", "the")


def test_of_many_heads_the_least_even_are_printed(run: Path):
    record = look(spread(GPT(GPTConfig(vocabulary=17, layers=10, heads=8, width=16))), TOKENIZER.encode(PROMPT))
    lines = heads(record).splitlines()
    assert lines[-1].startswith(f"(the {ROWS} least even of 80 heads")
    assert len(lines) == ROWS + 3
    printed = {line.split()[0] for line in lines[1:-2]}
    values = {f"{h.layer + 1}.{h.head + 1}": preference(h, record.even) for h in record.heads}
    assert min(values[name] for name in printed) >= max(value for name, value in values.items() if name not in printed)


def test_a_broken_header_is_no_gpt2(tmp_path: Path):
    (tmp_path / "x.safetensors").write_bytes(b"\x10" + 7 * b"\0" + b"not a header at all")
    result = command(tmp_path / "x.safetensors", "--prompt", "a")
    assert isinstance(result.exception, DamagedFileError)
