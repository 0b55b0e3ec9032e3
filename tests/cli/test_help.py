"""The help texts: short imperatives, nothing cut off at 80 columns; the version; shell completion; what the command loads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command import environment, erlangen

from erlangen import __version__
from erlangen.cli.main import command

LONGEST = 50


def commands(made: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    made = made or command()
    yield path, made
    for name, sub in getattr(made, "commands", {}).items():
        yield from commands(sub, (*path, name))


ALL = [pytest.param(path, id=" ".join(path) or "erlangen") for path, _ in commands()]
NO_VERBS = ("A", "An", "The", "What", "Which")


def made(path: tuple[str, ...]) -> Any:
    return dict(commands())[path]


@pytest.mark.parametrize("path", ALL)
def test_summaries_of_commands_and_options_are_short(path: tuple[str, ...]):
    summary = made(path).help.split("\n")[0]
    assert len(summary) <= LONGEST
    assert summary.endswith(".")
    verb = summary.split()[0]
    assert verb not in NO_VERBS, "an imperative"
    assert not verb.endswith("s"), "an imperative"
    texts = {parameter.name: parameter.help for parameter in made(path).params if parameter.name != "help"}
    assert not {name: text for name, text in texts.items() if not text or len(text) > LONGEST}


@pytest.mark.parametrize("path", ALL)
def test_nothing_is_cut_off_at_80_columns(path: tuple[str, ...], tmp_path: Path):
    out = erlangen(*path, "--help", cwd=tmp_path, variables={"COLUMNS": "80"})
    assert out.returncode == 0, out.stderr
    assert not re.search(r"…|\w\.\.\.$", out.stdout, re.M)
    assert max(map(len, out.stdout.splitlines())) <= 80
    for sub in getattr(made(path), "commands", {}).values():
        assert sub.help.split("\n")[0] in out.stdout


def test_version(tmp_path: Path):
    assert erlangen("--version", cwd=tmp_path).stdout == f"erlangen {__version__}\n"


def test_shells_complete_commands_options_and_names(tmp_path: Path):
    def offered(line: str) -> list[str]:
        asked = {"_ERLANGEN_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        return erlangen(cwd=tmp_path, variables=asked).stdout.split()

    assert "verdicts" in offered("erlangen ver")
    assert "--preset" in offered("erlangen run --pre")
    assert {"padding"} <= set(offered("erlangen run padd"))
    assert {"G1", "G11"} <= set(offered("erlangen run G1"))
    assert {"graphs", "graph-cost"} <= set(offered("erlangen show gra"))


def test_completion_for_a_shell_is_printed(tmp_path: Path):
    out = erlangen("--show-completion", cwd=tmp_path, variables={"SHELL": "/bin/bash"})
    assert out.returncode in (0, 1)  # the shell that runs the tests may be unknown
    assert "Traceback" not in out.stderr


@pytest.mark.parametrize(
    "args", [("--help",), ("--version",), ("list",), ("show",), ("show", "C5"), ("run", "--help")], ids=" ".join
)
def test_talking_about_experiments_loads_no_torch(args: tuple[str, ...], tmp_path: Path):
    code = """
import sys
from erlangen.cli import main
try:
    main.main()
except SystemExit as exit:
    print("CODE", exit.code, {"torch", "altair", "scipy.stats", "pydantic"} & sys.modules.keys())
"""
    command = [sys.executable, "-c", code, *args]
    out = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert "CODE 0 " in out.stdout, out.stderr
    assert "torch" not in out.stdout.splitlines()[-1]
    assert "altair" not in out.stdout.splitlines()[-1]
    if args[0].startswith("--"):
        assert "CODE 0 set()" in out.stdout


@pytest.mark.parametrize("args", [(), ("gpt",)], ids=str)
def test_without_a_command_the_help_is_shown(args: tuple[str, ...], tmp_path: Path):
    out = erlangen(*args, cwd=tmp_path)
    assert out.returncode == 2
    assert out.stderr.startswith("Usage: ")
    assert "erlangen:" not in out.stderr


def colored(*args: str, cwd: Path, **variables: str) -> str:
    """What the command prints to a terminal."""
    import pty

    leading, following = pty.openpty()
    clean = {name: value for name, value in environment().items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "erlangen", *args], cwd=cwd, env={**clean, "TERM": "xterm", **variables}, stdout=following
    )
    os.close(following)
    shown = b""
    try:
        while piece := os.read(leading, 65536):
            shown += piece
    except OSError:  # Linux: the other end is closed
        pass
    finally:
        os.close(leading)
    assert process.wait() == 0
    return shown.decode()


def test_color_on_a_terminal_alone(tmp_path: Path):
    assert "\x1b[" in colored("show", cwd=tmp_path)
    assert "\x1b[" not in colored("show", cwd=tmp_path, NO_COLOR="1")
    assert "\x1b[" not in colored("show", cwd=tmp_path, TERM="dumb")
    assert "\x1b[" not in erlangen("show", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("audit",), "erlangen: Missing argument 'MODEL'; see `erlangen audit --help`"),
        (("audit", "m.py:f", "--threshold", "x"), "erlangen: --threshold must be a number, not 'x'; see `erlangen audit --help`"),
        (("audit", "m.py:f", "--elements", "0"), "erlangen: --elements must be at least 1, not '0'; see `erlangen audit --help`"),
        (
            ("gpt", "train", "--steps", "five"),
            "erlangen: --steps must be a whole number, not 'five'; see `erlangen gpt train --help`",
        ),
        (("--nonsense",), "erlangen: No such option: --nonsense; see `erlangen --help`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_usage_error_points_to_the_help_of_its_command(args: tuple[str, ...], said: str, tmp_path: Path):
    out = erlangen(*args, cwd=tmp_path)
    assert (out.returncode, out.stderr) == (2, said + "\n")


def test_the_help_keeps_its_last_period(tmp_path: Path):
    assert erlangen(cwd=tmp_path).stderr.rstrip() == erlangen("--help", cwd=tmp_path).stdout.rstrip()


def test_a_setting_of_a_wrong_kind(tmp_path: Path):
    out = erlangen("run", "heads", "--set", "seeds=five", cwd=tmp_path)
    assert out.returncode == 2
    assert "--set seeds=five: seeds must be a whole number, not 'five'" in out.stderr
