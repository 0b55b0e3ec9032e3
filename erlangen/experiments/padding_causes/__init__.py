"""Claims C5, C6 and C7: why paddings differ in the padding experiment's table.

The pooled net is trained again with one thing changed at a time: the size of the last map, what of it is pooled, one axis of the
padding, a factor of what is copied, the margin around the boxes, the number of images. Each stated cause predicts which change
moves the test accuracy. `standard` takes about 40 minutes on two cores.
"""

from __future__ import annotations

from erlangen.claims import statement_of
from erlangen.experiments.kit.tasks import job, task_of
from erlangen.experiments.padding_causes.arms import ARMS, Border
from erlangen.experiments.padding_causes.recipe import LARGEST_MARGIN, Recipe
from erlangen.experiments.padding_causes.statements import HOW, PARTS
from erlangen.experiments.padding_causes.tasks import Cause, Copies, Frame
from erlangen.records.runs import Claim, Job

TITLE = "Why padding tells a CNN absolute place"
QUESTION = (
    "A pooled CNN scores 0 % under one padding and 90 % under another once the boxes change their heights. Is it the size of the "
    "last map, the pattern that the padding copies, or whether the border gives the height away?"
)
TERMS = (
    "In training, red left of green stands high and green left of red stands low; the test swaps the heights. So a net that "
    "reads the height scores 0 %, and one that reads the order of the boxes 100 %. Paddings: valid has none; sconv adds one "
    "pixel of zeros, fconv two; replicate and reflect add two pixels, copied from the edge or mirrored."
)
MEMORY_MB = 700

PRESETS = {
    "quick": Recipe(
        arms=("sconv 7x7", "sconv 5x5"), seeds=3, epochs=8, report_seeds=0, sizes=(), margins=(0, 9),
        frame_epochs=10, frame_train=500, validation=300, test=300, fit=65.0,
    ),
    "standard": Recipe(),
}  # fmt: skip

CLAIMS = tuple(Claim(id=claim, statement=statement_of(claim), how=how, parts=PARTS[claim]) for claim, how in HOW.items())


def jobs(recipe: Recipe) -> list[Job]:
    """The counts, then one job for each net: the longest first, so that no core waits at the end."""
    nets = {(task, seed) for task in tasks(recipe) for seed in range(recipe.seeds)}
    nets |= {(task, seed) for task in report_tasks(recipe) for seed in range(recipe.report_seeds)}
    trained = [job(task, seed=seed, seconds=seconds(task)) for task, seed in nets]
    return [
        job(Copies(images=recipe.train), seconds=3),
        *sorted(trained, key=lambda net: (-net.seconds, net.seed, str(net.params))),
    ]


def tasks(recipe: Recipe) -> list[Cause | Frame]:
    """The nets that are trained with each seed."""
    nets: list[Cause | Frame] = [task_of(Cause, recipe, arm=arm, curve=False) for arm in recipe.arms]
    nets += [task_of(Cause, recipe, arm="reflect", train=size, epochs=recipe.size_epochs, curve=False) for size in recipe.sizes]
    if "reflect" in recipe.arms:
        few = {"train": recipe.control_images, "epochs": recipe.control_epochs}
        nets.append(task_of(Cause, recipe, arm="fconv", curve=False, **few))
    nets += [
        task_of(Frame, recipe, arm=arm, margin=margin, epochs=recipe.frame_epochs, train=recipe.frame_train)
        for arm in ("reflect", "fconv")
        for margin in recipe.margins
        if arm == "reflect" or margin < LARGEST_MARGIN  # beyond it the two are trained to the same net, bit for bit
    ]
    return nets


def report_tasks(recipe: Recipe) -> list[Cause]:
    """The nets that are trained as the report did, with accuracies after every epoch."""
    arms = [arm for arm in ("fconv", "replicate") if arm in recipe.arms]
    return [task_of(Cause, recipe, arm=arm, epochs=recipe.report_epochs, curve=True) for arm in arms]


def seconds(task: Cause | Frame) -> float:
    """The time on one core: training, then about 1 + 3 + 6 passes over the three splits for tests and probes."""
    images = task.train + (task.validation + (isinstance(task, Cause) and task.curve) * task.test) / 3
    passes = task.train + 3 * task.validation + 6 * task.test
    return 1 + (task.epochs * images / 2333 + passes / 7000) * per_epoch(ARMS[task.arm])


def per_epoch(border: Border) -> float:
    """Seconds of an epoch by the size of the maps; copying takes a little longer than zeros."""
    products = sum(side**2 * weights for side, weights in zip(border.sides()[1:], (0.9e3, 9.2e3, 18.4e3, 36.9e3), strict=True))
    return 0.25 + products * 1.2e-7 + 0.3 * (border.mode != "zeros")
