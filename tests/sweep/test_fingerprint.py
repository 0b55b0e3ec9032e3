"""What recomputes and what does not."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from erlangen.sweep import fingerprint as module
from erlangen.sweep.fingerprint import fingerprint, reachable

FILES = {
    "__init__.py": "",
    "run.py": "from {p}.layer import Layer\nfrom . import helper\n\n\ndef run(job):\n    return Layer(), helper.help()\n",
    "layer.py": '"""A layer."""\n\n\nclass Layer:\n    """Doubles."""\n\n    factor = 2\n',
    "helper.py": "import json\n\n\ndef help():\n    from .deep import floor\n\n    return floor()\n",
    "deep.py": "def floor():\n    return 0\n",
    "judge.py": "def verdicts():\n    return []\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch, request) -> tuple[str, Path]:
    """A package of its own for every test: import machinery remembers names."""
    name = f"package_{zlib.crc32(request.node.nodeid.encode())}"
    folder = tmp_path / name
    folder.mkdir()
    for file, text in FILES.items():
        (folder / file).write_text(text.replace("{p}", name))
    monkeypatch.syspath_prepend(tmp_path)
    return name, folder


def test_it_reaches_what_is_imported_and_no_more(package):
    name, _ = package
    assert reachable(f"{name}.run") == {f"{name}.{part}" for part in ("run", "layer", "helper", "deep")}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("layer.py", "factor = 2", "factor = 2  # twice"),
        ("layer.py", '"""Doubles."""', '"""Multiplies by two."""'),
        ("layer.py", '"""A layer."""\n\n\n', "\n"),
        ("layer.py", "    factor = 2", "\n    factor  =  2"),
        ("judge.py", "[]", "[1]"),
    ],
)
def test_comments_docstrings_layout_and_verdicts_recompute_nothing(package, file, old, new):
    name, folder = package
    before = fingerprint(f"{name}.run")
    replace(folder / file, old, new)
    assert fingerprint(f"{name}.run") == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("layer.py", "factor = 2", "factor = 3"), ("deep.py", "return 0", "return 1"), ("run.py", "Layer()", "Layer")],
)
def test_code_that_the_jobs_reach_recomputes(package, file, old, new):
    name, folder = package
    before = fingerprint(f"{name}.run")
    replace(folder / file, old, new)
    assert fingerprint(f"{name}.run") != before


def test_another_torch_recomputes(monkeypatch):
    before = fingerprint("erlangen.experiments.padding.run")
    monkeypatch.setattr(module.importlib.metadata, "version", lambda name: "9.9.9")
    assert fingerprint("erlangen.experiments.padding.run") != before


def test_the_padding_jobs_reach_their_layers_and_neither_verdicts_nor_records():
    names = reachable("erlangen.experiments.padding.run")
    assert {"erlangen.nn.padding", "erlangen.models.padded_cnn", "erlangen.data.red_green", "erlangen.train.classifier"} <= names
    others = ("experiments.padding.judge", "statistics.intervals", "records.runs", "errors", "cli.main")
    assert not names & {f"erlangen.{name}" for name in others}


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
