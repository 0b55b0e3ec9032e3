"""Text in a terminal: paragraphs as wide as it is, color where it takes any, ASCII for what its encoding lacks."""

from __future__ import annotations

import codecs
import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence

import typer

WIDEST = 100  # columns of running text; longer lines are hard to read
NO_BREAK = "\N{NO-BREAK SPACE}"
TOGETHER = re.compile(r"(?<=\d) (?=%)|(?<=\bn) (?==)|(?<==) (?=\d)")  # spaces of `81.5 %` and `n = 10`
SUBSTITUTES = {
    "✓": "+", "✗": "x", "≠": "!=", "≤": "<=", "≥": ">=", "±": "+/-", "×": "x", "·": "*", "→": "->", "√": "sqrt",
    "–": "-", "—": "-", "−": "-", "“": '"', "”": '"', "‘": "'", "’": "'",
}  # fmt: skip


def show_all_text() -> None:
    """Let stdout and stderr take any text: what their encoding lacks is printed in ASCII, '≤' as '<='.

    Where one is closed (`erlangen list >&-`), its text goes nowhere.
    """
    codecs.register_error("erlangen-ascii", in_ascii)
    sys.stdout, sys.stderr = (stream or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w") for stream in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="erlangen-ascii")


def in_ascii(error: UnicodeError) -> tuple[str, int]:
    """The handler of codec errors: letters without their accents, signs by name, '?' for the rest."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(nearest_ascii, error.object[error.start : error.end])), error.end


def nearest_ascii(character: str) -> str:
    """'ⁿ' -> 'n', '⁻' -> '-', 'é' -> 'e', '🦊' -> '?'"""
    parts = [character] if character in SUBSTITUTES else unicodedata.normalize("NFKD", character)
    return "".join(SUBSTITUTES.get(part, part) for part in parts).encode("ascii", "ignore").decode() or "?"


def paint(text: str, style: str | None = None) -> str:
    """The text bold or in a color, where stdout is a terminal that takes colors and NO_COLOR is not set (https://no-color.org)."""
    wanted = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    if not wanted or style is None:
        return text
    return typer.style(text, bold=True) if style == "bold" else typer.style(text, fg=style)


def print_text(text: str, indent: int = 0, label: Sequence[tuple[str, str | None]] = ()) -> None:
    """Print a paragraph as wide as the terminal, behind `indent` spaces; the styled pieces of `label` open its first line."""
    opening = "".join(piece for piece, _ in label)
    indent = indent or len(opening)
    lines = textwrap.fill(
        TOGETHER.sub(NO_BREAK, text),
        max(min(shutil.get_terminal_size().columns, WIDEST), indent + 20),
        initial_indent=opening or " " * indent,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
    print("".join(paint(piece, style) for piece, style in label) + lines[len(opening) :].replace(NO_BREAK, " "))
