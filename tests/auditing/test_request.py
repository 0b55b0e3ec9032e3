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
from erlangen.auditing.output_kinds import OUTPUTS
from erlangen.auditing.request import AuditRequest, as_names
from erlangen.auditing.targets import parse_assignments, parse_shape, parse_target
from erlangen.errors import USAGE, ErlangenError


def test_it_survives_the_way_to_the_worker() -> None:
    request = AuditRequest(
        target="m.py:f", symmetries=("causality",), skip=("repeat",), domain="images", layout="hwc", threshold=0.2, baseline=True,
        arguments={"mask": "ones", "k": 3}, build={"width": 8}, state={"h": "hn"}, preprocess="m.py:f", select="logits",
    )  # fmt: skip
    assert AuditRequest(**json.loads(json.dumps(asdict(request)))) == request
    assert AuditRequest(symmetries=["a"]) == AuditRequest(symmetries=("a",))  # type: ignore[arg-type]


def test_python_and_the_request_share_names_and_defaults() -> None:
    options = {name: entry.default for name, entry in inspect.signature(audit).parameters.items()}
    shared = {field.name: field.default for field in fields(AuditRequest)} | {"symmetries": None}
    apart = {"model", "inputs", "name", "notify"}, {"target", "input", "n", "build"}
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
        ({"output": "vectors"}, "unknown kind of output 'vectors'; did you mean vector"),
        ({"layout": "hcw"}, "unknown layout 'hcw'; did you mean hwc"),
        ({"layout": "tc", "domain": "images"}, "layout tc is one of series, not of images"),
        ({"domain": "imges"}, "unknown domain 'imges'; did you mean images?"),
        ({"domain": "sound"}, "unknown domain 'sound'; choose images, texts, graphs, points, series or volumes"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(options: dict[str, object], words: str) -> None:
    with pytest.raises(ErlangenError, match=words) as error:
        AuditRequest(**options)  # type: ignore[arg-type]
    assert error.value.exit_code == USAGE


def test_targets_and_shapes() -> None:
    assert parse_target("a/m.py:build") == ("a/m.py", "build", {})
    assert parse_target("C:/m.py:net.head") == ("C:/m.py", "net.head", {})
    assert parse_target("a (2)/m.py:build(width=8, kind='a:b (c)')") == ("a (2)/m.py", "build", {"width": 8, "kind": "a:b (c)"})
    assert parse_target("m.py:build()") == ("m.py", "build", {})
    for file in ("net.onnx", "net.pt", "net.ts"):
        assert parse_target(file) == (file, "", {})
    assert parse_shape("3x8x8") == parse_shape("3,8,8") == (3, 8, 8)
    for target in ("m.py", "m.py:", ":build", ""):
        with pytest.raises(ErlangenError, match=r"FILE\.py:build"):
            parse_target(target)
    for shape in ("3x", "x3", "3x-1", "three", "", "3 x 8"):
        with pytest.raises(ErlangenError, match="like 3x224x224"):
            parse_shape(shape)


@pytest.mark.parametrize("call", ["(8)", "(width=x)", "(**d)", "(width=", "(f())"])
def test_builder_arguments_are_plain_values_by_name(call: str) -> None:
    with pytest.raises(ErlangenError, match=r"by name, as plain values"):
        parse_target(f"m.py:build{call}")


def test_values_are_literals_or_words() -> None:
    texts = ["a=1", "b=2.5", "c=true", "d=False", "e=none", "f=ones", "g=[1, 2]", "h=x=y", "i="]
    values = {"a": 1, "b": 2.5, "c": True, "d": False, "e": None, "f": "ones", "g": [1, 2], "h": "x=y", "i": ""}
    assert parse_assignments("--argument", texts) == values
    for text in ("a", "=1", ""):
        with pytest.raises(ErlangenError, match=r"--argument .*as in --argument name=1"):
            parse_assignments("--argument", [text])


def test_one_check_alone_needs_no_list() -> None:
    assert AuditRequest(symmetries="causality").symmetries == ("causality",)  # type: ignore[arg-type]
    assert AuditRequest(skip="repeat").skip == ("repeat",)  # type: ignore[arg-type]
    assert as_names(None) is None
    assert as_names([]) == ()
    mine = object()
    assert as_names(mine) == (mine,)


def test_files_are_looked_for_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").touch()
    AuditRequest(target="m.py:f", input="3x8x8").check_files()
    AuditRequest(target="m.py:f", input=".").check_files()
    AuditRequest(target="some.module:f").check_files()
    for option in ({"preprocess": "n.py:f"}, {"symmetries": ("n.py:Mine",)}):
        with pytest.raises(ErlangenError, match=r"n\.py:\w+: there is no file n\.py"):
            AuditRequest(target="m.py:f", **option).check_files()  # type: ignore[arg-type]
    for target, source, words in (("n.py:f", None, "there is no file n.py"), ("m.py:f", "x.npy", "--input x.npy is neither")):
        with pytest.raises(ErlangenError, match=words):
            AuditRequest(target=target, input=source).check_files()


def test_kinds_of_output_are_those_that_symmetries_know() -> None:
    from erlangen.symmetries.reading import OUTPUTS as KNOWN

    assert OUTPUTS == KNOWN


def test_it_needs_no_torch() -> None:
    made = "from erlangen.auditing import launch, request; request.AuditRequest(domain='images')"
    code = f"import sys; {made}; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout.strip() == "False", out.stderr
