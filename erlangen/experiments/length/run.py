"""Length: what one job computes."""

from __future__ import annotations

from erlangen.experiments.kit.tasks import perform
from erlangen.experiments.length.grammar import contrast
from erlangen.experiments.length.memory import answer, memory
from erlangen.experiments.length.recall import recall
from erlangen.experiments.length.tasks import Answer, Contrast, Memory, Read, Recall, Shift
from erlangen.experiments.length.text import read, shift
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Answer: answer, Recall: recall, Read: read, Shift: shift, Contrast: contrast, Memory: memory})
