"""G6: the verdict on torch_geometric's aggregators, counted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from erlangen.experiments.convolution_forms import Recipe
from erlangen.experiments.convolution_forms.evidence import in_unit, install, task, without_library
from erlangen.experiments.kit.judging import counted, not_measured
from erlangen.records.runs import JobResult, Verdict

FAULTS = ("median, no edges", "median, module in bfloat16", "gradient of max at 0")
PAST_FLOAT32 = "median, past 2²⁴ edges"


def library(recipe: Recipe, results: Sequence[JobResult]) -> Verdict:
    """G6: faults of torch_geometric, whether they are there, and whether ours has any."""
    expected = (*FAULTS, *((PAST_FLOAT32,) if recipe.past_float32 else ()))
    words = "raises without edges, is wrong in bfloat16" + (", numbers its edges in float32" if recipe.past_float32 else "")
    statement = f"torch_geometric's median {words}; its max loses gradient at 0; ours do none of this."
    found = [*task(recipe, results, "faults"), *(task(recipe, results, "past-float32") if recipe.past_float32 else [])]
    if found and without_library(found):
        return install("G6", "library", statement)
    if len(found) < 1 + recipe.past_float32:
        return not_measured("G6", "library", statement)
    counts = {m.name: result.values(m.name) for result in found for m in result.measurements}
    absent = [name for name in expected if not sum(counts.get(name, (math.nan,) * 4)[1:3]) > 0]
    wrong = math.fsum(count[3] for count in counts.values())
    listed = "; ".join(f"{name}: raised {r:.0f}, wrong {w:.0f} of {n:.0f}" for name, (n, r, w, _) in counts.items())
    corrected = f"Not found: {', '.join(absent) or 'none'}; ours fail in {wrong:.0f} cases."
    verdict = counted(
        "G6",
        "library",
        statement,
        cases=math.fsum(count[0] for count in counts.values()),
        failures=len(absent) + wrong,
        test=f"torch_geometric {found[0].params['torch_geometric']}; {listed}; ours {wrong:.0f}"
        + ("" if recipe.past_float32 else "; more than 2²⁴ edges are tried by --preset standard"),
        corrected=corrected if absent or wrong else None,
    )
    return in_unit(verdict, "faults that are not there, or cases where ours fail")
