"""Files as users have them, and Project Gutenberg's wrappings through the years."""

from pathlib import Path

import pytest

from erlangen.data.files import DataError
from erlangen.data.text import read_text, strip_gutenberg


@pytest.mark.parametrize(
    "raw",
    [b"one\ntwo\n", b"\xef\xbb\xbfone\ntwo\n", b"one\r\ntwo\r\n", b"one\rtwo\r", b"\xef\xbb\xbfone\r\ntwo\n"],
    ids=["plain", "byte-order mark", "CR LF", "CR", "mixed"],
)
def test_lines_end_alike_whatever_wrote_them(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(raw)
    assert read_text(tmp_path / "a.txt") == "one\ntwo\n"


def test_only_the_first_byte_order_mark_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffa\ufeffé".encode())
    assert read_text(str(tmp_path / "a.txt")) == "a\ufeffé"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \r\n", "is empty"),
        (b"caf\xe9 au lait", r"is not UTF-8 at byte 3 \(0xe9\)"),
        (b"cut \xe2\x80", r"is not UTF-8 at byte 4 \(0xe2\)"),
        (b"\xef\xbb\xbf\xff", r"is not UTF-8 at byte 3 \(0xff\)"),
        (b"ab\0\x01", "is binary, not text .*byte 2"),
        ("text".encode("utf-16"), "is UTF-16"),
    ],
)
def test_what_is_no_text_is_said_in_one_line(tmp_path: Path, raw: bytes, reason: str) -> None:
    (tmp_path / "a.txt").write_bytes(raw)
    with pytest.raises(DataError, match=rf"a\.txt {reason}.*: ") as caught:
        read_text(tmp_path / "a.txt")
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"b\.txt: No such file"):
        read_text(tmp_path / "b.txt")
    with pytest.raises(DataError, match="is a folder"):
        read_text(tmp_path)


BOOK = "A tale began.\n\nIt ended.\n"
STARTS = [
    "*** START OF THIS PROJECT GUTENBERG EBOOK SOME TALES ***",
    "*** START OF THE PROJECT GUTENBERG EBOOK SOME TALES ***",
    "***START OF THE PROJECT GUTENBERG EBOOK SOME TALES***",
    "*** START OF THE PROJECT GUTENBERG EBOOK SOME\nTALES OF LONG AGO ***",
    "*** START OF THIS PROJECT GUTENBERG EBOOK 2591",
    "*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
    "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
]
ENDS = [
    "*** END OF THIS PROJECT GUTENBERG EBOOK SOME TALES ***",
    "***END OF THE PROJECT GUTENBERG EBOOK SOME TALES***",
    "End of Project Gutenberg’s Some Tales, by A. N. Other\n\n*** END OF THIS PROJECT GUTENBERG EBOOK ***",
    "End of the Project Gutenberg EBook of Some Tales\n\n*** END OF THE PROJECT GUTENBERG EBOOK ***",
    "End of The Project Gutenberg Etext of Some Tales",
    "*** START: FULL LICENSE ***\n\nTHE FULL PROJECT GUTENBERG LICENSE",
]
LICENSE = "\n\nUpdated editions will replace the previous one--the Project Gutenberg-tm editions\nwill be renamed.\n"


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    "note",
    ["", "\n\nProduced by Emma\nand Dagny\n", "E-text prepared by A\n\nProduced by B\n\n", "[This ebook was produced by C]\n"],
)
def test_only_the_book_stays(start: str, end: str, note: str) -> None:
    header = (
        "The Project Gutenberg EBook of Some Tales\n\n***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***\n\nNo.\n\n"
    )
    assert strip_gutenberg(f"{header}{start}\n{note}\n\n{BOOK}\n\n{end}{LICENSE}") == BOOK


def test_one_marker_is_enough() -> None:
    assert strip_gutenberg(f"{STARTS[0]}\n\n{BOOK}") == BOOK
    assert strip_gutenberg(f"{BOOK}\n\n{ENDS[0]}{LICENSE}") == BOOK


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "  two\n\n\nlines \n\n",
        "CONTENTS\nA\nB\n\nA\nx\nB\ny",
        "on Project Gutenberg: *** the end of the Project Gutenberg",
    ],
)
def test_a_text_without_markers_stays_as_it_is(text: str) -> None:
    assert strip_gutenberg(text) == text


def book(front: str) -> str:
    return f"{STARTS[0]}\n\nProduced by Emma\n\n\n{front}\n\n{ENDS[0]}\n"


CHAPTERS = "THE FOX\n\nA fox ran.\n\n***\n\nIt ran far.\n\nTHE HEN\n\nA hen sat.\n"


@pytest.mark.parametrize(
    "contents",
    [
        "CONTENTS:\n\n    THE FOX\n    THE HEN\n",
        "Table of Contents\n\nThe Fox ..... 7\n\nThe Hen ..... 12\n",
        "Contents.\n  THE FOX\t vii\n  THE HEN   12\n",
    ],
)
def test_the_front_matter_goes_where_the_contents_show_the_first_chapter(contents: str) -> None:
    assert (
        strip_gutenberg(book(f"SOME TALES\n\nBy Me\n\nPREPARER’S NOTE\n\n  From print.\n\n{contents}\n\nTALES\n\n{CHAPTERS}"))
        == CHAPTERS
    )


@pytest.mark.parametrize(
    "front",
    [
        f"SOME TALES\n\n{CHAPTERS}",  # no contents
        f"CONTENTS\n\nI. Of Foxes\nII. Of Hens\n\n{CHAPTERS}",  # whose entries are no headings
        f"CONTENTS\n\nTHE FOX\nTHE HEN\n\nPREFACE\n\nI wrote\nthis book\nfor all\nwho run.\n\n{CHAPTERS}",  # more than them
        f"CONTENTS\n\n\n{CHAPTERS}",  # of nothing
    ],
)
def test_where_the_first_chapter_is_not_sure_all_stays(front: str) -> None:
    assert strip_gutenberg(book(front)) == front.strip("\n") + "\n"


def test_numbers_of_chapters_are_no_numbers_of_pages() -> None:
    chapters = "CHAPTER 1\n\nA fox.\n\nCHAPTER 2\n\nA hen.\n"
    assert strip_gutenberg(book(f"CONTENTS\n\nCHAPTER 1\nCHAPTER 2\n\n{chapters}")) == chapters
