"""A folder of the user's, a download from a server on this machine, and what is said where neither has the files."""

import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from erlangen.data import files
from erlangen.data.files import DataError

CONTENT = {"a.txt": b"first", "b.bin": bytes(range(256))}
SHA256 = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Path:
    place = tmp_path / "served"
    place.mkdir()
    for name, content in CONTENT.items():
        (place / name).write_bytes(content)
    return place


@pytest.fixture
def url(served: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_folder_of_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ERLANGEN_DATA", raising=False)
    monkeypatch.setattr(files, "cache", lambda: tmp_path / "cache")


def test_files_are_downloaded_once(url: str, served: Path, tmp_path: Path) -> None:
    found = files.folder("set/raw", SHA256, url)
    assert found == tmp_path / "cache" / "set" / "raw"
    assert {path.name: path.read_bytes() for path in found.iterdir()} == CONTENT
    for path in served.iterdir():
        path.unlink()
    assert files.folder("set/raw", SHA256, url) == found  # nothing is asked of the server again


def test_another_file_than_the_published_one_is_not_kept(url: str, served: Path, tmp_path: Path) -> None:
    (served / "b.bin").write_bytes(b"another")
    with pytest.raises(DataError, match=r"cannot download http://127\.0\.0\.1:\d+/b\.bin: .*(hash|SHA256).*ERLANGEN_DATA"):
        files.folder("set/raw", SHA256, url)
    assert [path.name for path in (tmp_path / "cache" / "set" / "raw").iterdir()] == ["a.txt"]


def test_a_cut_download_is_mended(url: str, tmp_path: Path) -> None:
    target = tmp_path / "cache" / "set" / "raw"
    target.mkdir(parents=True)
    (target / "b.bin").write_bytes(CONTENT["b.bin"][:10])
    assert (files.folder("set/raw", SHA256, url) / "b.bin").read_bytes() == CONTENT["b.bin"]


@pytest.mark.parametrize("fault", ["missing", "no server"])
def test_what_cannot_be_had_is_said_in_one_line(fault: str, url: str, served: Path) -> None:
    if fault == "missing":
        (served / "a.txt").unlink()
    address = url if fault == "missing" else "http://127.0.0.1:9/"
    with pytest.raises(DataError) as caught:
        files.folder("set/raw", SHA256, address)
    assert str(caught.value).startswith(f"cannot download {address}a.txt: ")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_the_users_folder_comes_first(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLANGEN_DATA", str(served.parent))
    assert files.folder("served", SHA256, "http://127.0.0.1:9/") == served


def test_a_file_that_the_users_folder_lacks_is_named(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLANGEN_DATA", str(served.parent))
    (served / "b.bin").unlink()
    with pytest.raises(DataError, match=r"served: there is no file b\.bin: put it there, or unset ERLANGEN_DATA"):
        files.folder("served", SHA256, "http://127.0.0.1:9/")
