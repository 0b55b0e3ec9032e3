"""Advice names options that the command has: whatever is raised below the command line and mentions one is checked here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import erlangen
from erlangen.cli.main import command

PACKAGE = Path(erlangen.__file__).parent
RAISED_IN = {  # part of the package -> the commands in which its errors end
    "records/expectations.py": ("audit",),
    "records": (),
    "statistics": (),
    "symmetries": (),
    "measure": (),
    "models": (),
    "nn": (),
    "data": (),
    "report/charts.py": ("report",),
    "report/tables.py": ("report",),
    "report": (),
    "experiments": ("run",),
    "sweep": ("run",),
    "auditing": ("audit",),
    "generate": ("gpt generate",),
    "train/seeds.py": ("run", "gpt train", "gpt evaluate"),
    "train/parallel.py": ("gpt train",),
    "train": ("gpt train",),
}
TORCHRUN = {"--nproc-per-node"}


def options(path: str) -> set[str]:
    """The options of a command."""
    made = command()
    for word in path.split():
        made = made.commands[word]
    names = [[*getattr(parameter, "opts", []), *getattr(parameter, "secondary_opts", [])] for parameter in made.params]
    return {option for parameter in names for option in parameter}  # --capture and --no-capture


def mentioned(file: Path) -> set[str]:
    """The options in the texts that a file's `raise` statements hold."""
    texts = [
        node.value
        for statement in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(statement, ast.Raise)
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return {option for text in texts for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)}


@pytest.mark.parametrize("part", RAISED_IN)
def test_errors_name_options_that_their_commands_have(part: str):
    known = set.intersection(*(options(path) for path in RAISED_IN[part])) if RAISED_IN[part] else set()
    files = [PACKAGE / part] if part.endswith(".py") else (PACKAGE / part).rglob("*.py")
    for file in files:
        if str(file.relative_to(PACKAGE)) in RAISED_IN and str(file.relative_to(PACKAGE)) != part:
            continue
        assert mentioned(file) - TORCHRUN <= known, file


def test_an_error_that_names_an_option_is_seen(tmp_path: Path):
    (tmp_path / "a.py").write_text(
        "def f(x):\n    if x:\n        raise ValueError(f'{x}: name another --out, not a--b')\n    '--no'\n"
    )
    assert mentioned(tmp_path / "a.py") == {"--out"}
