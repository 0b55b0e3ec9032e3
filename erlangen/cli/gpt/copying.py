"""Does a language model copy? Searches its training text for what it writes after held-out passages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlangen.cli.terminal import say
from erlangen.records.evaluation import Continuation, Copying, Share

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from erlangen.data.corpus import Corpus
    from erlangen.models.gpt import GPT

PROMPT = 64  # characters of held-out text that each text continues
WORDS, STRETCH = 5, 20  # words of a phrase, characters of a stretch


def copying(model: GPT, corpus: Corpus, n: int, length: int, temperature: float, seed: int) -> Copying:
    """How much of n texts that the model writes after validation passages occurs word for word in its training text, beside how
    the passages really continue, which it never saw. Raises DataError where validation is too short for so many.
    """
    from erlangen.data.files import DataError
    from erlangen.generate.writing import passages, whole_words, written
    from erlangen.measure.memorization import longest_matches

    held_out = corpus.tokenizer.decode(corpus.validation)
    try:
        pairs = passages(held_out, n, PROMPT, length)
    except ValueError as error:
        raise DataError(f"--copied {n}: {error}: ask for fewer or shorter texts") from None
    say(f"writing {n} texts of {length} tokens")
    texts = written(model, corpus.tokenizer, [pair.prompt for pair in pairs], length, (temperature, 1.0), seed)
    texts += [pair.rest for pair in pairs]
    say("searching the training text for them")
    training = corpus.tokenizer.decode(corpus.train)
    characters = longest_matches(texts, training, STRETCH)
    words = longest_matches([whole_words(text) for text in texts], training, WORDS, "words")
    copied = [stretches(lengths, STRETCH) for lengths in characters.lengths]
    return Copying(
        tokens=length,
        temperature=temperature,
        seed=seed,
        stretch=STRETCH,
        shares=tuple(
            share(kind, size, unit, found[:n] if kind == "written" else found[n:])
            for size, unit, found in ((WORDS, "words", words.lengths), (STRETCH, "characters", characters.lengths))
            for kind in ("written", "own")
        ),
        continuations=tuple(
            Continuation(prompt=pair.prompt, written=texts[k], written_copied=copied[k], own=pair.rest, own_copied=copied[n + k])
            for k, pair in enumerate(pairs)
        ),
    )


def share(texts: str, n: int, unit: str, lengths: Sequence[NDArray[np.int64]]) -> Share:
    """Share of all n-grams that are copied, from the longest match at each position of each text, (m,) each.

    Only the texts are independent: copied n-grams lie side by side, in a few of the texts.
    """
    from erlangen.statistics.clustered import flip_rate

    counted = [of_text[: max(len(of_text) - n + 1, 0)] for of_text in lengths]  # an n-gram begins at each of these
    found = flip_rate([int((one >= n).sum()) for one in counted], [len(one) for one in counted]).interval
    return Share(texts=texts, n=n, unit=unit, share=found.estimate, interval=(found.low, found.high))


def stretches(lengths: NDArray[np.int64], least: int) -> tuple[tuple[int, int], ...]:
    """(start, stop) of the stretches covered by matches of `least` symbols, from the longest match at each position (m,)."""
    found: list[tuple[int, int]] = []
    for at in (lengths >= least).nonzero()[0].tolist():
        start = found.pop()[0] if found and found[-1][1] >= at else at
        found.append((start, at + least))
    return tuple(found)


def print_copying(found: Copying) -> None:
    """One line per share."""
    n = len(found.continuations)
    print(f"Found word for word in the training text ({n} texts of {found.tokens} tokens, continuing validation passages):")
    for one in found.shares:
        what = "the model's texts" if one.texts == "written" else "the real continuations"
        ends = ", ".join("–" if end is None else f"{100 * end:.2f}" for end in one.interval)
        value = "–" if one.share is None else f"{100 * one.share:.2f}"
        print(f"{f'{one.n} {one.unit}':<13}  {what:<22}  {value} [{ends}] %")
