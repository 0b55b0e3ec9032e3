"""The scale of attention: what one job computes."""

from __future__ import annotations

from erlangen.experiments.attention_scale.heads import language
from erlangen.experiments.attention_scale.products import products
from erlangen.experiments.attention_scale.start import start
from erlangen.experiments.attention_scale.tasks import Copy, Language, Products, Start
from erlangen.experiments.attention_scale.training import copy
from erlangen.experiments.kit.tasks import perform
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Products: products, Start: start, Copy: copy, Language: language})
