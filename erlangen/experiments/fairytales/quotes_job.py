"""What the report says of its book, looked up in the book."""

from __future__ import annotations

from erlangen.data.text_file import named_text
from erlangen.experiments.fairytales.tasks import Quotes
from erlangen.records.runs import Job, Measurement

GLASS = "Tell me, glass"
QUOTED = "As soon as she was alone that dwarf came in, and said, ‘What will you give me to spin "  # the report's prompt 2
NEXT = "gold "  # the book's next word, which the report calls the correct one
INVENTED = (  # its other prompts
    "Once upon a time, in a faraway kingdom, there lived a humble woodcutter and his wife, who had two children named ",
    "The dark forest was filled with ancient trees whose twisted branches reached out like ",
    "In the first chapter, the youngest brother received an enchanted cloak. Now, as he faced the dragon, he remembered ",
)


def look_up(task: Quotes, job: Job) -> list[Measurement]:
    """How often each stands in the book, where a line break counts as a space."""
    book = " ".join(named_text(task.corpus).split())
    return [
        Measurement("glass", book.count(GLASS), "times"),
        Measurement("prompt", book.count(QUOTED), "times"),
        Measurement("prompt_and_next_word", book.count(QUOTED + NEXT), "times"),
        Measurement("invented_prompts", sum(book.count(prompt) for prompt in INVENTED), "times"),
    ]
