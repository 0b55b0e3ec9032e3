"""What the README shows runs, and what it says is so."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_its_example_runs_and_only_circular_padding_keeps_translation(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    changes = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(changes.pop("circular")) < 1e-6
    assert len(changes) == 3
    assert all(float(change) > 0.01 for change in changes.values())


def test_its_files_exist():
    for path in re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / path).exists(), path
