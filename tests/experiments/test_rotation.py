"""Rotation: how nets are trained and tested, against plainer programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from erlangen.data.generated_images import generated_images
from erlangen.data.rotate import disk, rotate
from erlangen.errors import ErlangenError
from erlangen.experiments import planned_jobs
from erlangen.experiments.rotation import PRESETS, Recipe, fetch
from erlangen.experiments.rotation.datasets import digest_of
from erlangen.experiments.rotation.evidence import unpacked
from erlangen.experiments.rotation.images import parts
from erlangen.experiments.rotation.plan import tasks
from erlangen.experiments.rotation.run import run
from erlangen.experiments.rotation.tasks import ARMS, WORD, Train, View, angles, views
from erlangen.experiments.rotation.training import APART, Settings, Trainer, pixels
from erlangen.experiments.rotation.viewing import correct, inside, packed, quarter_turn_error, show
from erlangen.models import RotationCNN, RotationCNNConfig
from erlangen.records.runs import Job

TINY = Recipe(
    seeds=1, more=0, epochs=1, long=2, longer=("augmented",), train=200, validation=50, test=60, width=0.25,
    rates=(1e-3, 3e-3), trial=1,
)  # fmt: skip


def net(seed: int = 0, **fields: object) -> RotationCNN:
    torch.manual_seed(seed)
    return RotationCNN(RotationCNNConfig(width=0.25, **fields))  # type: ignore[arg-type]


def pictures(count: int = 100) -> tuple[Tensor, Tensor]:
    made = generated_images(count, seed=3)
    return made.images, made.labels


def jobs(recipe: Recipe = TINY) -> dict[str, Job]:
    return {str(job.params["arm"]): job for job in planned_jobs("rotation", recipe)}


def measured(job: Job) -> dict[str, object]:
    return {measurement.name: measurement.value for measurement in run(job)}


@pytest.mark.parametrize("turned", [False, True])
def test_an_epoch_is_that_of_a_plain_loop(turned: bool):
    images, labels = pictures()
    ours, theirs = net(), net()
    trainer = Trainer(ours, images, labels, Settings(batch=16, turned=turned, seed=7))
    optimizer, order, drawn = torch.optim.Adam(theirs.parameters(), lr=1e-3), Generator().manual_seed(7), Generator()
    drawn.manual_seed(7 + APART)
    for _ in range(2):
        losses, permutation, degrees = [], torch.randperm(100, generator=order), 360 * torch.rand(100, generator=drawn)
        for start in range(0, 100, 16):
            chosen = permutation[start : start + 16]
            rows = torch.stack([images[i] for i in chosen])
            if turned:
                rows = torch.cat([rotate(row[None], float(a)) for row, a in zip(rows, degrees[start : start + 16], strict=True)])
            loss = F.cross_entropy(theirs((rows.float() - 127.5) / 64), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += [loss.item()] * len(chosen)
        assert trainer.epoch() == pytest.approx(np.mean(losses), rel=1e-5)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-4, atol=1e-5)


def test_views_are_what_they_say():
    images, _ = pictures(4)
    plain = View("nearest", "zeros")
    assert torch.equal(show(images, 90, plain), torch.rot90(images, 1, (-2, -1)))
    assert torch.equal(show(images, 30, replace(plain, interpolation="bilinear")), rotate(images, 30, "bilinear"))
    assert torch.equal(show(images, 30, replace(plain, fill="reflect")), rotate(images, 30, fill="reflect"))
    masked = show(images, 30, replace(plain, disk=True))
    assert torch.equal(masked, rotate(images, 30) * disk(32))
    assert torch.equal(show(images, 90, replace(plain, turned_back=True)), images)
    back = show(images, 30, replace(plain, disk=True, turned_back=True)).float()
    off = (back - inside(images, True)).abs().mean()
    assert 0 < off < 0.3 * (masked.float() - inside(images, True)).abs().mean()


def test_right_answers_survive_packing():
    right = np.random.default_rng(0).random((12, 2 * WORD + 5)) < 0.4
    words = packed(right)
    assert len(words) == 12 * 3
    assert all(word == int(word) < 2**WORD for word in words)
    np.testing.assert_array_equal(unpacked(words, 12, 2 * WORD + 5), 100 * right)
    assert np.isnan(unpacked((*words[:-1], float("nan")), 12, 2 * WORD + 5)).all()


def test_right_answers_are_counted_image_by_image():
    images, labels = pictures(50)
    model = net()
    right = correct(model, images, labels, (0, 30, 90), View("nearest", "zeros"), "float32")
    for row, angle in zip(right, (0, 30, 90), strict=True):
        alone = [
            int(model(pixels(rotate(image[None], angle))).argmax()) == int(label)
            for image, label in zip(images, labels, strict=True)
        ]
        np.testing.assert_array_equal(row, alone)


@pytest.mark.parametrize(("fields", "least", "most"), [({"net": "C4"}, 0, 1e-10), ({"net": "C8"}, 0, 1e-10), ({}, 0.05, 100)])
def test_the_measure_of_invariance_sees_what_is_and_what_is_not(fields: dict[str, object], least: float, most: float):
    assert least <= quarter_turn_error(net(**fields), pictures(8)[0]) <= most


def test_every_arm_measures_each_of_its_views_and_its_curves():
    assert set(jobs()) == set(TINY.arms)
    for arm, job in jobs().items():
        found, last = measured(job), 2 if arm == "augmented" else 1
        for view in views(task_of_arm(arm)):
            assert len(unpacked(found[f"right, {view}, {last} epochs"], 12, 60)) == 12  # type: ignore[arg-type]
        upright = unpacked(found[f"right, turned, {last} epochs"], 12, 60)[0].mean()  # type: ignore[arg-type]
        assert found["test_accuracy"] == pytest.approx(upright)
        assert len(found["validation upright by epoch"]) == last  # type: ignore[arg-type]
        assert (len(found["trial losses"]) == 2) == ARMS[arm].tuned  # type: ignore[arg-type]
        if ARMS[arm].tuned:
            losses: tuple[float, ...] = found["trial losses"]  # type: ignore[assignment]
            assert found["rate"] == TINY.rates[losses.index(min(losses))]
        assert (found["quarter turn error"] < 1e-10) == (ARMS[arm].net == "C4")  # type: ignore[operator]


def test_the_first_epochs_of_a_longer_training_are_those_of_a_shorter():
    short = measured(jobs(replace(TINY, longer=()))["augmented"])
    longer = measured(jobs()["augmented"])
    assert longer["right, turned, 1 epochs"] == short["right, turned, 1 epochs"]
    assert longer["train loss by epoch"][:1] == short["train loss by epoch"]  # type: ignore[index]
    assert len(longer["train loss by epoch"]) == 2  # type: ignore[arg-type]


def test_the_disk_arm_never_sees_a_corner():
    shown = parts(task_of_arm("disk"), "cpu")
    outside = ~disk(32)
    assert not shown.train[0][..., outside].any()
    assert not shown.validation[0][..., outside].any()
    assert shown.test[0][..., outside].any()  # hidden by the view
    assert not show(shown.test[0], 30, views(task_of_arm("disk"))["turned"])[..., outside].any()
    assert parts(task_of_arm("plain"), "cpu").train[0][..., outside].any()


def task_of_arm(arm: str) -> Train:
    return next(task for task in tasks(TINY) if task.arm == arm)


def test_training_validation_and_test_share_no_image():
    shown = parts(task_of_arm("plain"), "cpu")
    seen = [{image.numpy().tobytes() for image in images} for images, _ in (shown.train, shown.validation, shown.test)]
    assert [len(part) for part in seen] == [len(labels) for _, labels in (shown.train, shown.validation, shown.test)]
    assert len(set.union(*seen)) == sum(map(len, seen))


def test_a_folder_of_pictures_is_read_and_a_missing_one_is_named(tmp_path: Path):
    from PIL import Image

    images, labels = pictures(240)
    for number, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        (tmp_path / "mine" / f"class{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / "mine" / f"class{label}" / f"{number}.png")
    recipe = replace(TINY, data=str(tmp_path / "mine"), arms=("plain",))
    fetch(recipe)
    found = measured(jobs(recipe)["plain"])
    assert found["test images"] == 50
    before = digest_of(recipe.data)
    (tmp_path / "mine" / "class0" / "0.png").unlink()
    assert digest_of(recipe.data) != before
    with pytest.raises(ErlangenError, match="missing"):
        planned_jobs("rotation", replace(TINY, data=str(tmp_path / "missing")))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"step": 40}, "divide 90"), ({"arms": ("plain", "C6")}, "there is no C6"), ({"rates": (3e-3, 1e-3)}, "rising"),
        ({"arms": ("plain", "plain")}, "none twice"), ({"epochs": 50}, "long"), ({"longer": ("x",)}, "there is no x"),
    ],
)  # fmt: skip
def test_impossible_recipes_are_refused(fields: dict[str, object], words: str):
    with pytest.raises(ValueError, match=words):
        replace(TINY, **fields)  # type: ignore[arg-type]


def test_the_seeds_of_a_recipe():
    recipe = replace(PRESETS["standard"], data="generated")
    counts = {arm: sum(job.params["arm"] == arm for job in planned_jobs("rotation", recipe)) for arm in recipe.arms}
    assert counts == {arm: 3 if ARMS[arm].tuned else 5 for arm in recipe.arms}
    assert angles(30) == tuple(range(0, 360, 30))


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_captured_steps_are_eager_steps_and_a_processors_up_to_rounding(precision: str):
    images, labels = pictures(500)
    losses = {}
    for device, captured in (("cpu", False), ("cuda", False), ("cuda", True)):
        settings = Settings(turned=True, precision=precision, captured=captured)
        trainer = Trainer(net().to(device), images.to(device), labels.to(device), settings)
        assert (trainer.update == trainer.step) != captured
        losses[device, captured] = [trainer.epoch() for _ in range(3)]
    tolerance = 1e-3 if precision == "float32" else 2e-2
    assert losses["cuda", True] == pytest.approx(losses["cuda", False], rel=tolerance)
    assert losses["cuda", True] == pytest.approx(losses["cpu", False], rel=tolerance)


@pytest.mark.cuda
def test_a_job_on_a_gpu_agrees_with_the_processors():
    job = jobs(replace(TINY, train=1000, epochs=3, long=3))["plain"]
    ours, theirs = measured(replace(job, device="cuda")), measured(job)
    assert ours.keys() == theirs.keys()
    assert ours["train loss by epoch"] == pytest.approx(theirs["train loss by epoch"], rel=1e-2)  # type: ignore[arg-type]
