"""`erlangen audit` for CI and for people who type: expectations, faults in every file, the list of checks, its options."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from support.command import environment, erlangen

from erlangen.cli.main import command

MODEL = """
import torch
from torch import nn

def build(border="circular"):
    torch.manual_seed(0)
    layer = nn.Conv2d(1, 3, 3, padding=1, padding_mode=border)
    return nn.Sequential(layer, nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
"""
ARGS = ("--input", "1x6x6", "-n", "3", "--only-exact", "--symmetry", "translation", "--skip", "batch-composition")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "m.py").write_text(MODEL)
    return tmp_path


def test_an_expectations_file_decides_the_exit_code(here: Path):
    """A zero border breaks the shift: expected, so the build is green; then it is expected to be exact."""
    target = "m.py:build(border='zeros')"
    (here / "e.toml").write_text('translation = "broken"\n')
    out = erlangen("audit", target, *ARGS, "--expect", "e.toml", "--json", "old.json", "--junitxml", "ci.xml", cwd=here)
    assert out.returncode == 0, out.stdout + out.stderr
    assert "translation  " in out.stdout
    assert ElementTree.parse(here / "ci.xml").getroot().get("failures") == "0"
    (here / "e.toml").write_text('translation = "exact"\n')
    out = erlangen("audit", target, *ARGS, "--expect", "e.toml", "--junitxml", "ci.xml", cwd=here)
    assert out.returncode == 1
    assert "; exact is expected by e.toml" in out.stdout
    assert "exit code 1: translation is broken" in out.stderr
    suite = ElementTree.parse(here / "ci.xml").getroot()
    assert suite.get("failures") == "1"
    assert all(case.get("classname").startswith(target) for case in suite.iter("testcase"))
    compared = erlangen("audit", target, *ARGS, "--compare", "old.json", cwd=here)
    assert compared.returncode == 0, compared.stdout + compared.stderr


def test_worse_than_a_recorded_audit_is_a_failure(here: Path):
    assert erlangen("audit", "m.py:build", *ARGS, "--json", "old.json", cwd=here).returncode == 0
    out = erlangen("audit", "m.py:build", "--build", "border=zeros", *ARGS, "--compare", "old.json", cwd=here)
    assert out.returncode == 1
    assert "; exact is expected by old.json" in out.stdout


def test_a_record_is_not_replaced_by_the_audit_that_it_is_compared_with(here: Path):
    assert erlangen("audit", "m.py:build", *ARGS, "--json", "old.json", cwd=here).returncode == 0
    before = (here / "old.json").read_text()
    out = erlangen("audit", "m.py:build", *ARGS, "--compare", "old.json", "--json", "./old.json", cwd=here)
    assert out.returncode == 2
    assert "name another file" in out.stderr
    assert (here / "old.json").read_text() == before


def test_junit_fails_where_the_command_does(here: Path):
    """Under --strict an undecided check, and an expected check that was not run."""
    (here / "e.toml").write_text('reflection = "exact"\n')
    out = erlangen("audit", "m.py:build", *ARGS, "--expect", "e.toml", "--junitxml", "ci.xml", cwd=here)
    assert out.returncode == 5
    suite = ElementTree.parse(here / "ci.xml").getroot()
    assert suite.get("errors") == "1"
    assert [case.get("name") for case in suite if case.find("error") is not None] == ["reflection"]


def test_a_fault_replaces_what_an_earlier_run_wrote(here: Path):
    files = ("--junitxml", "ci.xml", "--html", "page.html", "--json", "record.json")
    for name in ("ci.xml", "page.html", "record.json"):
        (here / name).write_text("all is well")
    (here / "m.py").write_text("raise OSError('no <weights>')")
    out = erlangen("audit", "m.py:build", *ARGS, *files, cwd=here)
    assert out.returncode == 4
    assert out.stdout == ""
    suite = ElementTree.parse(here / "ci.xml").getroot()
    (case,) = suite.findall("testcase")
    assert (suite.get("tests"), suite.get("errors"), case.get("classname"), case.get("name")) == ("1", "1", "m.py:build", "audit")
    assert case.find("error").get("message").startswith("importing m.py failed: OSError: no <weights>")
    page = (here / "page.html").read_text()
    assert "all is well" not in page
    assert "no &lt;weights&gt;" in page
    fault = json.loads((here / "record.json").read_text())
    assert (fault["target"], fault["exit_code"]) == ("m.py:build", 4)


@pytest.mark.parametrize(("file", "words"), [("a" * 300, "File name too long"), ("/proc/x.html", "cannot write /proc/x.html")])
def test_a_file_that_cannot_be_written_is_seen_before_the_audit(file: str, words: str, here: Path):
    (here / "m.py").write_text("open('ran', 'w')\n")
    out = erlangen("audit", "m.py:build", *ARGS, "--html", file, cwd=here)
    assert out.returncode == 2
    assert words in out.stderr
    assert out.stderr.count("\n") == 1
    assert [path.name for path in here.iterdir()] == ["m.py"]


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(here: Path):
    os.mkfifo(here / "pipe")
    out = erlangen("audit", "m.py:build", *ARGS, "--symmetry", "translatoin", "--html", "pipe", cwd=here)
    assert out.returncode == 2
    assert "cannot write pipe: it is not a regular file" in out.stderr
    assert (here / "pipe").is_fifo()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--symmetry", "translatoin"), "unknown check 'translatoin'; did you mean translation?"),
        (("--skip", "translatoin"), "unknown check 'translatoin'; did you mean translation?"),
        (("--domain", "texts", "--symmetry", "translation"), "unknown check 'translation'; the checks for texts are causality"),
        (("--expect", "none.toml"), "cannot read none.toml"),
        (("--compare", "none.json"), "cannot read none.json"),
        (("--compare", "m.py"), "m.py: truncated or not JSON"),
        (("--expect", "m.py", "--compare", "m.py"), "--expect and --compare both say what is expected"),
        (("--argument", "mask"), "--argument mask: give a name and a value"),
        (("--layout", "whc"), "unknown layout 'whc'"),
        (("--preprocess", "none.py:f"), "--preprocess none.py:f: there is no file none.py"),
        (("--symmetry", "none.py:Mine"), "--symmetry none.py:Mine: there is no file none.py"),
    ],
)
def test_a_slip_loads_neither_torch_nor_the_model(args: tuple[str, ...], words: str, here: Path):
    (here / "m.py").write_text("open('ran', 'w')\n")
    code = "import sys\nfrom erlangen.cli.main import main\ntry:\n    main()\n"
    code += "except SystemExit as end:\n    print('TORCH', 'torch' in sys.modules, end.code)"
    command = [sys.executable, "-c", code, "audit", "m.py:build", "--input", "1x6x6", *args, "--junitxml", "ci.xml"]
    out = subprocess.run(command, cwd=here, env=environment(), capture_output=True, text=True)
    assert words in out.stderr
    assert out.stdout.strip() == f"TORCH False {4 if 'truncated' in words else 2}"
    assert not (here / "ran").exists()
    assert ElementTree.parse(here / "ci.xml").getroot().get("errors") == "1"


def test_the_checks_are_listed_without_a_model(tmp_path: Path):
    out = erlangen("audit", "--list", cwd=tmp_path)
    assert out.returncode == 0
    assert "  i translation  " in out.stdout
    assert "  * causality  " in out.stdout
    assert "    rotation  " in out.stdout


def test_arrays_with_channels_last_and_arguments_from_the_command_line(here: Path):
    """Bytes (B, H, W, C) for a model that needs a scale, and returns a dict."""
    (here / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def forward(self, x, scale):\n"
        "        assert x.shape[1] == 3\n"
        "        return {'rows': scale * x.mean((1, 3)), 'all': scale * x.mean((2, 3))}\n"
        "def build():\n    return Net().eval()\n"
        "def half(x):\n    return x[:, :4, :4]\n"
    )
    pixels = np.random.default_rng(0).integers(256, size=(5, 8, 8, 3)).astype(np.uint8)
    np.save(here / "x.npy", pixels)
    args = ("net.py:build", "--input", "x.npy", "--only-exact", "--symmetry", "translation", "--json", "-")
    options = ("--argument", "scale=2", "--preprocess", "net.py:half", "--layout", "hwc")
    out = erlangen("audit", *args, *options, "--select", "all", cwd=here)
    assert out.returncode == 0, out.stderr
    record = json.loads(out.stdout)
    assert (record["shape"], record["inputs"]) == ("3 × 4 × 4", 5)
    assert record["notes"][0].startswith("The preprocessing function was given values from 0 to 1 and returned values from 0")
    assert erlangen("audit", *args, *options, "--select", "rows", cwd=here).returncode == 1
    assert "also needs scale" in erlangen("audit", *args, "--select", "all", cwd=here).stderr


def test_a_text_model_without_a_config_is_told_of_the_vocabulary(here: Path):
    (here / "m.py").write_text("from torch import nn\ndef build():\n    return nn.Embedding(7, 4)\n")
    out = erlangen("audit", "m.py:build", "--input", "8", "--only-exact", "--symmetry", "causality", cwd=here)
    assert out.returncode == 4
    assert "--vocabulary" in out.stderr.splitlines()[-1]
    out = erlangen(
        "audit", "m.py:build", "--input", "8", "--vocabulary", "7", "--only-exact", "--symmetry", "causality", cwd=here
    )
    assert out.returncode == 0, out.stdout + out.stderr


def test_the_docs_explain_every_option_of_inputs_models_and_ci():
    text = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    options = {option for parameter in command().commands["audit"].params for option in parameter.opts if option.startswith("--")}
    told_by_help = {"--inputs", "--elements", "--seed", "--timeout", "--threshold"}
    assert {option for option in options - told_by_help if option not in text} == set()


RESULTS = ("ci.xml", "page.html", "record.json")
FILES = ("--junitxml", "ci.xml", "--html", "page.html", "--json", "record.json")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_result_of_an_earlier_run_outlives_an_audit_that_was_killed(signum: signal.Signals, here: Path):
    for name in RESULTS:
        (here / name).write_text("all is well")
    (here / "m.py").write_text("import time\nopen('ran', 'w')\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "erlangen", "audit", "m.py:build", *ARGS, *FILES]
    process = subprocess.Popen(command, cwd=here, env=environment(), stderr=subprocess.PIPE, text=True)
    while not (here / "ran").exists():
        time.sleep(0.05)
        assert process.poll() is None
    process.send_signal(signum)
    said = process.communicate()[1]
    assert process.returncode == (-signum if signum == signal.SIGKILL else 128 + signum)
    assert not any((here / name).exists() for name in RESULTS)
    assert signum == signal.SIGKILL or "was not finished; none of its files was written" in said


@pytest.mark.parametrize("option", ["--input", "--expect", "--compare"])
def test_no_result_replaces_what_the_audit_reads(option: str, here: Path):
    (here / "read").write_text("precious")
    out = erlangen("audit", "m.py:build", *ARGS, option, "read", "--html", "./read", cwd=here)
    assert out.returncode == 2
    assert f"--html read would replace the file that {option} names: name another file" in out.stderr
    out = erlangen("audit", "m.py:build", *ARGS, "--html", "m.py", cwd=here)
    assert "would replace the file that MODEL names" in out.stderr
    assert (here / "read").read_text() == "precious"
    assert (here / "m.py").read_text() == MODEL


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("m.py:build", "--input", "none.npy"), 2),
        (("none.py:build", "--input", "1x6x6"), 2),
        (("m.py:none", "--input", "1x6x6"), 2),
        (("m.py:build", "--input", "truncated.npy"), 4),
        (("m.py:build", "--input", "pickled.npy"), 4),
        (("m.py:build", "--input", "text.npy"), 4),
        (("m.py:build", "--input", "empty.npy"), 4),
        (("m.py:build", "--input", "nan.npy"), 4),
        (("m.py:build", "--input", "table.csv"), 4),
        (("m.py:build", "--input", "pictures"), 4),
        (("m.py:build", "--input", "1x6x6", "--compare", "none.json"), 2),
        (("m.py:build", "--input", "1x6x6", "--compare", "table.csv"), 4),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_what_is_not_there_exits_2_and_what_cannot_be_read_exits_4(args: tuple[str, ...], code: int, here: Path):
    np.save(here / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(here / "text.npy", np.array(["a"]))
    np.save(here / "empty.npy", np.zeros((0, 1, 6, 6)))
    np.save(here / "nan.npy", np.full((2, 1, 6, 6), np.nan))
    (here / "truncated.npy").write_bytes((here / "nan.npy").read_bytes()[:20])
    (here / "table.csv").write_text("1,2\n")
    (here / "pictures").mkdir()
    out = erlangen("audit", *args, cwd=here)
    assert out.returncode == code, out.stderr
    assert "internal error" not in out.stderr


def test_expectations_say_which_file_they_are_from(here: Path):
    (here / "e.toml").write_text('translaton = "exact"\n')
    out = erlangen("audit", "m.py:build", *ARGS, "--expect", "e.toml", cwd=here)
    assert (out.returncode, out.stderr) == (2, "erlangen: e.toml: unknown check 'translaton'; did you mean translation?\n")
    (here / "e.toml").write_text('causality = "exact"\nreflection = "exact"\n')
    out = erlangen("audit", "m.py:build", *ARGS, "--expect", "e.toml", cwd=here)
    assert out.returncode == 5
    said = "exit code 5: e.toml expects causality, which is not a check of images; e.toml expects reflection, which was not run\n"
    assert out.stderr.endswith(said)


def test_a_record_that_is_none_is_called_so(here: Path):
    (here / "other.json").write_text('{"a": 1}')
    out = erlangen("audit", "m.py:build", *ARGS, "--compare", "other.json", cwd=here)
    assert (out.returncode, out.stderr) == (4, "erlangen: other.json is not a record of `erlangen audit --json`\n")


def test_the_last_line_says_what_counted_and_the_files_where_inputs_come_from(here: Path):
    np.save(here / "images.npy", np.random.default_rng(0).normal(size=(3, 1, 6, 6)))
    only = ("-n", "3", "--only-exact", "--json", "a.json", "--html", "a.html")
    out = erlangen("audit", "m.py:build(border='zeros')", "--input", "1x6x6", *only, cwd=here)
    assert out.returncode == 0, out.stderr
    said = out.stderr.splitlines()[-1]
    assert said == "exit code 0: the 3 checks that count are exact; of 6 informational ones, 5 are broken and 1 is not measured."
    record, page = json.loads((here / "a.json").read_text()), (here / "a.html").read_text()
    assert record["source"] == "smooth random images, generated with seed 0"
    assert "3 inputs (1 × 6 × 6): smooth random images, generated with seed 0" in page
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", record["date"])
    assert record["date"] in page
    assert "Broken, but informational: translation, " in page
    assert all(None not in check["interval"] or check["interval"] == [None, None] for check in record["checks"])
    erlangen("audit", "m.py:build", "--input", "images.npy", *only, cwd=here)
    assert json.loads((here / "a.json").read_text())["source"] == "images.npy"
