"""Continuations of passages of held-out text by a language model, and statistics of each continuation."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

import torch

from erlangen.data.tokenizer import Tokenizer
from erlangen.generate.decode import generate
from erlangen.generate.settings import Settings
from erlangen.measure.memorization import longest_matches
from erlangen.measure.text_statistics import compression_ratio, dictionary_share, distinct_n, repetition
from erlangen.models.gpt import GPT


class Passage(NamedTuple):
    """Held-out text in two parts: the prompt for a model, and the rest, which is how the book continues."""

    prompt: str
    rest: str


def passages(text: str, n: int, prompt: int, length: int) -> list[Passage]:
    """n passages of prompt + length characters, evenly spaced, without overlap. Raises ValueError if the text is too short."""
    stride = len(text) // n
    if stride < prompt + length:
        raise ValueError(f"the text has {len(text)} characters, too few for {n} passages of {prompt} + {length} characters")
    return [Passage(text[at : at + prompt], text[at + prompt : at + prompt + length]) for at in range(0, n * stride, stride)]


def written(
    model: GPT, tokenizer: Tokenizer, prompts: Sequence[str], length: int, setting: tuple[float, float], seed: int
) -> list[str]:
    """The model's continuations of the prompts, `length` tokens each, without the prompts. setting: temperature and top-p.

    All prompts are cut to the length of the shortest, keeping their last tokens; prompts of equal length are read whole.
    """
    read = [tokenizer.encode(prompt) for prompt in prompts]
    shortest = min(map(len, read))
    tokens = torch.stack([row[len(row) - shortest :] for row in read]).to(model.embed.weight.device)  # (B, T)
    settings = Settings(temperature=setting[0], top_p=setting[1], seed=seed)
    continuations = generate(model, tokens, length, settings=settings)[:, tokens.shape[1] :].cpu()  # (B, length)
    return [tokenizer.decode(row) for row in continuations]


def whole_words(text: str) -> str:
    """The text without the parts before the first space and after the last, which may be incomplete words."""
    parts = text.replace("\n", " ").split(" ")
    return " ".join(parts[1:-1])


def copied(texts: Sequence[str], training: str, characters: Sequence[int], words: Sequence[int]) -> dict[str, list[list[float]]]:
    """For each n-gram length, the share of each text that occurs verbatim in the training text; of characters and of words."""
    by_characters = longest_matches(texts, training, max(characters))
    by_words = longest_matches([whole_words(text) for text in texts], training, max(words), "words")
    return {
        "characters": [by_characters.shares(n) for n in characters],
        "words": [by_words.shares(n) for n in words],
    }


def described(texts: Sequence[str], dictionary: Container[str]) -> dict[str, list[float]]:
    """Statistics of each text: variety, repetition, redundancy, and the share of its words in the dictionary."""
    whole = [whole_words(text) for text in texts]
    return {
        "distinct_1": [distinct_n(text, 1) for text in whole],
        "distinct_2": [distinct_n(text, 2) for text in whole],
        "repetition": [repetition(text) for text in whole],
        "compression": [compression_ratio(text) for text in texts],
        "words": [dictionary_share(text, dictionary) for text in whole],
    }
