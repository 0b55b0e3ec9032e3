"""The text of `sampling` in three parts, and what of it each net is trained on."""

from __future__ import annotations

import numpy as np

from erlangen.data.characters import CharacterTokenizer
from erlangen.data.corpus import Corpus
from erlangen.data.tales import tales
from erlangen.data.text_file import named_text
from erlangen.experiments.sampling.tasks import TEST, VALIDATION, Write

TALES = 4000


def parts_of(task: Write) -> tuple[str, str, str]:
    """Training, validation and test part, in the text's order with a gap of a block between them."""
    text = tales(TALES, seed=0) if task.corpus == "tales" else named_text(task.corpus, task.digest)
    usable = len(text) - 2 * task.block
    validation, test = round(VALIDATION * usable), round(TEST * usable)
    first = usable - validation - test
    second = first + task.block
    return text[:first], text[second : second + validation], text[second + validation + task.block :]


def corpus_of(task: Write, seed: int, parts: tuple[str, str, str]) -> Corpus:
    """All of the training part, or a memorizing net's slice of it, which shares nothing with that of another seed."""
    training, validation, test = parts
    tokenizer = CharacterTokenizer.of("".join(parts))
    if task.regime == "memorizing":
        places = np.random.default_rng(9).permutation(len(training) // task.characters)
        start = task.characters * int(places[seed])
        training = training[start : start + task.characters]
    encoded = [tokenizer.encode(part) for part in (training, validation, test)]
    return Corpus(name="text", tokenizer=tokenizer, train=encoded[0], validation=encoded[1], test=encoded[2])
