"""One request for the command line, the worker and Python: checked once, and the same on the other side of the process."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from erlangen.auditing.audit import audit
from erlangen.auditing.request import AuditRequest, parse_shape, split_target
from erlangen.errors import USAGE, ErlangenError


def test_it_survives_the_way_to_the_worker() -> None:
    request = AuditRequest(target="m.py:f", symmetries=("causality",), domain="texts", threshold=0.2, baseline=True)
    assert AuditRequest(**json.loads(json.dumps(asdict(request)))) == request
    assert AuditRequest(symmetries=["a"]) == AuditRequest(symmetries=("a",))  # type: ignore[arg-type]


def test_python_and_the_request_share_names_and_defaults() -> None:
    options = {name: entry.default for name, entry in inspect.signature(audit).parameters.items()}
    shared = {field.name: field.default for field in fields(AuditRequest)} | {"symmetries": None}
    apart = {"model", "inputs", "select", "name", "notify"}, {"target", "input", "n"}
    assert (options.keys() - shared.keys(), shared.keys() - options.keys()) == apart
    assert all(options[name] == shared[name] for name in options.keys() & shared.keys())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threshold": 0}, "threshold 0 must be positive"),
        ({"threshold": float("nan")}, "threshold nan must be positive"),
        ({"threshold": float("inf")}, "threshold inf must be positive and finite"),
        ({"elements": 0}, r"elements \(0\) and batch_size \(32\) must be at least 1"),
        ({"batch_size": -1}, r"batch_size \(-1\) must be at least 1"),
        ({"domain": "imges"}, "unknown domain 'imges'; did you mean images?"),
        ({"domain": "sound"}, "unknown domain 'sound'; choose images, texts, graphs, points or series"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(options: dict[str, object], words: str) -> None:
    with pytest.raises(ErlangenError, match=words) as error:
        AuditRequest(**options)  # type: ignore[arg-type]
    assert error.value.exit_code == USAGE


def test_targets_and_shapes() -> None:
    assert split_target("a/m.py:build") == ("a/m.py", "build")
    assert split_target("C:/m.py:net.head") == ("C:/m.py", "net.head")
    assert split_target("net.onnx") == ("net.onnx", "")
    assert parse_shape("3x8x8") == parse_shape("3,8,8") == (3, 8, 8)
    for target in ("m.py", "m.py:", ":build", ""):
        with pytest.raises(ErlangenError, match=r"FILE\.py:build"):
            split_target(target)
    for shape in ("3x", "x3", "3x-1", "three", "", "3 x 8"):
        with pytest.raises(ErlangenError, match="like 3x224x224"):
            parse_shape(shape)


def test_files_are_looked_for_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").touch()
    AuditRequest(target="m.py:f", input="3x8x8").check_files()
    AuditRequest(target="m.py:f", input=".").check_files()
    AuditRequest(target="some.module:f").check_files()
    for target, source, words in (("n.py:f", None, "there is no file n.py"), ("m.py:f", "x.npy", "--input x.npy is neither")):
        with pytest.raises(ErlangenError, match=words):
            AuditRequest(target=target, input=source).check_files()


def test_it_needs_no_torch() -> None:
    made = "from erlangen.auditing import launch, request; request.AuditRequest(domain='images')"
    code = f"import sys; {made}; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout.strip() == "False", out.stderr
