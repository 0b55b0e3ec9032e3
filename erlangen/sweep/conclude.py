"""From the results of a plan to verdicts, answers and figures."""

from __future__ import annotations

from collections.abc import Callable

from erlangen.experiments import illustrator, judge, load, module_name
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.user_code import user_code
from erlangen.records.runs import Figure, Figures, Verdict
from erlangen.sweep.plan import Plan


def conclude(plan: Plan, notify: Callable[[str], None]) -> list[Verdict]:
    """Judge every result of the plan that the folder holds, and write verdicts, answers and figures.

    Results are read back from their files and in the plan's order: what is judged is what is stored.
    """
    results = plan.store.load(plan.jobs, notify)
    evidence = Evidence(
        tuple(results[key] for key in plan.jobs if key in results),
        tuple(job for key, job in plan.jobs.items() if key not in results),
    )
    concluding, drawing = judge(plan.name), illustrator(plan.name)
    with user_code(module_name(plan.name)):
        verdicts = list(concluding.verdicts(plan.recipe, evidence))
        answers = list(concluding.answers(plan.recipe, evidence, verdicts))
        figures = tuple(map(rectangular, drawing.figures(plan.recipe, evidence)))
        plan.store.conclude(verdicts, answers, Figures(question=load(plan.name).QUESTION, figures=figures))
    return verdicts


def rectangular(figure: Figure) -> Figure:
    """The figure. Raises ValueError where a row of its table has not as many entries as there are columns."""
    for row in figure.rows:
        if len(row) != len(figure.columns):
            raise ValueError(f"figure {figure.name}: a row has {len(row)} entries for {len(figure.columns)} columns")
    return figure
