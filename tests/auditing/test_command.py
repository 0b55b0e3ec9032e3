"""`erlangen audit` as users meet it: one clear line for a fault, the right exit code, nothing lost, nobody left behind.

A fault that only the process with the user's code can see is tried twice: in this process, and (slow) through the real command.
"""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from support.command import alive, environment, erlangen, start, wait_for

from erlangen.auditing.request import AuditRequest
from erlangen.auditing.worker import answer
from erlangen.records.audit import AuditRecord, Checked
from erlangen.records.files import from_json, to_json

INVARIANT = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 3, 3, padding=1, padding_mode="circular")
    def forward(self, x):
        return self.layer(x).tanh().mean((2, 3))

def build():
    torch.manual_seed(0)
    return Net().eval()
"""
BROKEN = "import torch\ndef f(x):\n    return x.flatten(1) * torch.arange(1.0, 1 + x[0].numel())\ndef build():\n    return f\n"
SHIFTS = ("--input", "1x6x6", "-n", "3", "--symmetry", "translation", "--only-exact")
REQUEST = AuditRequest(target="m.py:build", input="1x6x6", symmetries=("translation",), only_exact=True, n=3, elements=2)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the user's; what is imported from it is forgotten again."""
    monkeypatch.chdir(tmp_path)
    modules, path = dict(sys.modules), list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in sys.modules.keys() - modules.keys():
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "") or ""):
            del sys.modules[name]


def judged(**request: Any) -> dict[str, str]:
    """Judgments by check, in this process; a fault fails the test."""
    found = answer(replace(REQUEST, **request))
    assert "record" in found, found
    return {check["name"]: check["judgment"] for check in found["record"]["checks"]}


def faults(stderr: str) -> list[str]:
    """Our own lines, without the announcement and progress."""
    return [line for line in stderr.splitlines() if line.startswith("erlangen: ")]


# --- faults that are seen before anything is loaded ---------------------------------------------------------------------------

TYPED = {
    "no such file": (("nope.py:build", *SHIFTS), "there is no file nope.py"),
    "no name": (("m.py", *SHIFTS), "FILE.py:build"),
    "empty name": (("m.py:", *SHIFTS), "FILE.py:build"),
    "no onnx file": (("nope.onnx", *SHIFTS), "no file nope.onnx"),
    "zero threshold": (("m.py:build", *SHIFTS, "--threshold", "0"), "threshold 0 must be positive"),
    "threshold nan": (("m.py:build", *SHIFTS, "--threshold", "nan"), "threshold nan must be positive"),
    "threshold in words": (("m.py:build", *SHIFTS, "--threshold", "small"), "--threshold"),
    "no such input": (("m.py:build", "--input", "images.npy"), "--input images.npy is neither a file nor a folder"),
    "odd shape": (("m.py:build", "--input", "3x"), "nor a shape like 3x224x224"),
    "negative shape": (("m.py:build", "--input", "3x-4x4"), "nor a shape like 3x224x224"),
    "page is a folder": (("m.py:build", *SHIFTS, "--html", "."), "it is a folder"),
    "page below a file": (("m.py:build", *SHIFTS, "--html", "m.py/x.html"), "cannot write m.py/x.html"),
    "record below a device": (("m.py:build", *SHIFTS, "--json", "/dev/null/x"), "cannot write /dev/null/x"),
    "one file for two": (("m.py:build", *SHIFTS, "--html", "x", "--junitxml", "x"), "x is named twice"),
    "unknown option": (("m.py:build", *SHIFTS, "--treshold", "1"), "--treshold"),
    "unknown domain": (("m.py:build", *SHIFTS, "--domain", "imges"), "unknown domain 'imges'; did you mean images?"),
    "zero elements": (("m.py:build", *SHIFTS, "--elements", "0"), "--elements"),
}


@pytest.mark.parametrize("name", TYPED)
def test_a_slip_of_the_pen_is_one_line_at_once_and_runs_no_code(name: str, tmp_path: Path):
    args, words = TYPED[name]
    (tmp_path / "m.py").write_text("open('ran', 'w')\n" + INVARIANT)
    out = erlangen("audit", *args, cwd=tmp_path)
    assert out.returncode == 2
    assert words in out.stderr
    assert out.stderr.count("\n") == 1, out.stderr
    assert out.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["m.py"]


