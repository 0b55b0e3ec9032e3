"""Plain text from a file, and a Project Gutenberg book without the text that surrounds it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from erlangen.data.files import DataError

FRONT = 20_000  # a list of contents must begin within this many characters


def read_text(path: Path | str) -> str:
    """The UTF-8 text of a file without a byte-order mark; lines end in "\\n", whether they end in LF, CR LF or CR in the file.

    Raises DataError if the file is missing, a folder, unreadable, empty, binary (it has a NUL byte) or not UTF-8.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder: give a text file")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}: give a UTF-8 text file") from error
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path} is UTF-16, according to its first bytes: save it as UTF-8")
    if b"\0" in raw:
        raise DataError(f"{path} is binary, not text (there is a NUL at byte {raw.index(0)}): give a UTF-8 text file")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 at byte {error.start} (0x{raw[error.start]:02x}): save it as UTF-8") from error
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise DataError(f"{path} is empty: give a file that has text")
    return text


# The markers since 1993. A title may span several lines; "*** START: FULL LICENSE ***" begins the license, not the book.
START = re.compile(
    r"^\*{3} *START OF (?:THE|THIS) PROJECT GUTENBERG(?:(?:[^*\n]|\n(?!\n)){0,300}\*{3}|).*\n"
    r"|^\*END\*? ?THE SMALL PRINT!?.*\n",
    re.MULTILINE | re.IGNORECASE,
)
END = re.compile(
    r"^(?:\*{3} *)?END OF (?:THE |THIS )?PROJECT GUTENBERG"
    r"|^\*{3} *START: FULL LICENSE"
    r"|^ *THE FULL PROJECT GUTENBERG.{1,4}LICENSE",
    re.MULTILINE | re.IGNORECASE,
)
PRODUCER = re.compile(
    r"\s*(?:\[?(?:this )?e-?(?:text|book) (?:was )?|)(?:produced|prepared|scanned|transcribed) by\b", re.IGNORECASE
)
CONTENTS = re.compile(r"^[ \t]*(?:TABLE OF )?CONTENTS[.:]?[ \t]*\n", re.MULTILINE | re.IGNORECASE)


def strip_gutenberg(text: str) -> str:
    """The book between Project Gutenberg's markers, without the producer's note and, if possible, from its first chapter on.

    The first chapter is recognized if there is a list of contents near the start, its first entry occurs again as a line by
    itself, and so do at least half of the entries in between. A text without the markers is returned unchanged.
    """
    start = START.search(text)
    begin = start.end() if start else 0
    end = END.search(text, begin)
    if start is None and end is None:
        return text
    body = text[begin : end.start() if end else len(text)].strip("\n")
    if start is not None:
        while PRODUCER.match(body):
            body = body.partition("\n\n")[2].lstrip("\n")
        body = body[_first_chapter(body) :]
    return body.strip("\n") + "\n"


def _first_chapter(body: str) -> int:
    """The position at which the first entry of the contents is a heading; 0 without contents, or if it is not certain."""
    contents = CONTENTS.search(body, 0, FRONT)
    if contents is None:
        return 0
    lines = body[contents.end() :].splitlines(keepends=True)
    titles = [_title(line) for line in lines]
    first = next((title for title in titles if title), None)
    if first is None or titles.count(first) < 2:
        return 0
    entry = titles.index(first)
    heading = titles.index(first, entry + 1)
    later = Counter(titles[heading:])
    entries = [title for title in titles[entry:heading] if title]
    if 2 * sum(title in later for title in entries) < len(entries):
        return 0
    return contents.end() + sum(map(len, lines[:heading]))


def _title(line: str) -> str:
    """A line in the form in which titles are compared: without case, outer spaces, and a page number after dots or spaces."""
    return re.sub(r"(?:[ \t]{2,}|[ \t]*\.[. \t]+|\t)[\divxlc]+$", "", line.strip().casefold()).strip(" .\t")
