"""What the README shows runs, and what it says is so."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_its_example_runs_and_only_circular_padding_keeps_translation(capsys):
    code = next(block for block in blocks() if "PaddedConv2d" in block)
    exec(compile(code, "README.md", "exec"), {})
    changes = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(changes.pop("circular")) < 1e-6
    assert len(changes) == 3
    assert all(float(change) > 0.01 for change in changes.values())


def test_its_statistics_decide_what_the_comment_says(capsys):
    code = next(block for block in blocks() if "paired_interval" in block)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out == "supported\n"


def test_its_audit_says_what_the_comment_says(capsys):
    code = next(block for block in blocks() if "erlangen.audit" in block)
    exec(compile(code, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert re.search(r"translation +broken", said)
    assert "first lost at 0 (Conv2d" in said


def test_its_files_exist():
    for path in re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / path).exists(), path