def test_a_record_of_another_domain_is_refused_before_its_checks_are_looked_up(tmp_path: Path):
    (tmp_path / "m.py").write_text("open('ran', 'w')\n" + INVARIANT)
    record = AuditRecord(
        command="", model="m", source="", versions={}, machine={}, domain="texts", inputs=4, shape="", output="", precision="",
        device="cpu", twin="", threshold=0.1, seed=0, spread=1.0, rms=1.0,
        checks=(Checked(name="causality", kind="symmetry", judgment="exact", reason=""),),
    )  # fmt: skip
    (tmp_path / "old.json").write_text(json.dumps(to_json(record)))
    out = erlangen("audit", "m.py:build", *SHIFTS, "--domain", "images", "--compare", "old.json", cwd=tmp_path)
    assert out.returncode == 2
    assert out.stderr == "erlangen: old.json is an audit of texts (m), not of images: there is nothing to compare\n"


# --- faults of the user's code and inputs -------------------------------------------------------------------------------------

CHAIN = """
try:
    raise RuntimeError("operator torchvision::nms does not exist")
except RuntimeError as low:
    try:
        raise ImportError("cannot import name 'ops'") from low
    except ImportError as middle:
        raise ModuleNotFoundError("Could not import module 'AutoModel'") from middle
"""
CODE = {  # what the file holds, what is asked, exit code, words of the one line
    "missing package": ("import no_such_package", {}, 4, ["importing m.py failed", "pip install no_such_package"]),
    "package of another name": ("import cv2_gone as cv2\n", {}, 4, ["pip install cv2_gone"]),
    "bottom of the chain": (CHAIN, {}, 4, ["RuntimeError: operator torchvision::nms", "from one index"]),
    "syntax": ("def build(:", {}, 4, ["SyntaxError", "line 1"]),
    "relative import": ("from .layers import Block", {}, 4, ["no known parent package", "__init__.py"]),
    "sys.exit at import": ("import sys; sys.exit(7)", {}, 4, ["ended the process (exit 7)", "__main__"]),
    "sys.exit in build": ("import sys\ndef build(): sys.exit('bye')", {}, 4, ["sys.exit('bye')"]),
    "no such name": (INVARIANT, {"target": "m.py:biuld"}, 2, ["m.py has no 'biuld'", "build"]),
    "no such module": ("", {"target": "no_such.place:build"}, 2, ["there is no module no_such"]),
    "build raises": ("def build():\n    raise OSError('no\\nweights')", {}, 4, ["m.py:build raised OSError: no weights"]),
    "build returns text": ("def build():\n    return 'net'", {}, 4, ["returned a str"]),
    "build needs arguments": (
        "from torch import nn\ndef build(width):\n    return nn.Linear(3, 3)", {}, 4, ["needs width", "default"],
    ),
    "class needs arguments": (
        "from torch import nn\nclass Net(nn.Module):\n    def __init__(self, width): ...", {"target": "m.py:Net"}, 2,
        ["needs width"],
    ),
    "model raises": ("def f(x):\n    raise ValueError('too small')\ndef build(): return f", {}, 4, ["input 0", "too small"]),
    "model returns no tensor": ("def f(x):\n    return 'cat'\ndef build(): return f", {}, 4, ["returned a str"]),
    "model returns one number": ("def f(x):\n    return x.mean()\ndef build(): return f", {}, 4, ["first dimension"]),
    "unknown check": (INVARIANT, {"symmetries": ("translatoin",)}, 2, ["'translatoin'", "did you mean translation?"]),
    "check of another domain": (INVARIANT, {"symmetries": ("causality",), "domain": "images"}, 2, ["'causality'"]),
    "no inputs": (INVARIANT, {"input": None}, 2, ["there are no inputs", "--input"]),
    "shape of two": (INVARIANT, {"input": "6x6"}, 2, ["--domain"]),
    "empty shape": (INVARIANT, {"input": "1x0x6"}, 2, ["--input 1x0x6", "positive"]),
    "wrong shape": (INVARIANT, {"input": "3x6x6"}, 4, ["failed on input 0"]),
    "pickled array": (INVARIANT, {"input": "objects.npy"}, 4, ["objects.npy", "pickle"]),
    "pickled tensors": (INVARIANT, {"input": "objects.pt"}, 4, ["objects.pt", "pickle"]),
    "damaged file": (INVARIANT, {"input": "damaged.npy"}, 4, ["damaged.npy", "cannot be read"]),
    "one number": (INVARIANT, {"input": "scalar.npy"}, 4, ["scalar.npy", "a single number"]),
    "no rows": (INVARIANT, {"input": "empty.npy"}, 4, ["empty.npy", "nothing"]),
    "no numbers": (INVARIANT, {"input": "words.npy"}, 4, ["words.npy", "real numbers"]),
    "a state dict": (INVARIANT, {"input": "weights.pt"}, 4, ["weights.pt", "OrderedDict"]),
    "another kind of file": (INVARIANT, {"input": "m.py"}, 4, [".npy, .npz and .pt"]),
    "no pictures": (INVARIANT, {"input": "empty"}, 4, ["no pictures"]),
    "a damaged picture": (INVARIANT, {"input": "pictures"}, 4, ["a.png", "not a picture"]),
    "inputs with NaN": (INVARIANT, {"input": "nan.npy"}, 4, ["input 1 contains NaN"]),
    "inputs that are none": (INVARIANT + "\ndef two(): return Net(), 5", {"target": "m.py:two", "input": None}, 4, ["type int"]),
    "out of memory": ("def build():\n    raise MemoryError('64 GB')", {}, 4, ["MemoryError: 64 GB"]),
}  # fmt: skip


