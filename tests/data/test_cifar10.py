"""CIFAR-10's binary files: read as written, downloaded from a server on this machine, and what is said of other files."""

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch

from erlangen.data import files
from erlangen.data.files import DataError
from erlangen.errors import DamagedFileError, ErlangenError
from erlangen.experiments.kit.sources import require

cifar10 = import_module("erlangen.data.cifar10")
FEW = 20  # images per file
UNPACK = Path(__file__).resolve().parents[3] / "shared" / "data" / "cifar10" / "unpack"  # writes the real images
needs_images = pytest.mark.skipif(not UNPACK.is_file(), reason=f"{UNPACK} is not here")


def contents() -> dict[str, bytes]:
    """Six small files: the image after the i-th label has the colors i, i + 1 and i + 2."""
    rows = [bytes([i % 10]) + b"".join(bytes([i + color]) * 1024 for color in range(3)) for i in range(6 * FEW)]
    return {name: b"".join(rows[k * FEW : (k + 1) * FEW]) for k, name in enumerate(cifar10.NAMES)}


def unpacked(folder: Path) -> Path:
    """A folder with the six files."""
    folder.mkdir(parents=True)
    for name, content in contents().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cifar10, "RECORDS", FEW)
    monkeypatch.delenv("ERLANGEN_DATA", raising=False)
    monkeypatch.setattr(files, "cache", lambda: tmp_path / "cache")


def test_images_and_labels_are_read_as_they_are_written(tmp_path: Path) -> None:
    train, test = (cifar10.cifar10(part, unpacked(tmp_path / part)) for part in ("train", "test"))
    assert train.images.shape == (5 * FEW, 3, 32, 32)
    assert test.images.shape == (FEW, 3, 32, 32)
    assert train.images.dtype == torch.uint8
    for i in range(5 * FEW):
        assert train.labels[i] == i % 10
        assert [int(channel.unique().item()) for channel in train.images[i]] == [i, i + 1, i + 2]
    assert train.classes[3] == "cat"
    assert test.images[0, 0, 0, 0] == 5 * FEW


def test_rows_follow_rows(tmp_path: Path) -> None:
    place, pixels = unpacked(tmp_path / "place"), np.arange(FEW * 3072, dtype=np.uint32).astype(np.uint8).reshape(FEW, 3, 32, 32)
    records = b"".join(b"\x07" + image.tobytes() for image in pixels)
    (place / "test_batch.bin").write_bytes(records)
    assert torch.equal(cifar10.cifar10("test", place).images, torch.from_numpy(pixels))


