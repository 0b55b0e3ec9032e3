"""A book seen hundreds of times: what one job computes."""

from __future__ import annotations

from erlangen.experiments.fairytales.book_job import train_on_book
from erlangen.experiments.fairytales.quotes_job import look_up
from erlangen.experiments.fairytales.tales_job import train_on_tales
from erlangen.experiments.fairytales.tasks import Book, Quotes, Tales
from erlangen.experiments.kit.tasks import perform
from erlangen.records.runs import Job, Measurement


def run(job: Job) -> list[Measurement]:
    """Perform the job's task."""
    return perform(job, {Quotes: look_up, Book: train_on_book, Tales: train_on_tales})
