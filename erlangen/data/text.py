"""Plain text from a file, and a Project Gutenberg book without what was put around it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from erlangen.data.files import DataError

FRONT = 20_000  # characters in which a list of contents has to begin


def read_text(path: Path | str) -> str:
    """The UTF-8 text of a file, without a byte-order mark, lines ended by "\\n" whether by LF, CR LF or CR in the file.

    Raises DataError where the file is missing, a folder, unreadable, empty, binary (it has a NUL), or not UTF-8.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: a folder: give a text file")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}: give a UTF-8 text file") from error
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path}: UTF-16, not UTF-8 (its first bytes say so): save it as UTF-8")
    if b"\0" in raw:
        raise DataError(f"{path}: binary, not text (a NUL at byte {raw.index(0)}): give a UTF-8 text file")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start} (0x{raw[error.start]:02x}): save it as UTF-8") from error
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise DataError(f"{path}: empty: give a file with text in it")
    return text


# Markers of 1993 to now. A title may run over several lines; "*** START: FULL LICENSE ***" opens the license, not the book.
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
    """The book between Project Gutenberg's markers, without the producer's note, from its first chapter on where that is sure.

    Sure means: a list of contents stands near the start, its first entry comes again as a line of its own, and so does at least
    half of what stands in between. A text without the markers is returned as it is.
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
    """Where the first entry of the contents stands as a heading; 0 where there are no contents, or it is not sure."""
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
    """A line as titles are compared: without case, space around, and the number of a page after dots or a wide space."""
    return re.sub(r"(?:[ \t]{2,}|[ \t]*\.[. \t]+|\t)[\divxlc]+$", "", line.strip().casefold()).strip(" .\t")
