"""Temperature and top-p: verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from erlangen.experiments.kit.judging import ends, not_measured
from erlangen.experiments.sampling import OUTCOMES, SOURCE, WIDE, Recipe, Setting, label
from erlangen.experiments.sampling.evidence import Contrast, contrast, spread, table
from erlangen.experiments.sampling.figures import outcome_figure
from erlangen.records.runs import Findings, JobResult, Outcome, Verdict
from erlangen.statistics.intervals import holm, mean_interval

LEVEL = 0.05  # of either test, after correction

ASKED = "Do temperature and top-p make a difference to what a small GPT writes?"


def verdicts(recipe: Recipe, results: Sequence[JobResult]) -> list[Verdict]:
    """Each outcome in the source's range, then for the extremes of temperature and of top-p; Holm over the outcomes of each."""
    families: dict[str, list[tuple[Setting, Setting]]] = {
        "source": list(combinations(SOURCE, 2)),
        **{f"wide/{knob}": [pair] for knob, pair in WIDE.items()},
    }
    return [one for part, pairs in families.items() for one in family(recipe, results, part, pairs)]


def family(recipe: Recipe, results: Sequence[JobResult], part: str, pairs: list[tuple[Setting, Setting]]) -> list[Verdict]:
    """Equivalent where all pairs are; different where one is, its p multiplied by the number of pairs (Bonferroni)."""
    found = {
        outcome: [contrast(results, *pair, outcome, recipe.margin * spread(results, outcome)) for pair in pairs]
        for outcome in OUTCOMES
    }
    equivalent = holm([max(one.p_equivalent() for one in contrasts) for contrasts in found.values()])
    different = holm([min(1.0, len(pairs) * min(one.mean.p_different() for one in contrasts)) for contrasts in found.values()])
    return [
        judged(recipe, results, part, outcome, contrasts, same, apart)
        for (outcome, contrasts), same, apart in zip(found.items(), equivalent, different, strict=True)
    ]


def judged(
    recipe: Recipe, results: Sequence[JobResult], part: str, outcome: str, contrasts: list[Contrast], same: float, apart: float
) -> Verdict:
    """The widest of the contrasts stands for them."""
    widest = max(contrasts, key=lambda one: one.beyond if math.isfinite(one.mean.estimate) else -1.0)
    where = {
        "source": "In the source's range of settings", "wide/temperature": "Temperature from 0.3 to 1.5",
        "wide/top-p": "Top-p from 0.5 to 1",
    }[part]  # fmt: skip
    statement = f"{where}{',' if part == 'source' else ':'} nothing changes in this: {OUTCOMES[outcome]}."
    interval = widest.mean.interval
    complete = len(results) >= recipe.seeds and all(math.isfinite(one.mean.error) for one in contrasts)
    if not complete or not math.isfinite(widest.margin):
        return not_measured("T10", f"{part}/{outcome}", statement, "statistical")
    verdict: Outcome = "inconclusive"
    corrected = None
    left, right = (mean(results, setting, outcome) for setting in (widest.left, widest.right))
    means = f"{left:.3g} at {label(widest.left)}, {right:.3g} at {label(widest.right)}"
    varies = any(np.nanstd(table(results, setting, outcome)) > 0 for one in contrasts for setting in (one.left, one.right))
    if not varies:  # what is the same in every text says nothing of the settings
        pass
    elif same < LEVEL:
        verdict = "supported"
        corrected = f"There is a difference, below the margin: {means}." if apart < LEVEL else None
    elif apart < LEVEL:
        verdict, corrected = "refuted", f"It does change: {means} (temperature / top-p)."
    per_text = text_noise(results, widest, outcome)
    return Verdict(
        claim="T10", part=f"{part}/{outcome}", kind="statistical", statement=statement, verdict=verdict, corrected=corrected,
        effect=interval.estimate, unit=f"difference, {label(widest.left)} less {label(widest.right)}", interval=ends(interval),
        n=interval.n, measured=interval.estimate,
        test=f"t of {'the widest of six pairs' if part == 'source' else 'one pair'}, paired by net and prompt, both random; "
        f"p of a difference of {widest.margin:.3g} or more {same:.2g}, of none {apart:.2g}, after Holm over {len(OUTCOMES)}; "
        f"margin {recipe.margin:g} standard deviations of held-out passages; {widest.mean.prompts} prompts, "
        f"{widest.mean.nets} nets. Of two single texts the difference scatters by {per_text:.3g}",
        next_step=("more prompts or nets" if varies else "more steps: no text has any") if verdict == "inconclusive" else "",
    )  # fmt: skip


def mean(results: Sequence[JobResult], setting: Setting | str, outcome: str) -> float:
    values = [value for row in table(results, setting, outcome) for value in row if math.isfinite(value)]
    return mean_interval(values).estimate


def text_noise(results: Sequence[JobResult], one: Contrast, outcome: str) -> float:
    """Standard deviation of the difference between one text each, as a reader of single samples sees it."""
    apart = (table(results, one.left, outcome) - table(results, one.right, outcome)).ravel()
    kept = apart[[math.isfinite(value) for value in apart]]
    return float(kept.std(ddof=1)) if len(kept) > 1 else math.nan


def findings(recipe: Recipe, results: Sequence[JobResult], verdicts: Sequence[Verdict]) -> Findings:
    """The page's question, its answer, its figure."""
    if not results:
        return Findings(asked=ASKED, found="Nothing was measured.")
    sentences = []
    for part, where in (
        ("source/", "In the source's range"),
        ("wide/temperature/", "From temperature 0.3 to 1.5"),
        ("wide/top-p/", "From top-p 0.5 to 1"),
    ):
        mine = [verdict for verdict in verdicts if verdict.part.startswith(part)]
        names = {
            outcome: [verdict.part.rsplit("/", 1)[1] for verdict in mine if verdict.verdict == outcome]
            for outcome in ("refuted", "supported", "inconclusive")
        }
        words = {"refuted": "differ", "supported": "are the same to within the margin", "inconclusive": "are undecided"}
        said = [f"{', '.join(parts)} {words[outcome]}" for outcome, parts in names.items() if parts]
        sentences.append(f"{where}: {'; '.join(said) or 'nothing measured'}.")
    loss = mean_interval([result.value("validation_loss") for result in results])
    sentences.append(f"The nets reach {loss.estimate:.2f} nats per character on held-out text.")
    return Findings(asked=ASKED, found=" ".join(sentences), figures=tuple(outcome_figure(results)))
