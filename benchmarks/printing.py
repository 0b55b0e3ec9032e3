"""Options and output that all benchmarks share. A result is {name, ratio, target, peer, unit}."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TextIO


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser with the option that all benchmarks share."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", metavar="FILE", help="write the ratios as JSON to FILE; - is stdout, with the table on stderr")
    return options


def table_stream(target: str | None) -> TextIO:
    """The stream for the table: stdout, or stderr if the JSON goes to stdout."""
    return sys.stderr if target == "-" else sys.stdout


def emit(results: list[dict[str, object]], target: str | None) -> None:
    """Write the ratios to `target`: a file, "-" for stdout, or None for nowhere."""
    text = json.dumps(results, indent=1)
    if target == "-":
        print(text)
    elif target:
        Path(target).write_text(text + "\n", encoding="utf-8")
