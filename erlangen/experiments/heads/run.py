"""Heads: what one job computes."""

from __future__ import annotations

from erlangen.experiments.heads.copying import copy_four
from erlangen.experiments.heads.exact import count_ranks
from erlangen.experiments.heads.learning import learn
from erlangen.experiments.heads.summing import compare_with_sum
from erlangen.experiments.heads.tasks import Copy, Learn, Ranks, Sum
from erlangen.experiments.kit.tasks import perform
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Learn: learn, Copy: copy_four, Ranks: count_ranks, Sum: compare_with_sum})
