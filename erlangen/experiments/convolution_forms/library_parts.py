"""G6: torch_geometric's own median and max on inputs where they were found to fail, and ours on the same."""

from __future__ import annotations

from erlangen.experiments.convolution_forms import Recipe, said, tasks
from erlangen.experiments.kit.counts import missing, sums
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.parts import Check, Exact

FAULTS = ("median, no edges", "median, module in bfloat16", "gradient of max at 0")
PAST_FLOAT32 = "median, past 2²⁴ edges"


def library_parts(recipe: Recipe, evidence: Evidence) -> list[Exact]:
    """Kinds of input on which torch_geometric no longer fails; cases in which ours fail."""
    results = [*evidence.of(tasks.Faults), *evidence.of(tasks.PastFloat32)]
    names = [m.name for result in results for m in result.measurements]
    counts = {name: sums([result for result in results if result.values(name)], name) for name in names}
    expected = [*FAULTS, *([PAST_FLOAT32] if recipe.past_float32 else [])]
    failing = [name for name in expected if sum(counts.get(name, ())[1:3]) > 0]
    lacking = missing(evidence, tasks.Faults, tasks.PastFloat32)
    version = next((str(result.params["torch_geometric"]) for result in results), "")
    known = all(counts.values()) and bool(counts)
    return [
        Exact(
            **said("torch_geometric's median and max"),
            cases=len(expected) if known else 0,
            count=len(expected) - len(failing),
            unit="kinds of input on which they do not fail",
            missing=lacking,
            corrected=f"They no longer fail on: {', '.join(name for name in expected if name not in failing)}.",
            note=f"torch_geometric {version} on: {'; '.join(expected)}."
            + ("" if recipe.past_float32 else " More than 2²⁴ edges are tried by --preset standard."),
        ),
        Exact(
            **said("our median and max", "control"),
            cases=sum(count[0] for count in counts.values()) if known else 0,
            count=sum(count[3] for count in counts.values()) if known else 0,
            unit="inputs on which they raise or are wrong",
            missing=lacking,
            checks=(Check(name="torch_geometric is seen to fail on some of the inputs", passed=bool(failing)),),
        ),
    ]
