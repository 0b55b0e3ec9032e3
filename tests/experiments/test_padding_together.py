"""The nets of several seeds at once, against the same jobs one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from erlangen.errors import ErlangenError
from erlangen.experiments.kit.tasks import job
from erlangen.experiments.padding import run
from erlangen.experiments.padding.images import Images
from erlangen.experiments.padding.tasks import Train
from erlangen.records.runs import Job, Measurement

LOOSE = {"shift_flips": 5.0, "validation_accuracy_by_epoch": 1.0}  # percent, of 100 images; all else is compared to 1e-4


def jobs(net: str, padding: str, seeds: int = 3) -> list[Job]:
    sizes = {"train": 250, "validation": 100, "test": 100}
    task = Train(net=net, padding=padding, protocol="source", epochs=2, patience=9, **sizes)  # type: ignore[arg-type]
    return [replace(job(task, seed=seed, portable=True), experiment="padding") for seed in range(seeds)]


def by_name(measured: list[Measurement] | ErlangenError) -> dict[str, Measurement]:
    assert isinstance(measured, list)
    return {one.name: one for one in measured}


@pytest.mark.parametrize(("net", "padding"), [pytest.param("Net1", "circular", marks=pytest.mark.slow), ("Net2", "sconv")])
def test_at_once_they_measure_what_they_measure_one_by_one(net: str, padding: str):
    together = run.run_many(jobs(net, padding))
    assert len({by_name(one)["train_loss"].value for one in together}) == 3
    for one, alone in zip(together, jobs(net, padding), strict=True):
        found, expected = by_name(one), by_name(run.run(alone))
        assert list(found) == list(expected)
        for name, measurement in expected.items():
            assert found[name].unit == measurement.unit
            assert found[name].value == pytest.approx(measurement.value, abs=LOOSE.get(name, 1e-4)), name


def test_the_net_that_diverges_has_the_error_and_the_others_their_measurements(monkeypatch: pytest.MonkeyPatch):
    whole, fit_many = run.run_many(jobs("Net1", "valid")), run.fit_many
    error = ErlangenError("the loss is no longer finite in epoch 1: lower the learning rate")
    monkeypatch.setattr(run, "fit_many", lambda *args: [fit_many(*args)[0], error, fit_many(*args)[2]])
    found = run.run_many(jobs("Net1", "valid"))
    assert found[1] is error
    assert [by_name(found[net]).keys() == by_name(whole[net]).keys() for net in (0, 2)] == [True, True]


def test_a_gpu_keeps_the_images_and_a_processor_does_not():
    for device, kept in (("meta", True), ("cpu", False)):  # meta: any other device than the processor
        shown = Images("source", 8, 4, 4, device)
        assert (shown.moved(2) is shown.moved(2)) == kept
        assert (shown.pair("train")[0] is shown.pair("train")[0]) == kept
        assert shown.moved(2) is not shown.moved(4)
        assert shown.pair("test")[0].shape == (4, 3, 32, 32)
        assert shown.pair("validation")[0] is not shown.pair("validation", unseen=True)[0]


def test_whole_batches_on_a_gpu_and_slices_on_a_processor():
    here = jobs("Net1", "valid", 1)[0]
    there = replace(here, device="cuda:1")
    assert (run.slice_size(here), run.at_once(here)) == (50, 50)
    assert run.slice_size(there) == 200
    assert run.at_once(there) == 500


def test_on_a_gpu_the_outputs_of_all_nets_are_computed_together():
    """The path that a job for a GPU takes, with the nets and images where they are."""
    here = jobs("Net2", "reflect")
    nets = [run.build(run.read_task(Train, one), one) for one in here]
    pixels = Images("source", 8, 4, 4, "cpu").probed()
    for models, width in ((nets, 2), ([run.Features(net) for net in nets], 64)):
        expected, found = (run.outputs_of(models, pixels, replace(here[0], device=device)) for device in ("cpu", "cuda"))
        assert [tuple(one.shape) for one in found] == [(8, width)] * 3
        torch.testing.assert_close(list(found), list(expected), rtol=1e-5, atol=1e-5)
        assert not torch.allclose(found[0], found[1], atol=1e-3)
