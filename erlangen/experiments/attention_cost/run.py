"""What attention costs: what one job measures."""

from __future__ import annotations

from erlangen.experiments.attention_cost.costs import timed, windows
from erlangen.experiments.attention_cost.counts import count, kernel
from erlangen.experiments.attention_cost.equality import equal
from erlangen.experiments.attention_cost.held import memory
from erlangen.experiments.attention_cost.pieces import pieces
from erlangen.experiments.attention_cost.tasks import Count, Equal, Kernel, Memory, Pieces, Time, Windows
from erlangen.experiments.kit.tasks import perform
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(
        job, {Count: count, Kernel: kernel, Equal: equal, Time: timed, Windows: windows, Memory: memory, Pieces: pieces}
    )
