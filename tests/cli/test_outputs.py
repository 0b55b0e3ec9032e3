"""What the command prints and writes: in any encoding, on a full device, to files that cannot be written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from support.command import erlangen
from support.gpt_command import spread

from erlangen.cli.outputs import Outputs, as_json
from erlangen.cli.text import in_ascii
from erlangen.data.characters import CharacterTokenizer
from erlangen.errors import USAGE, ErlangenError
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.audit import AuditRecord
from erlangen.records.files import from_json
from erlangen.train.checkpoint import save

ENCODINGS = ("cp1252", "latin-1", "ascii")
MODEL = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
"""


def printed(*args: object, cwd: Path, encoding: str) -> str:
    """What is printed to a stdout that has this encoding; no error may end the command."""
    out = erlangen(*args, cwd=cwd, variables={"PYTHONIOENCODING": encoding}, encoding=encoding)
    assert "internal error" not in out.stderr
    assert "Traceback" not in out.stderr
    assert out.returncode in (0, 1), out.stderr
    return out.stdout


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, the folder above it."""
    folder = tmp_path_factory.mktemp("runs")
    assert erlangen("run", "graph-algebra", "--seeds", "2", "--out", "run", cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_stdout_that_cannot_encode_gets_the_nearest_ascii(encoding: str, run: Path):
    assert "C5" in printed("show", cwd=run, encoding=encoding)
    superscript = "1" if encoding == "ascii" else "¹"
    assert f"?(D-{superscript}AHW + HB)" in printed("show", "G5", cwd=run, encoding=encoding)  # there is no ASCII for a sigma
    assert "C5" in printed("list", cwd=run, encoding=encoding)
    text = printed("verdicts", "run", cwd=run, encoding=encoding)
    assert "+ supported" in text
    assert "x refuted" in text
    assert "The entry (u, v) of An counts the paths" in " ".join(text.split())
    assert "| supported |" in printed("report", "run", "--markdown", cwd=run, encoding=encoding)
    assert "paths" in printed("verdicts", "run", "--csv", "-", cwd=run, encoding=encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_is_exact_in_any_encoding(encoding: str, run: Path):
    expected = json.loads((run / "run" / "verdicts.json").read_text(encoding="utf-8"))
    assert json.loads(printed("verdicts", "run", "--json", "-", cwd=run, encoding=encoding)) == expected
    claim = json.loads(printed("show", "T3", "--json", "-", cwd=run, encoding=encoding))
    assert claim["quotes"][0].startswith("Var(q·k) = d·σ⁴")


def test_an_audit_to_ascii_writes_all_its_files(tmp_path: Path):
    (tmp_path / "m.py").write_text(MODEL)
    args = ("--input", "1x6x6", "-n", "2", "--symmetry", "translation", "--only-exact")
    files = ("--html", "a.html", "--junitxml", "a.xml", "--json", "a.json")
    text = printed("audit", "m.py:build", *args, *files, cwd=tmp_path, encoding="ascii")
    assert "x translation" in text
    assert "1 x 6 x 6" in text
    assert text.endswith("Page: a.html\n")
    assert "translation" in (tmp_path / "a.xml").read_text()
    assert "translation" in (tmp_path / "a.html").read_text()
    from_json(AuditRecord, json.loads((tmp_path / "a.json").read_text()))


@pytest.mark.parametrize("encoding", [ENCODINGS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in ENCODINGS[1:])])
def test_a_language_model_writes_to_any_encoding(encoding: str, tmp_path: Path):
    letters = CharacterTokenizer.of("abcde Ωé–‘🦊\n")
    torch.manual_seed(0)
    model = spread(GPT(GPTConfig(vocabulary=letters.size, block=16, layers=1, heads=1, width=16)))
    save(tmp_path / "best.safetensors", model, letters, step=1, history=[], about={})
    args = ("--tokens", "40", "--seed", "1", "--json", "texts.json")
    text = printed("gpt", "generate", tmp_path, "--prompt", "aΩ🦊–é", *args, cwd=tmp_path, encoding=encoding)
    assert text.startswith("a??-" if encoding == "ascii" else "a??" + ("–" if encoding == "cp1252" else "-") + "é")
    assert json.loads((tmp_path / "texts.json").read_text(encoding="utf-8"))["texts"][0]["prompt"] == "aΩ🦊–é"
    assert "rank" in printed("gpt", "look", tmp_path, "--prompt", "aΩ🦊–é", cwd=tmp_path, encoding=encoding)


@pytest.mark.parametrize(
    ("text", "ascii"),
    [("≤ 1.5 ± 2", "<= 1.5 +/- 2"), ("3 × 4 − 1", "3 x 4 - 1"), ("é ⁿ ² ⁻¹ ᵀ", "e n 2 -1 T"), ("Ω🦊", "??"), ("\ud800", "?")],
)
def test_the_nearest_ascii(text: str, ascii: str):
    made = ""
    for character in text:
        error = UnicodeEncodeError("ascii", character, 0, 1, "no")
        made += character if character.isascii() else in_ascii(error)[0]
    assert made == ascii


# --- a device that is full, a reader that leaves --------------------------------------------------------------------------------


def test_a_reader_that_leaves_is_not_an_error(tmp_path: Path):
    reading, writing = os.pipe()
    os.close(reading)
    for args in (("list",), ("list", "--json", "-"), ("--help",), ("--version",)):
        out = erlangen(*args, cwd=tmp_path, stdout=writing)
        assert (out.returncode, out.stderr) == (0, ""), args


def test_a_closed_stdout_is_not_an_error(tmp_path: Path):
    out = erlangen("list", cwd=tmp_path, preexec_fn=lambda: os.close(1))
    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("args", [("list",), ("list", "--json", "-"), ("show",), ("--help",), ("--version",)], ids=" ".join)
def test_a_full_stdout_is_one_clear_line(args: tuple[str, ...], unbuffered: str, tmp_path: Path):
    with open("/dev/full", "w") as full:
        out = erlangen(*args, cwd=tmp_path, variables={"PYTHONUNBUFFERED": unbuffered}, stdout=full)
    assert (out.returncode, out.stderr) == (2, "erlangen: cannot write to standard output: no space left on device\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_files_are_written_before_anything_is_printed(run: Path):
    with open("/dev/full", "w") as full:
        out = erlangen("verdicts", "run", "--csv", "v.csv", "--json", "v.json", cwd=run, stdout=full)
    assert out.returncode == 2
    assert "G1" in (run / "v.csv").read_text()
    assert json.loads((run / "v.json").read_text())[0]["claim"] == "G1"
    with open("/dev/full", "w") as full:
        out = erlangen("list", "--json", "list.json", cwd=run, stdout=full)
    assert out.returncode == 2
    assert json.loads((run / "list.json").read_text())["experiments"]


# --- files that cannot be written -----------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "file").touch()
    for target, words in {
        folder: "it is a folder; name a file",
        tmp_path / "file" / "x.json": "is not a writable directory",
    }.items():
        with pytest.raises(ErlangenError, match=words):
            Outputs({"--json": target})
    with pytest.raises(ErlangenError, match="is named twice"):
        Outputs({"--json": "x", "--html": Path("x")})
    with pytest.raises(ErlangenError, match="--csv and --json both print to stdout"):
        Outputs({"--csv": "-", "--json": "-"})


def test_a_file_that_fails_costs_a_line_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    outputs = Outputs({"--json": str(tmp_path / "a" / "x.json"), "--html": tmp_path / "x.html"})
    (tmp_path / "a").touch()  # after the check
    code = outputs.deliver({"--json": lambda: as_json({"é": 1}), "--html": lambda: "<p>"}, lambda: print("results"))
    out = capsys.readouterr()
    assert code == USAGE
    assert out.out == f"results\n\nPage: {tmp_path / 'x.html'}\n"
    assert out.err.startswith(f"erlangen: cannot write {tmp_path / 'a' / 'x.json'}: ")
    assert out.err.count("\n") == 1
    assert (tmp_path / "x.html").read_text() == "<p>"


def test_a_page_that_was_not_written_is_not_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    outputs = Outputs({"--html": tmp_path / "a" / "x.html"})
    (tmp_path / "a").touch()
    assert outputs.deliver({"--html": lambda: "<p>"}, lambda: print("results")) == USAGE
    assert capsys.readouterr().out == "results\n"
