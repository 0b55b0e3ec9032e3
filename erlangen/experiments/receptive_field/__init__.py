"""Claim C11: how far a CNN and a Transformer can see, how far they do see, and what they learn of it.

Three things go by the name of receptive field. The theoretical one is what an output can depend on; the effective one is what it
does depend on (Luo et al., 2016); and then there is what a net learns. `standard` takes about half an hour on two cores.
"""

from __future__ import annotations

from itertools import product

from erlangen.claims import statement_of
from erlangen.experiments.kit.tasks import job
from erlangen.experiments.receptive_field.plan import cells, seconds, trainings
from erlangen.experiments.receptive_field.recipe import Recipe
from erlangen.experiments.receptive_field.statements import PARTS
from erlangen.experiments.receptive_field.tasks import Effect, Extent
from erlangen.records.runs import Claim, Job

TITLE = "The receptive field of CNNs and Transformers"
QUESTION = "How far can a CNN and a Transformer see, and do CNNs struggle with what is far apart?"
MEMORY_MB = 600

PRESETS = {
    "quick": Recipe(seeds=9, depths=(2, 4, 8, 16), images=8, distances=(6, 14), columns=40, steps=300, rates=(2e-3,)),
    "standard": Recipe(),
}

EXTENTS = (
    Extent(field="convolution", kernel=3, layers=12),
    Extent(field="convolution", kernel=5, layers=6),
    Extent(field="residual", kernel=3, layers=12),
    Extent(field="strided", kernel=3, layers=5),
    Extent(field="dilated", kernel=3, layers=5),
    Extent(field="full", kernel=0, layers=3),
    Extent(field="causal", kernel=0, layers=3),
    Extent(field="window", kernel=0, layers=6),
)
ATTENTION_LAYERS = (1, 2)


def jobs(recipe: Recipe) -> list[Job]:
    """The trainings, the longest first; effective fields; what is counted."""
    tasks = [task for cell in cells(recipe) for task in trainings(recipe, cell)]
    learned = [job(task, seed=seed, seconds=seconds(task)) for task in tasks for seed in range(recipe.seeds)]
    untrained = [
        *(Effect(net=net, layers=layers, images=recipe.images) for net, layers in product(("plain", "residual"), recipe.depths)),  # type: ignore[arg-type]
        *(Effect(net="relative", layers=layers, images=recipe.images) for layers in ATTENTION_LAYERS),
    ]
    effects = [
        job(task, seed=seed, seconds=0.1 + 2e-6 * task.images * task.layers**3 + 0.05 * task.images * (task.net == "relative"))
        for task in untrained
        for seed in range(recipe.seeds)
    ]
    counted = [job(task, seconds=0.3) for task in EXTENTS]
    return [*sorted(learned, key=lambda job: -job.seconds), *effects, *counted]


CLAIMS = (
    Claim(
        id="C11",
        statement=statement_of("C11"),
        how="Theoretical: gradients that are exactly zero or not, in float64, for nets with positive weights, in which no two "
        "paths cancel. Effective: the standard deviation of the squared gradient of one output (Luo et al., 2016), by depth. "
        "Learned: nets on a torus tell whether a pixel in one channel is D or D + 2 columns to the right of a pixel in another "
        "channel. The torus has no border, so that place says nothing. A training counts if it ends with every image right, at "
        "the pool and learning rate that are best for the other half of the seeds.",
        parts=PARTS,
    ),
)
