"""The real file, where it is; the download from a server on this machine; files that are not it."""

import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread

import pytest

from erlangen.data import files
from erlangen.data.files import DataError
from erlangen.data.text import read_text
from erlangen.errors import DamagedFileError

grimm = import_module("erlangen.data.grimm")  # as an attribute of `erlangen.data` it is the function
FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "text" / grimm.NAMES[0]
needs_file = pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE} is not here")
SMALL = (
    "*** START OF THIS PROJECT GUTENBERG EBOOK ***\n\nTHE FOX\n\nA fox ran.\n\n*****\n\n"
    "The Brothers Grimm, Jacob and Wilhelm\n\nEnd of Project Gutenberg’s Grimms’ Fairy Tales\n"
)


@needs_file
def test_the_tales_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLANGEN_DATA", str(FILE.parents[1]))
    text = grimm.grimm()
    assert text.startswith("THE GOLDEN BIRD\n\nA certain king had a beautiful garden")
    assert text.endswith("roses, white and red.\n")
    assert text in read_text(FILE)  # cut, not changed
    for word in (
        "gutenberg",
        "copyright",
        "license",
        "donat",
        "ebook",
        "trademark",
        "produced by",
        "contents",
        "preparer",
        "\ufeff",
    ):
        assert word not in text.casefold()
    titles = read_text(FILE).partition("CONTENTS:")[2].partition("THE BROTHERS GRIMM FAIRY TALES")[0].split("\n")
    assert [title for title in titles if title.strip().isupper() and title.strip() not in text] == []


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    place = tmp_path / "served"
    place.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(place)))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("ERLANGEN_DATA", raising=False)
    monkeypatch.setattr(files, "cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(grimm, "SOURCE", f"http://127.0.0.1:{server.server_port}/")
    yield place
    server.shutdown()
    server.server_close()


@needs_file
def test_the_published_file_is_downloaded_once(served: Path) -> None:
    (served / grimm.PUBLISHED).write_bytes(FILE.read_bytes())
    text = grimm.grimm()
    (served / grimm.PUBLISHED).unlink()
    assert grimm.grimm() == text


def test_the_pinned_sum_decides(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (served / grimm.PUBLISHED).write_text(SMALL, encoding="utf-8")
    with pytest.raises(DataError, match=r"cannot download http://127\.0\.0\.1:\d+/book_EN.*(hash|SHA256)"):
        grimm.grimm()
    monkeypatch.setattr(grimm, "SHA256", hashlib.sha256(SMALL.encode()).hexdigest())
    assert grimm.grimm() == "THE FOX\n\nA fox ran.\n"


@pytest.mark.parametrize("name", grimm.NAMES)
def test_a_file_of_the_users_under_either_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLANGEN_DATA", str(tmp_path))
    with pytest.raises(DataError, match="text: there is no file book_EN"):
        grimm.grimm()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / name).write_text(SMALL, encoding="utf-8")
    assert grimm.grimm_file() == tmp_path / "text" / name
    with pytest.raises(DamagedFileError, match=rf"{name}: this is not the published file"):
        grimm.grimm()
