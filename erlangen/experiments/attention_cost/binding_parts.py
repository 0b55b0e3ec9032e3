"""T11: whether reads and writes or arithmetic bind attention on this device, from its pieces on whole matrices and on tiles."""

from __future__ import annotations

import math

from erlangen.experiments.attention_cost import Recipe
from erlangen.experiments.attention_cost.readings import QUIET, device, mebibytes, share, together
from erlangen.experiments.attention_cost.tasks import Pieces
from erlangen.experiments.attention_cost.words import said
from erlangen.experiments.kit.evidence import Evidence, by_seed
from erlangen.experiments.kit.parts import Check, Part
from erlangen.records.runs import JobResult
from erlangen.statistics.regions import exceeds

HALF = 50  # %


def tiling(recipe: Recipe, evidence: Evidence) -> Part:
    """The share of the pieces' time that tiles save."""
    return Part(
        **said("tiling, time"),
        effect=by_seed(lambda result: share(result, recipe.features), evidence.arm(Pieces)),
        region=exceeds(100 * recipe.saving, why="less would not be worth a kernel of its own"),
        unit="% of the time of whole matrices",
        bounds=(-math.inf, 100),
        corrected=lambda found: f"On {device(evidence)} tiles save {found.estimate:.0f} % of the time.",
        checks=(sees_traffic(recipe, evidence),),
        note=setting(recipe, evidence),
        remedy=QUIET,
    )


def setting(recipe: Recipe, evidence: Evidence) -> str:
    """What was timed, and where."""
    return f"Forward, at {recipe.pieces:,} tokens and d = {recipe.features}, on {device(evidence)}."


def sees_traffic(recipe: Recipe, evidence: Evidence) -> Check:
    """Whether a plain copy, which is nothing but reads and writes, loses more than half of its time on tiles."""
    shares = [share(result, recipe.features, ["copy"]) for result in evidence.of(Pieces)]
    seen = all(one > HALF for one in shares) if shares and all(map(math.isfinite, shares)) else None
    return Check("a plain copy is seen to be bound by reads and writes", seen)


def reads_and_writes(recipe: Recipe, evidence: Evidence) -> Part:
    """The share of naive attention's time that reads and writes take."""
    return Part(
        **said("reads and writes"),
        effect=by_seed(lambda result: share(result, recipe.features), evidence.arm(Pieces)),
        region=exceeds(than=HALF, why="above half, reads and writes take longer than arithmetic"),
        unit="% of the time",
        corrected=lambda found: f"On {device(evidence)} they take {found.estimate:.0f} % of it: arithmetic takes longer.",
        checks=(sees_traffic(recipe, evidence),),
        note=f"{setting(recipe, evidence)} {by_peaks(recipe, evidence)}",
        remedy=QUIET,
    )


def by_peaks(recipe: Recipe, evidence: Evidence) -> str:
    """What the measured peak of copies leads to expect: the scores and the weights are written once and read once each."""
    results = evidence.of(Pieces)
    peaks = [result.value("copy peak") for result in results]
    if not peaks or not all(peak > 0 for peak in peaks):
        return ""
    seconds = 4 * mebibytes(evidence, recipe.pieces) * 2**20 / (math.fsum(peaks) / len(peaks))
    arithmetic = math.fsum(together(result, recipe.features, "tiled") for result in results) / len(results)
    return (
        f"At the measured peak of copies, {math.fsum(peaks) / len(peaks) / 1e9:.1f} GB/s, writing and reading scores and weights "
        f"takes {1e3 * seconds:.1f} ms; the arithmetic on tiles takes {1e3 * arithmetic:.1f} ms."
    )


def of_softmax(result: JobResult, features: int) -> float:
    """The share of softmax in the time of the pieces on tiles, in percent."""
    return 100 * together(result, features, "tiled", ["softmax"]) / together(result, features, "tiled")


def exponentials(recipe: Recipe, evidence: Evidence) -> Part:
    """The share of softmax in the arithmetic."""
    return Part(
        **said("exponentials"),
        effect=by_seed(
            lambda result: (
                100 * together(result, recipe.features, "tiled", ["softmax"]) / together(result, recipe.features, "tiled")
            ),
            evidence.arm(Pieces),
        ),
        region=exceeds(than=HALF, why="above half, softmax takes longer than both products"),
        unit="% of the arithmetic's time",
        corrected=lambda found: f"On {device(evidence)} softmax takes {found.estimate:.0f} % of it: the products take longer.",
        note=setting(recipe, evidence),
        remedy=QUIET,
    )
