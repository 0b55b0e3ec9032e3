"""How every benchmark hands out its ratios: {name, ratio, target, peer, unit}."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TextIO


def parser(doc: str | None) -> argparse.ArgumentParser:
    """With the one option that all benchmarks share."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", metavar="FILE", help="ratios as JSON to a file; - prints them to stdout, the table to stderr")
    return options


def table_stream(target: str | None) -> TextIO:
    """Where the table goes: stdout, unless JSON takes it."""
    return sys.stderr if target == "-" else sys.stdout


def emit(results: list[dict[str, object]], target: str | None) -> None:
    """The ratios, where --json asks for them."""
    text = json.dumps(results, indent=1)
    if target == "-":
        print(text)
    elif target:
        Path(target).write_text(text + "\n", encoding="utf-8")
