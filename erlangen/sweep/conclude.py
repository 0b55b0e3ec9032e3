"""From the results of a plan to verdicts, answers and figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from erlangen.experiments import illustrator, is_ours, judge, load, module_name
from erlangen.experiments.kit.compare import AGAIN
from erlangen.experiments.kit.evidence import Evidence
from erlangen.experiments.user_code import user_code
from erlangen.records.runs import Figures, Verdict
from erlangen.sweep.check_conclusions import check_answers, check_figures, check_verdicts, known
from erlangen.sweep.check_names import with_names
from erlangen.sweep.plan import Plan


def conclude(plan: Plan, notify: Callable[[str], None]) -> list[Verdict]:
    """Judge every result of the plan that the folder holds, and write verdicts, answers and figures.

    Results are read back from their files and in the plan's order: what is judged is what is stored. Raises UserCodeError for
    an error in a judge or in figures of the user's, also for one that only what they return shows.
    """
    results = plan.store.load(plan.jobs, notify)
    missing = {key: job for key, job in plan.jobs.items() if key not in results}
    plan.store.keep_failures(missing)
    failed = {job.label(): f"failures/{key}.txt" for key, job in missing.items() if plan.store.failure(key).exists()}
    measured = {key: results[key] for key in plan.jobs if key in results}
    if is_ours(plan.name):  # whose judges may ask for what only some recipes measure
        evidence = Evidence(tuple(measured.values()), tuple(missing.values()))
    else:
        evidence = with_names(measured, missing)
    concluding, drawing = judge(plan.name), illustrator(plan.name)
    with user_code(module_name(plan.name)):
        verdicts = [pointed(verdict, failed) for verdict in check_verdicts(concluding.verdicts, plan, evidence)]
        check_parts(concluding.verdicts, plan, verdicts)
        figures = check_figures(drawing.figures, plan, evidence)
        answers = check_answers(concluding.answers, plan, evidence, verdicts, figures)
    plan.store.conclude(verdicts, answers, Figures(question=load(plan.name).QUESTION, figures=figures))
    return verdicts


def check_parts(function: Callable[..., object], plan: Plan, verdicts: Sequence[Verdict]) -> None:
    """In an experiment of the user's: every part has the name of one that its claim declares, if the claim declares any.

    Ours name some parts by data: one row of a table stands for all in what `erlangen show` lists.
    """
    declared = {claim.id: claim.parts for claim in load(plan.name).CLAIMS}
    for verdict in verdicts:
        if declared[verdict.claim] and not is_ours(plan.name):
            known(function, plan, "part", verdict.part, declared[verdict.claim])


def pointed(verdict: Verdict, failed: Mapping[str, str]) -> Verdict:
    """The verdict; where it lacks a job that failed, it names the file that says why instead of the advice to run again.

    failed: label of a job -> its file in the run folder.
    """
    if not verdict.next_step.endswith(AGAIN):
        return verdict
    named = [file for label, file in failed.items() if re.search(rf"{re.escape(label)}(?!\d)", verdict.next_step)]
    if not named:
        return verdict
    failure = f"the jobs failed, see {named[0]} and those beside it" if len(named) > 1 else f"the job failed, see {named[0]}"
    return replace(verdict, next_step=f"{verdict.next_step.removesuffix(AGAIN)}: {failure}")
