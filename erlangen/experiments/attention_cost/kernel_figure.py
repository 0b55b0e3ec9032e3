"""Which operations computed each form, what its memory came to, and what the lab had said of it: a table."""

from __future__ import annotations

from erlangen.experiments.attention_cost import HELD, Recipe
from erlangen.experiments.attention_cost.memory_parts import exponents
from erlangen.experiments.attention_cost.readings import peak
from erlangen.experiments.attention_cost.tasks import Memory
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.kit.panels import Row, significant
from erlangen.records.runs import Figure


def kernel_figure(recipe: Recipe, evidence: Evidence, names: dict[str, str]) -> Figure:
    """A row for each form of which memory was measured."""
    n = recipe.lengths[-1]
    rows: list[Row] = [
        (
            names[form],
            ", ".join(operations(evidence, form)) or "not recorded",
            "yes" if peak(evidence, form, n, "foretold") else "no",
            significant(peak(evidence, form, n), 3),
            significant(exponents(recipe, evidence, form)[-1], 3),
        )
        for form in HELD
        if peak(evidence, form, n) > 0
    ]
    return Figure(
        name="kernels",
        title="What ran, and what it held",
        caption="The operations that multiplied, by their names in torch (bmm: a plain product of matrices); whether "
        "erlangen.nn.attention_backend says that n × n numbers are held; peak memory of forward and backward, and its exponent "
        "at the last step from a length to the next.",
        columns=("attention", "operations", "n × n, says the lab", f"MiB at {n:,} tokens", "exponent"),
        rows=tuple(rows),
    )


def operations(evidence: Evidence, form: str) -> list[str]:
    """The names of the operations that ran, without those of their backward passes."""
    prefix = f"{form} ran "
    ran = {one.name.removeprefix(prefix) for result in evidence.of(Memory) for one in result.measurements if prefix in one.name}
    return sorted(name for name in ran if not name.endswith("_backward"))
