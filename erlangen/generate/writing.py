"""What a net writes after passages of held-out text, and what can be said of each piece of it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

import torch

from erlangen.data.tokenizer import Tokenizer
from erlangen.generate.decode import generate
from erlangen.generate.filters import Settings
from erlangen.measure.memorization import longest_matches
from erlangen.measure.text_statistics import compression_ratio, dictionary_share, distinct_n, repetition
from erlangen.models.gpt import GPT


class Passage(NamedTuple):
    """Held-out text in two: what a net is given, and how the book goes on."""

    prompt: str
    rest: str


def passages(text: str, n: int, prompt: int, length: int) -> list[Passage]:
    """n passages of prompt + length characters, evenly over the text, apart. Raises ValueError where the text is short."""
    stride = len(text) // n
    if stride < prompt + length:
        raise ValueError(f"{n} passages of {prompt} + {length} characters: the text has {len(text)}")
    return [Passage(text[at : at + prompt], text[at + prompt : at + prompt + length]) for at in range(0, n * stride, stride)]


def written(
    model: GPT, tokenizer: Tokenizer, prompts: Sequence[str], length: int, setting: tuple[float, float], seed: int
) -> list[str]:
    """How the net goes on, `length` tokens without the prompts; setting: temperature and top-p.

    Of each prompt the last tokens, as many as the shortest has: characters that are all as long are read whole.
    """
    read = [tokenizer.encode(prompt) for prompt in prompts]
    shortest = min(map(len, read))
    tokens = torch.stack([row[len(row) - shortest :] for row in read]).to(model.embed.weight.device)  # (B, T)
    settings = Settings(temperature=setting[0], top_p=setting[1], seed=seed)
    found = generate(model, tokens, length, settings=settings)[:, tokens.shape[1] :].cpu()  # (B, length)
    return [tokenizer.decode(row) for row in found]


def whole_words(text: str) -> str:
    """Without what stands before the first space and after the last: both may be parts of words."""
    parts = text.replace("\n", " ").split(" ")
    return " ".join(parts[1:-1])


def copied(texts: Sequence[str], training: str, characters: Sequence[int], words: Sequence[int]) -> dict[str, list[list[float]]]:
    """Per length of n-gram, the verbatim share of each text: characters and words."""
    by_characters = longest_matches(texts, training, max(characters))
    by_words = longest_matches([whole_words(text) for text in texts], training, max(words), "words")
    return {
        "characters": [by_characters.shares(n) for n in characters],
        "words": [by_words.shares(n) for n in words],
    }


def described(texts: Sequence[str], dictionary: Container[str]) -> dict[str, list[float]]:
    """Of each text: variety, repetition, redundancy, and the share of its words in the dictionary."""
    whole = [whole_words(text) for text in texts]
    return {
        "distinct_1": [distinct_n(text, 1) for text in whole],
        "distinct_2": [distinct_n(text, 2) for text in whole],
        "repetition": [repetition(text) for text in whole],
        "compression": [compression_ratio(text) for text in texts],
        "words": [dictionary_share(text, dictionary) for text in whole],
    }
