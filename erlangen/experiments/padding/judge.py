"""Padding: verdicts, and what each claim comes to in one sentence of measured numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.wording import listed
from erlangen.experiments.padding import Recipe
from erlangen.experiments.padding.accuracies import KINDS, arms_of, published, row_arm
from erlangen.experiments.padding.border_parts import border
from erlangen.experiments.padding.counted import images, last_side, maps, reader
from erlangen.experiments.padding.flattening import PROBED, flattening
from erlangen.experiments.padding.table import COLUMNS, SEEDS, as_published, far_from, order, table
from erlangen.experiments.padding.tasks import ROWS, SPLITS, Border, Data
from erlangen.records.runs import Answer, Outcome, Verdict

GROWING = ("valid", "sconv", "fconv")
NEEDS = {
    "C5": "the rows Net1/valid, Net1/sconv and Net1/fconv (--set rows=Net1/valid,Net1/sconv,Net1/fconv)",
    "C8": "a row of Net2, and the row of Net1 with the same padding (--set rows=Net1/valid,Net2/valid)",
}
OTHERWISE: dict[Outcome, str] = {"refuted": "different", "inconclusive": "undecided", "not measured": "not measured"}
QUANTITIES = tuple(f"{of} accuracy" for column in COLUMNS for of in (f"mean {column}", f"standard deviation of the {column}"))
SAME_SIZE = ("fconv", "replicate", "reflect", "circular")  # two pixels of padding: maps of 6×6


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """A verdict for every part that the recipe's rows can show, by claim."""
    counted = [*border(evidence), *images(evidence), *maps(evidence)]
    compared = [*table(recipe, evidence), *order(recipe, evidence), *flattening(recipe, evidence)]
    return sorted(decide([*counted, *compared]), key=lambda verdict: verdict.claim)


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """One sentence for each claim, and the figure that shows it. Where a recipe lacks the rows of C8, no extension answers it."""
    stated = [verdict for verdict in verdicts if verdict.of == "report"]
    pooled, flattened = (arms_of(recipe, evidence, net) for net in ("Net1", "Net2"))
    every = set(recipe.rows) == set(ROWS)  # C2 and C8 speak of all of them
    return [
        answer("C1", verdicts, border_sentence(evidence), figure="border"),
        answer("C2", verdicts, table_sentence(recipe, evidence, verdicts), figure="seeds", whole=every),
        answer("C3", verdicts, data_sentence(evidence, pooled), figure="samples"),
        answer("C4", verdicts, maps_sentence(evidence), figure="maps"),
        answer("C5", verdicts, order_sentence(pooled), figure="seeds", whole=False, needs=NEEDS["C5"]),  # the cause is not judged
        answer("C8", stated, flattening_sentence(pooled, flattened), figure="place", whole=every, needs=NEEDS["C8"]),
    ]


def border_sentence(evidence: Evidence) -> str:
    value, _ = reader(evidence, Border)
    cases, wrong, corner, edge = (value(f"border_{name}") for name in ("cases", "wrong", "outside_at_corner", "outside_at_edge"))
    return (
        f"With one pixel of padding, {corner:.0f} of the 9 terms at a corner and {edge:.0f} at an edge read pixels that do not "
        f"exist; the listed terms give SciPy's value in {cases - wrong:.0f} of {cases:.0f} output pixels."
    )