def write_inputs(folder: Path) -> None:
    """Files as they go wrong."""
    np.save(folder / "objects.npy", np.array([object()], dtype=object), allow_pickle=True)
    torch.save({"x": Path("x")}, folder / "objects.pt")
    torch.save(torch.nn.Linear(2, 2).state_dict(), folder / "weights.pt")
    (folder / "damaged.npy").write_bytes(b"\x93NUMPY\x01\x00")
    np.save(folder / "scalar.npy", np.float32(3))
    np.save(folder / "empty.npy", np.zeros((0, 1, 6, 6)))
    np.save(folder / "words.npy", np.array(["a", "b"]))
    images = np.random.default_rng(0).normal(size=(3, 1, 6, 6)).astype(np.float32)
    images[1, 0, 2, 2] = np.nan
    np.save(folder / "nan.npy", images)
    (folder / "empty").mkdir()
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(b"no picture")


@pytest.mark.parametrize("name", CODE)
def test_a_fault_of_model_or_inputs_is_one_line_with_the_cure(name: str, here: Path):
    code, request, exit_code, words = CODE[name]
    (here / "m.py").write_text(code)
    write_inputs(here)
    found = answer(replace(REQUEST, **request))
    assert "fault" in found
    assert [word for word in words if word not in found["fault"]] == [], found["fault"]
    assert found["exit_code"] == exit_code, found["fault"]
    assert "\n" not in found["fault"]
    assert len(found["fault"]) < 400


def arguments(request: dict[str, Any]) -> list[str]:
    """The same request as it is typed."""
    asked = replace(REQUEST, **request)
    named = {"--input": asked.input, "--domain": asked.domain}
    checks = [part for name in asked.symmetries or () for part in ("--symmetry", name)]
    return [asked.target, *(part for pair in named.items() if pair[1] for part in pair), *checks, "-n", "3", "--only-exact"]


@pytest.mark.slow
@pytest.mark.parametrize("name", CODE)
def test_the_command_says_the_same(name: str, tmp_path: Path):
    code, request, exit_code, words = CODE[name]
    (tmp_path / "m.py").write_text("print('hello from the model')\n" * (name != "syntax") + code)
    write_inputs(tmp_path)
    out = erlangen("audit", *arguments(request), "--json", "-", cwd=tmp_path)
    assert out.returncode == exit_code, out.stderr
    assert out.stdout == ""
    assert len(faults(out.stderr)) == 1, out.stderr
    assert "Traceback" not in out.stderr
    assert [word for word in words if word not in faults(out.stderr)[0]] == []


def test_packages_that_are_not_called_as_they_are_imported():
    from erlangen.auditing.importing import remedy

    assert "pip install opencv-python" in remedy(ModuleNotFoundError("No module named 'cv2'", name="cv2"))
    assert "pip install" not in remedy(ModuleNotFoundError("No module named 'torch.gone'", name="torch.gone"))


# --- what a target may be -----------------------------------------------------------------------------------------------------

