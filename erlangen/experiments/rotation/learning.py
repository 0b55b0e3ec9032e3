"""One net of `rotation`: its learning rate is chosen, it is trained, and at some epochs it is shown turned images."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from erlangen.data.rotate import rotate
from erlangen.errors import ErlangenError
from erlangen.experiments.rotation.images import Pair, Parts, parts
from erlangen.experiments.rotation.tasks import ARMS, BATCH, Train, angles, views
from erlangen.experiments.rotation.training import Settings, Trainer
from erlangen.experiments.rotation.viewing import correct, outputs, packed, quarter_turn_error
from erlangen.measure.products import count_products
from erlangen.models.rotation_cnn import RotationCNN, RotationCNNConfig
from erlangen.records.runs import Job, Measurement
from erlangen.train.classifier import percent_correct
from erlangen.train.seeds import seed_everything

CURVES = (  # one number for each epoch
    ("train loss", "nats"),
    ("validation upright", "%"),
    ("validation as trained", "%"),
    ("validation loss as trained", "nats"),
)
COMPARED = 64  # images whose logits are compared under quarter turns


def train(task: Train, job: Job) -> list[Measurement]:
    """Which test images the net gets right at each angle, how it learned, and what it costs."""
    shown = parts(task, job.device)
    rate, losses = choose_rate(task, job, shown)
    trainer, validation = start(task, job, shown, rate), validation_images(task, shown)
    history: list[tuple[float, float, float, float]] = []
    measured: list[Measurement] = []
    for epoch in range(1, max(task.epochs) + 1):
        loss = trainer.epoch()
        if not math.isfinite(loss):
            raise ErlangenError(f"the loss is no longer finite in epoch {epoch}: lower the learning rate")
        upright, _ = score(trainer, shown.validation)
        history.append((loss, upright, *score(trainer, validation)))
        if epoch in task.epochs:
            measured += tested(task, trainer, shown.test, epoch)
    return [
        *measured,
        *(
            Measurement(f"{name} by epoch", row, unit)
            for (name, unit), row in zip(CURVES, zip(*history, strict=True), strict=True)
        ),
        Measurement("rate", rate, "1"),
        Measurement("trial losses", losses, "nats"),
        *costs(trainer.model, shown.test[0]),
        Measurement("quarter turn error", quarter_turn_error(trainer.model, shown.test[0][:COMPARED]), "spread of the logits"),
    ]


def start(task: Train, job: Job, shown: Parts, rate: float) -> Trainer:
    """A new net with the first weights of the job's seed, drawn on the CPU, so that they are the same on every device."""
    seed_everything(job.seed)
    arm = ARMS[task.arm]
    config = RotationCNNConfig(net=arm.net, match=arm.match, width=task.width, classes=shown.classes)
    settings = Settings(
        lr=rate, turned=arm.augmented, interpolation=task.interpolation, fill=task.fill, precision=job.precision, seed=job.seed
    )
    return Trainer(RotationCNN(config).to(job.device), *shown.train, settings)


def choose_rate(task: Train, job: Job, shown: Parts) -> tuple[float, tuple[float, ...]]:
    """The rate with the least validation loss after `trial` epochs, and the loss at each; of a single rate, none is tried."""
    if len(task.rates) == 1:
        return task.rates[0], ()
    validation, losses = validation_images(task, shown), []
    for rate in task.rates:
        trainer = start(task, job, shown, rate)
        for _ in range(task.trial):
            trainer.epoch()
        loss = score(trainer, validation)[1]
        losses.append(loss if math.isfinite(loss) else math.inf)
    return task.rates[losses.index(min(losses))], tuple(losses)


def validation_images(task: Train, shown: Parts) -> Pair:
    """The validation images as the net's training shows them: turned by fixed random angles where it is augmented."""
    images, labels = shown.validation
    if not ARMS[task.arm].augmented:
        return images, labels
    degrees = 360 * torch.rand(len(labels), generator=Generator().manual_seed(0))
    return rotate(images, degrees, task.interpolation, task.fill), labels


def score(trainer: Trainer, pair: Pair) -> tuple[float, float]:
    """Accuracy in percent and mean loss in nats."""
    logits = outputs(trainer.model, pair[0], trainer.settings.precision)
    return percent_correct(logits, pair[1]), float(F.cross_entropy(logits, pair[1]))


def tested(task: Train, trainer: Trainer, test: Pair, epoch: int) -> list[Measurement]:
    """For each view, one bit for each angle and image; only for the first view before the last epoch."""
    last, degrees = epoch == max(task.epochs), angles(task.step)
    chosen = views(task) if last else {"turned": views(task)["turned"]}
    right = {name: correct(trainer.model, *test, degrees, view, trainer.settings.precision) for name, view in chosen.items()}
    percent = tuple(float(share) for share in 100 * right["turned"].mean(1))
    return [
        *(Measurement(f"right, {name}, {epoch} epochs", packed(bits), "bits") for name, bits in right.items()),
        Measurement(f"accuracy by angle, {epoch} epochs", percent, "%"),
        *([Measurement("test images", len(test[1]), "images"), Measurement("test_accuracy", percent[0], "%")] if last else []),
    ]


def costs(model: RotationCNN, images: Tensor) -> list[Measurement]:
    """Parameters, and multiply-adds of one image in a batch as in training, forward."""
    batch = images[:BATCH]
    products = count_products(lambda: outputs(model, batch, "float32"))
    return [
        Measurement("parameters", sum(weight.numel() for weight in model.parameters()), "numbers"),
        Measurement("multiply-adds", sum(product.multiply_adds for product in products) / len(batch), "multiply-adds"),
    ]