def table_sentence(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> str:
    """How many rows are as published, and the largest of the differences by which they were judged."""
    size, where = furthest(recipe, evidence)
    largest = f" The largest difference is {size:.1f} points, in the {where}." if where else ""
    if not as_published(recipe, evidence):
        return f"Not judged: these networks were not trained as in the report (--preset standard does).{largest}"
    if recipe.seeds < SEEDS:
        return f"Not judged: the report has {SEEDS} seeds, this run {recipe.seeds}.{largest}"
    rows = Counter(verdict.verdict for verdict in verdicts if verdict.claim == "C2" and verdict.part != "table")
    others = [f"{rows[outcome]} {word}" for outcome, word in OTHERWISE.items() if rows[outcome]]
    return (
        f"{rows['supported']} of {rows.total()} rows equal the published ones within {recipe.tolerance:g} points"
        f"{f' ({listed(others)})' if others else ''}.{largest}"
    )


def furthest(recipe: Recipe, evidence: Evidence) -> tuple[float, str]:
    """The largest of the differences from the published table, four for each complete row, and what differs; '' for none."""
    arms = {row: arm for row in recipe.rows if not (arm := row_arm(evidence, row)).missing}
    found = {
        f"{quantity} of the {KINDS[ROWS[row][0]]} net under {ROWS[row][1]} padding": estimate(0.95).estimate
        for row, arm in arms.items()
        for quantity, estimate in zip(QUANTITIES, far_from(recipe, arm, published()["padding_table"][row]), strict=True)
    }
    known = {where: size for where, size in found.items() if math.isfinite(size)}
    where = max(known, key=lambda name: known[name], default="")
    return known.get(where, math.nan), where


def data_sentence(evidence: Evidence, pooled: Mapping[str, Arm]) -> str:
    value, _ = reader(evidence, Data)
    images, stated = (sum(value(f"source_{split}_{name}") for split in SPLITS) for name in ("images", "as_stated"))
    held_out, copied = (sum(value(f"source_{split}_{name}") for split in SPLITS[1:]) for name in ("images", "in_training"))
    sentence = (
        f"{stated:.0f} of {images:.0f} images show what their class and split say; {copied:.0f} of the {held_out:.0f} validation "
        "and test images are training images, or these with their boxes moved"
    )
    seen, new = (means(pooled, name).get("fconv", math.nan) for name in ("test_accuracy", "unseen_test_accuracy"))
    if math.isnan(seen + new):
        return f"{sentence}."
    return f"{sentence}, and on new images the pooled net under fconv padding scores {new:.1f} % instead of {seen:.1f} %."


def maps_sentence(evidence: Evidence) -> str:
    sides, printed = (
        listed([f"{last_side(evidence, f'{name}_{padding}'):g}" for padding in GROWING])
        for name in ("map_sizes", "map_sizes_printed")
    )
    return (
        f"Four layers turn a side of 32 pixels into {sides} for no padding, one pixel and two; the formula as printed gives "
        f"{printed}, because it lacks the floor."
    )


def order_sentence(pooled: Mapping[str, Arm]) -> str:
    scores = means(pooled, "test_accuracy")
    shown = listed([f"{scores[padding]:.1f} % under {padding}" for padding in GROWING if padding in scores])
    same = [scores[padding] for padding in SAME_SIZE if padding in scores]
    spread = f" (at one map size, four paddings differ by {max(same) - min(same):.0f} points)" if len(same) == 4 else ""
    return (
        f"With the heights swapped the pooled net scores {shown} padding; only this order is judged here, not its cause{spread}."
    )


def flattening_sentence(pooled: Mapping[str, Arm], flattened: Mapping[str, Arm]) -> str:
    validation, test = (span(means(flattened, name), ".1f") for name in ("validation_accuracy", "test_accuracy"))
    sentence = f"The flattened net scores {validation} % in validation and {test} % in the test ({listed(list(flattened))})."
    flat, pool = ({padding: side[padding] for padding in pooled if padding in flattened} for side in (flattened, pooled))
    if not flat:
        return sentence
    probed = [
        f"{what} with R² {span(means(flat, r2), '.2f')} (pooled: {span(means(pool, r2), '.2f')})" for what, r2 in PROBED.items()
    ]
    return f"{sentence} A linear probe reads from its features the boxes' {listed(probed)}."


def means(arms: Mapping[str, Arm], quantity: str) -> dict[str, float]:
    """Mean over seeds, where it was measured."""
    estimates = {name: arm.mean(quantity).estimate for name, arm in arms.items()}
    return {name: estimate for name, estimate in estimates.items() if math.isfinite(estimate)}


def span(numbers: Mapping[str, float], digits: str) -> str:
    """'0.88', or '0.88 to 1.00' where the arms differ"""
    ends = [format(end(numbers.values(), default=math.nan), digits) for end in (min, max)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)
