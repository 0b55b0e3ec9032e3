"""Word order: what one job computes."""

from __future__ import annotations

from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.word_order.ability import puzzle, text
from erlangen.experiments.word_order.sentences import sentences
from erlangen.experiments.word_order.tasks import Puzzle, Sentences, Text
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Sentences: sentences, Puzzle: puzzle, Text: text})