TARGETS = {
    "builder": "build",
    "class": "Net",
    "instance": "net",
    "part of an object": "holder.net",
    "function": "f",
    "builder of a function": "g",
    "method": "net.forward",
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_builder_a_class_an_instance_or_the_model_itself(name: str, here: Path):
    more = "\nnet = Net()\nclass holder:\n    net = net\ndef f(x):\n    return x.exp().mean((2, 3))\ndef g():\n    return f\n"
    (here / "m.py").write_text(INVARIANT + more)
    assert judged(target=f"m.py:{TARGETS[name]}")["translation"] == "exact"


def test_a_builder_may_bring_its_inputs_and_input_replaces_them(here: Path):
    (here / "m.py").write_text(INVARIANT + "\ndef pair(): return build(), torch.randn(5, 1, 4, 4)\n")
    found = answer(replace(REQUEST, target="m.py:pair", input=None))["record"]
    assert (found["inputs"], found["shape"]) == (5, "1 × 4 × 4")
    found = answer(replace(REQUEST, target="m.py:pair"))["record"]
    assert (found["inputs"], found["shape"]) == (3, "1 × 6 × 6")


@pytest.mark.parametrize("file", ["json.py", "torch.py", "erlangen.py", "my model.py", "random.py"])
def test_a_file_may_be_called_like_a_module_of_others(file: str, here: Path):
    """And takes nobody's place: what others import by that name stays what it was."""
    name = file.removesuffix(".py")
    before = sys.modules.get(name)
    (here / file).write_text(INVARIANT)
    assert judged(target=f"{file}:build")["translation"] == "exact"
    if before is not None:
        assert sys.modules[name] is before


def test_a_file_beside_the_model_takes_the_place_of_no_module_of_pythons(here: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever imports it first, and however late: torch loads many only when they are needed."""
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    (here / "colorsys.py").write_text("raise RuntimeError('not the one that was meant')")
    (here / "m.py").write_text("import colorsys\nassert colorsys.rgb_to_hsv\n" + INVARIANT)
    assert judged()["translation"] == "exact"


def test_siblings_plain_and_relative(here: Path):
    folder = here / "with spaces" / "pack"
    folder.mkdir(parents=True)
    (folder / "layers.py").write_text(INVARIANT)
    (folder / "plain.py").write_text("from layers import build")
    assert judged(target="with spaces/pack/plain.py:build")["translation"] == "exact"
    (folder / "__init__.py").write_text("")
    (folder / "model.py").write_text("from .layers import build")
    assert judged(target="with spaces/pack/model.py:build")["translation"] == "exact"
    sys.path.insert(0, str(here / "with spaces"))
    assert judged(target="pack.model:build")["translation"] == "exact"


def test_arrays_tensors_pictures_and_a_tokenizers_output(here: Path):
    image = pytest.importorskip("PIL.Image")
    (here / "m.py").write_text(
        INVARIANT + "\ndef gray(x):\n    return build()(x[:, :1])\ndef words(x):\n    return x[..., None].float()\n"
    )
    values = np.random.default_rng(0).normal(size=(5, 1, 6, 6)).astype(np.float32)
    np.save(here / "x.npy", values)
    np.savez(here / "x.npz", first=values)
    torch.save(torch.from_numpy(values), here / "x.pt")
    torch.save(list(torch.from_numpy(values)), here / "list.pt")
    for name in ("x.npy", "x.npz", "x.pt", "list.pt"):
        assert answer(replace(REQUEST, input=name))["record"]["inputs"] == 3, name
        assert answer(replace(REQUEST, input=name, n=0))["record"]["inputs"] == 5, name
    (here / "shots").mkdir()
    for k, pixels in enumerate(np.random.default_rng(1).integers(256, size=(2, 8, 8, 3))):
        image.fromarray(pixels.astype(np.uint8)).save(here / "shots" / f"{k}.png")
    assert answer(replace(REQUEST, target="m.py:gray", input="shots"))["record"]["shape"] == "3 × 8 × 8"
    ids, mask = torch.randint(9, (4, 7)), torch.ones(4, 7, dtype=torch.long)
    mask[0, 5:] = 0
    torch.save({"input_ids": ids, "attention_mask": mask}, here / "texts.pt")
    found = answer(replace(REQUEST, target="m.py:words", input="texts.pt", symmetries=("causality",)))["record"]
    assert (found["domain"], found["inputs"]) == ("texts", 3)


# --- through the real command -------------------------------------------------------------------------------------------------


def test_json_on_stdout_is_all_there_is_on_stdout(tmp_path: Path):
    """Whatever the user's code prints, at import or later, and by whatever way; beside it JUnit XML and a page."""
    noise = "import os, sys\nprint('at import')\nos.system('echo by a child')\nos.write(1, b'by hand\\n')\n"
    (tmp_path / "json.py").write_text(noise + BROKEN + "print('loaded')\n")
    command = [sys.executable, "-P", "-c", "from erlangen.cli.main import main; main()", "audit", "json.py:build", *SHIFTS]
    files = ("--json", "-", "--junitxml", "out/ci.xml", "--html", "out/page.html")
    out = subprocess.run([*command, *files], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert out.returncode == 1, out.stderr
    record = json.loads(out.stdout)
    assert faults(out.stderr) == []
    assert all(words in out.stderr for words in ("at import", "by a child", "by hand", "loaded"))
    assert record["command"].endswith("--html out/page.html")
    suite = ElementTree.parse(tmp_path / "out" / "ci.xml").getroot()
    judgments = [check["judgment"] for check in record["checks"]]
    assert int(suite.get("tests")) == len(judgments) == len(suite.findall("testcase"))
    for kind, judgment in (("failure", "broken"), ("error", "not measured"), ("skipped", "undecided")):
        counted = int(suite.get({"failure": "failures", "error": "errors"}.get(kind, kind)))
        assert counted == judgments.count(judgment) == len(suite.findall(f"testcase/{kind}"))
    assert "json.py:build" in (tmp_path / "out" / "page.html").read_text(encoding="utf-8")


FLAT = "def build():\n    return lambda x: x.flatten(1)\n"
CODES = {  # model, options, exit code
    "exact": (INVARIANT, (), 0),
    "broken": (BROKEN, (), 1),
    "undecided": (FLAT, ("--symmetry", "reflection", "--threshold", "1"), 0),
    "undecided, strict": (FLAT, ("--symmetry", "reflection", "--threshold", "1", "--strict"), 1),
    "constant": ("import torch\ndef build():\n    return lambda x: torch.ones(len(x), 2)\n", (), 5),
    "NaN": ("def build():\n    return lambda x: x.mean((2, 3)) * float('nan')\n", (), 5),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CODES)
def test_exit_codes_of_what_was_measured(name: str, tmp_path: Path):
    code, options, exit_code = CODES[name]
    (tmp_path / "m.py").write_text(code)
    args = options or ("--symmetry", "translation", "--only-exact")
    out = erlangen("audit", "m.py:build", "--input", "1x6x6", "-n", "6", *args, cwd=tmp_path)
    assert out.returncode == exit_code, out.stdout + out.stderr
    assert faults(out.stderr) == []
    assert name.partition(",")[0] in out.stdout or exit_code == 5


DEATHS = {
    "segfault": ("import ctypes\ndef build():\n    ctypes.string_at(0)", "SIGSEGV"),
    "os._exit": ("import os\ndef build():\n    os._exit(9)", "exit code 9"),
    "killed": ("import os\ndef build():\n    os.kill(os.getpid(), 9)", "SIGKILL (out of memory?)"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DEATHS)
def test_a_process_that_dies_is_one_line(name: str, tmp_path: Path):
    code, words = DEATHS[name]
    (tmp_path / "m.py").write_text(code)
    out = erlangen("audit", "m.py:build", *SHIFTS, cwd=tmp_path)
    assert out.returncode == 4
    assert len(faults(out.stderr)) == 1, out.stderr
    assert words in faults(out.stderr)[0]
    assert out.stdout == ""


HANGS = """
import subprocess, time
def build():
    child = subprocess.Popen(["sleep", "600"])
    with open("pid", "w") as file:
        file.write(str(child.pid))
    time.sleep(600)
"""


@pytest.mark.slow
def test_timeout_ends_the_process_and_its_children(tmp_path: Path):
    (tmp_path / "m.py").write_text(HANGS)
    out = erlangen("audit", "m.py:build", *SHIFTS, "--timeout", "8", cwd=tmp_path)
    assert out.returncode == 4
    assert "was stopped after 8 s" in out.stderr
    assert "--timeout" in faults(out.stderr)[0]
    assert len(faults(out.stderr)) == 1
    assert not alive(int((tmp_path / "pid").read_text()))


SLOW = pytest.mark.slow
SIGNALS = [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=SLOW), pytest.param(signal.SIGKILL, -9, marks=SLOW)]


@pytest.mark.parametrize(("signum", "code"), SIGNALS)
def test_a_signal_ends_the_worker_and_its_children_too(signum: int, code: int, tmp_path: Path):
    """Nobody outlives the command: also where it was killed and could see to nothing itself."""
    (tmp_path / "m.py").write_text(HANGS)
    process = start("audit", "m.py:build", *SHIFTS, cwd=tmp_path)
    child = wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    process.send_signal(signum)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert len(faults(err)) == (0 if signum == signal.SIGKILL else 1), err
    assert "Traceback" not in err
    wait_for(lambda: not alive(int(child)), seconds=5)


@pytest.mark.slow
def test_a_child_that_the_model_leaves_behind_is_ended(tmp_path: Path):
    """Else a pipe behind the command would never close."""
    code = (
        "import subprocess, sys\nchild = subprocess.Popen(['sleep', '600'])\nopen('pid', 'w').write(str(child.pid))\nsys.exit(3)"
    )
    (tmp_path / "m.py").write_text(code)
    out = erlangen("audit", "m.py:build", *SHIFTS, cwd=tmp_path)
    assert out.returncode == 4
    assert not alive(int((tmp_path / "pid").read_text()))


@pytest.mark.slow
def test_a_full_disk_costs_a_file_and_not_the_audit(tmp_path: Path):
    """One of three does not fit, and in the place of another there is a folder by now: a line for each, the third is written,
    and the audit stands on stdout.
    """
    (tmp_path / "m.py").write_text("import os\nos.mkdir('record.json')\n" + INVARIANT)

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    files = ("--html", "page.html", "--json", "record.json", "--junitxml", "ci.xml")
    out = erlangen("audit", "m.py:build", *SHIFTS, *files, cwd=tmp_path, preexec_fn=no_room)
    assert out.returncode == 2
    assert len(faults(out.stderr)) == 2, out.stderr
    page, record = sorted(faults(out.stderr))
    assert "cannot write page.html: File too large" in page
    assert "cannot write record.json: Is a directory" in record
    assert "translation" in out.stdout
    suite = ElementTree.parse(tmp_path / "ci.xml").getroot()
    assert int(suite.get("tests")) == len(suite.findall("testcase")) > 1
    assert not list(tmp_path.glob(".*"))


def test_one_input_has_no_spread_and_says_so(here: Path):
    (here / "m.py").write_text(BROKEN)
    found = answer(replace(REQUEST, n=1, only_exact=False))["record"]
    record = from_json(AuditRecord, json.loads(json.dumps(found)))
    assert {check.judgment for check in record.checks} == {"not measured"}
    assert record.exit_code() == 5


@pytest.mark.parametrize("args", [("--help",), ("audit", "--help"), ("audit", "nope.py:f")])
def test_talking_about_an_audit_loads_no_torch(args: tuple[str, ...], tmp_path: Path):
    run = "import sys\nfrom erlangen.cli.main import main\ntry:\n    main()\n"
    code = run + "except SystemExit:\n    print('TORCH', 'torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code, *args], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert "TORCH False" in out.stdout


def test_the_script_that_pip_installs_is_the_same_command(tmp_path: Path):
    script = shutil.which("erlangen", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("not installed: run from the sources")
    out = subprocess.run([script, "audit", "nope.py:f"], cwd=tmp_path, capture_output=True, text=True)
    assert (out.returncode, out.stderr.count("\n")) == (2, 1)


def test_a_reader_that_leaves_does_not_change_the_exit_code(tmp_path: Path):
    """`erlangen audit … | head -1` in a script with pipefail: a broken model stays a failure."""
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "def build():\n"
        "    torch.manual_seed(0)\n"
        "    nn = torch.nn\n"
        "    layers = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)\n"
        "    return nn.Sequential(*layers).eval()\n"
    )
    options = "--input 3x16x16 --symmetry translation --only-exact -n 2"
    for _ in range(3):
        script = f"{sys.executable} -m erlangen audit net.py:build {options} 2>&1 | true; echo ${{PIPESTATUS[0]}}"
        out = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert out.stdout.split()[-1] == "1"