@pytest.mark.parametrize("way", ["itself", "its parent", "variable", "variable, parent"])
def test_the_folder_may_be_given_in_four_ways(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = unpacked(tmp_path / "cifar10" / ("cifar-10-batches-bin" if "parent" in way else ""))
    if "variable" in way:
        monkeypatch.setenv("ERLANGEN_DATA", str(tmp_path))
    given = None if "variable" in way else place.parent if way == "its parent" else place
    assert len(cifar10.cifar10("test", given)) == FEW
    assert cifar10.cifar10_folder(given) == place


def error_of(folder: Path | None, part: str = "train") -> ErlangenError:
    with pytest.raises(ErlangenError) as caught:
        cifar10.cifar10(part, folder)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = unpacked(tmp_path / "cifar10")
    (place / "data_batch_4.bin").unlink()
    error = error_of(place)
    assert str(error) == f"{place}: there is no file data_batch_4.bin of CIFAR-10: unpack cifar-10-binary.tar.gz there"
    assert error.exit_code == 4
    monkeypatch.setenv("ERLANGEN_DATA", str(tmp_path))
    assert str(error_of(None)).endswith(", or unset ERLANGEN_DATA to download it")


@pytest.mark.parametrize("change", [-1, -3073, 1, 3073])
def test_a_file_of_another_size_is_refused_before_anything_is_read(change: int, tmp_path: Path) -> None:
    place = unpacked(tmp_path / "cifar10")
    path = place / "data_batch_2.bin"
    path.write_bytes((path.read_bytes() + bytes(3073))[: FEW * 3073 + change])
    error = error_of(place, "test")
    assert isinstance(error, DamagedFileError)
    size = FEW * 3073
    assert f"data_batch_2.bin: it has {size + change} bytes, not the {size} of {FEW} images of CIFAR-10: unpack" in str(error)


def test_a_label_that_is_none_is_refused(tmp_path: Path) -> None:
    place = unpacked(tmp_path / "cifar10")
    content = bytearray((place / "data_batch_3.bin").read_bytes())
    content[7 * 3073] = 10
    (place / "data_batch_3.bin").write_bytes(content)
    assert "data_batch_3.bin: image 7 has the label 10, but the classes are numbered 0 to 9: unpack" in str(error_of(place))


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = unpacked(tmp_path / "cifar10")

    def denied(path: Path, dtype: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(np, "fromfile", denied)
    assert str(error_of(place)).startswith(f"{place}/data_batch_1.bin cannot be read: Permission denied: ")


class Server(SimpleHTTPRequestHandler):
    """Sends the first `limit` bytes only, if there is a limit, and then hangs up."""

    limit: int | None = None

    def log_message(self, *args: object) -> None:
        pass

    def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def]
        outputfile.write(source.read(self.limit) if self.limit else source.read())


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The archive on a server, with its own SHA-256 as the expected one."""
    place = tmp_path / "served" / cifar10.ARCHIVE
    place.parent.mkdir()
    place.write_bytes(archive(contents()))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(place.parent)))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(Server, "limit", None)
    monkeypatch.setattr(cifar10, "URL", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr(cifar10, "SHA256", hashlib.sha256(place.read_bytes()).hexdigest())
    yield place
    server.shutdown()
    server.server_close()


def archive(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_the_archive_is_downloaded_and_unpacked_once(served: Path, tmp_path: Path) -> None:
    images = cifar10.cifar10("train").images
    served.unlink()
    assert torch.equal(cifar10.cifar10("train").images, images)  # nothing is asked of the server again
    left = sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert left == sorted(cifar10.NAMES)  # the archive and the drafts are gone


def test_an_interrupted_download_starts_again(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "limit", served.stat().st_size // 2)
    error = error_of(None)
    assert str(error).startswith(f"cannot download {cifar10.URL}{cifar10.ARCHIVE}: ")
    assert str(error).endswith(": try again, or unpack cifar-10-binary.tar.gz from elsewhere and give that folder")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    monkeypatch.setattr(Server, "limit", None)
    assert len(cifar10.cifar10("train")) == 5 * FEW


def test_what_a_killed_process_left_behind_is_replaced(served: Path, tmp_path: Path) -> None:
    place = tmp_path / "cache" / "cifar10"
    (place / "cifar-10-batches-bin").mkdir(parents=True)
    (place / "cifar-10-batches-bin" / "data_batch_1.bin").write_bytes(b"half")
    (place / cifar10.ARCHIVE).write_bytes(served.read_bytes()[:100])
    assert len(cifar10.cifar10("train")) == 5 * FEW


def test_another_archive_than_the_published_one_is_not_kept(served: Path, tmp_path: Path) -> None:
    served.write_bytes(archive({**contents(), "test_batch.bin": bytes(FEW * 3073)}))
    assert "SHA256" in str(error_of(None)) or "hash" in str(error_of(None))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_an_archive_without_a_file_is_named(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served.write_bytes(archive({name: content for name, content in contents().items() if name != "test_batch.bin"}))
    monkeypatch.setattr(cifar10, "SHA256", hashlib.sha256(served.read_bytes()).hexdigest())
    assert "cannot unpack" in str(error_of(None))
    assert "test_batch.bin" in str(error_of(None))


def test_the_kit_has_them_at_hand_before_any_job_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLANGEN_DATA", str(tmp_path))
    with pytest.raises(DataError, match="there is no file data_batch_1"):
        require(["cifar10"])
    unpacked(tmp_path / "cifar10")
    require(["cifar10"])


@needs_images
@pytest.mark.slow
def test_all_images_are_loaded_within_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "RECORDS", 10_000)
    subprocess.run([sys.executable, UNPACK, tmp_path], check=True, stdout=subprocess.DEVNULL)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        train, test = (cifar10.cifar10(part, tmp_path) for part in ("train", "test"))
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1
    assert train.labels.bincount().tolist() == [5000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10
    published = torch.tensor([0.4914, 0.4822, 0.4465], dtype=torch.float64)  # mean colors of the training images
    assert torch.allclose(train.images.double().mean((0, 2, 3)) / 255, published, atol=1e-3)
