"""Pictures in class folders: what is read of them, how they are split, and what is said of folders that cannot be read."""

from pathlib import Path

import numpy as np
import pytest
import torch

from erlangen.data.files import DataError
from erlangen.data.image_folder import check_image_folder, image_folder
from erlangen.data.labeled_images import LabeledImages

Image = pytest.importorskip("PIL.Image")
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
COLORS = {"apple": RED, "lime": GREEN, "sky": BLUE}


def save(path: Path, color: object, size: tuple[int, int] = (40, 40), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path)


def fruit(path: Path, n: int = 10) -> Path:
    """n pictures of one color in each of three class folders; the number of the picture is its blue or red value."""
    for name, color in COLORS.items():
        for i in range(n):
            shade = tuple(value or 2 * i for value in color)
            save(path / name / f"{i}.png", shade)
    return path


def class_of(images: LabeledImages) -> list[str]:
    """The class that each image's color says."""
    return [list(COLORS)[int(image.float().mean((1, 2)).argmax())] for image in images.images]


def test_classes_are_the_subfolders_in_the_order_of_their_names(tmp_path: Path) -> None:
    train, test = image_folder(fruit(tmp_path), 16)
    assert train.classes == test.classes == ("apple", "lime", "sky")
    assert train.images.shape == (24, 3, 16, 16)
    assert test.images.shape == (6, 3, 16, 16)
    for part in (train, test):
        assert [part.classes[label] for label in part.labels] == class_of(part)


def test_a_seeded_share_of_each_class_is_drawn_for_the_test(tmp_path: Path) -> None:
    (train, test), again, other = (image_folder(fruit(tmp_path), 8, seed=seed) for seed in (0, 0, 1))
    assert test.labels.bincount().tolist() == [2, 2, 2]
    assert torch.equal(again[1].images, test.images)
    assert torch.equal(again[0].images, train.images)
    assert not torch.equal(other[1].images, test.images)
    pictures = [image.flatten().tolist() for part in (train, test) for image in part.images]
    assert len({tuple(picture) for picture in pictures}) == 30  # none is in both


def test_the_order_is_random_so_that_the_first_images_are_of_all_classes(tmp_path: Path) -> None:
    train, _ = image_folder(fruit(tmp_path), 8)
    assert len(train.labels[:8].unique()) == 3


@pytest.mark.parametrize("name", ["test", "val", "valid", "validation"])
def test_train_and_test_folders_are_kept_apart(name: str, tmp_path: Path) -> None:
    fruit(tmp_path / "train", 3)
    for i in range(2):
        save(tmp_path / name / "lime" / f"{i}.jpg", GREEN)
    train, test = image_folder(tmp_path, 8)
    assert len(train) == 9
    assert test.classes == train.classes
    assert test.labels.tolist() == [1, 1]


def test_a_class_called_train_needs_no_test_folder(tmp_path: Path) -> None:
    for name in ("car", "train"):
        for i in range(2):
            save(tmp_path / name / f"{i}.png", RED)
    assert image_folder(tmp_path, 8)[0].classes == ("car", "train")


def test_pictures_are_cropped_to_the_centered_square(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for i in range(2):
            picture = np.full((30, 90, 3), 255, np.uint8)
            picture[:, 30:60] = 10
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(picture).save(tmp_path / name / f"{i}.png")
    assert (image_folder(tmp_path, 10)[0].images == 10).all()


def test_a_picture_of_this_size_is_read_pixel_by_pixel(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for name in ("a", "b"):
        for i in range(2):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    assert torch.equal(image_folder(tmp_path)[0].images[0], torch.from_numpy(pixels).permute(2, 0, 1))


def test_photos_are_turned_upright(tmp_path: Path) -> None:
    """A camera held sideways writes the picture lying and says so in its EXIF data."""
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:8] = 255
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(2):
            exif = Image.Exif()
            exif[0x0112] = 6  # the picture is to be turned by 90° clockwise
            Image.fromarray(np.rot90(upright).copy()).save(tmp_path / name / f"{i}.png", exif=exif)
    assert torch.equal(image_folder(tmp_path, 16)[0].images[0], torch.from_numpy(upright).permute(2, 0, 1))


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [("L", 77, (77, 77, 77)), ("RGBA", (1, 2, 3, 255), (1, 2, 3)), ("P", 0, (0, 0, 0)), ("1", 1, (255, 255, 255))],
)
def test_pictures_of_other_kinds_become_rgb(mode: str, color: object, expected: tuple[int, ...], tmp_path: Path) -> None:
    for name in ("a", "b"):
        for i in range(2):
            save(tmp_path / name / f"{i}.png", color, mode=mode)
    assert image_folder(tmp_path, 8)[0].images[0, :, 0, 0].tolist() == list(expected)


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(tmp_path / name / f"{i}.png")
    assert (image_folder(tmp_path, 8)[0].images == 40_000 // 256).all()


def problem(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        image_folder(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4
    return str(caught.value)


def test_what_cannot_be_split_into_classes_is_said_in_one_line(tmp_path: Path) -> None:
    assert problem(tmp_path / "none").startswith(f"{tmp_path / 'none'} is not a folder: give a folder with one subfolder")
    save(tmp_path / "flat" / "0.png", RED)
    assert f"{tmp_path / 'flat'}: it has no subfolders of pictures: give" in problem(tmp_path / "flat")
    save(tmp_path / "one" / "a" / "0.png", RED)
    assert "it has 1 subfolder of pictures: give" in problem(tmp_path / "one")
    (tmp_path / "one" / "b").mkdir()
    assert f"{tmp_path / 'one' / 'b'}: there are no pictures in it (.png, " in problem(tmp_path / "one")
    save(tmp_path / "one" / "b" / "0.png", RED)
    assert "the class a has one picture, but training and test need one each: add some" in problem(tmp_path / "one")
    fruit(tmp_path / "two" / "train", 1)
    save(tmp_path / "two" / "test" / "plum" / "0.png", RED)
    assert f"there is no class plum in {tmp_path / 'two' / 'train'}: add or rename" in problem(tmp_path / "two")
    with pytest.raises(DataError, match="no class plum"):
        check_image_folder(tmp_path / "two")


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    fruit(tmp_path)
    path = tmp_path / "lime" / "3.png"
    whole = path.read_bytes()
    for content in (b"", b"no picture", whole[: len(whole) // 2]):
        path.write_bytes(content)
        check_image_folder(tmp_path)  # lists the pictures only
        assert problem(tmp_path).startswith(f"lime/3.png in {tmp_path} cannot be read: ")


def test_labels_and_images_must_fit_together() -> None:
    images, labels = torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.tensor([0, 1])
    assert len(LabeledImages(images, labels, ("a", "b")).take(torch.tensor([1]))) == 1
    for wrong in ((images.float(), labels, ("a", "b")), (images, labels[:1], ("a", "b")), (images, labels, ("a",))):
        with pytest.raises(ValueError, match="must be"):
            LabeledImages(*wrong)
