"""Whether a net continues a passage as its text does: the probability of the passage's next word."""

from __future__ import annotations

import math
import re

import torch
import torch.nn.functional as F
from torch import Tensor

from erlangen.data.tokenizer import Tokenizer
from erlangen.generate.decode import evaluating
from erlangen.models.gpt import GPT

WORD = re.compile(r"(?<=\s)[^\W\d_]+[^\w]")  # after white space, with the character that ends it


def next_word_probabilities(model: GPT, tokenizer: Tokenizer, text: str, n: int, prompt: int) -> list[float]:
    """For n passages, evenly spaced, the probability of the next word after `prompt` characters; fewer where the text is short.

        p(word) = Π over its characters c, and the one that ends it, of p(c | the passage and the word so far)

    It is how often the net, asked with the passage at temperature 1, goes on with the text's own word.
    """
    ahead = [match for match in WORD.finditer(text) if match.start() >= prompt]
    chosen = [ahead[int(i * len(ahead) / n)] for i in range(min(n, len(ahead)))]
    device = model.embed.weight.device
    found = []
    for match in chosen:
        tokens = tokenizer.encode(text[match.start() - prompt : match.end()])[-model.config.block - 1 :].long().to(device)
        found.append(math.exp(-float(loss_of_last(model, tokens, match.end() - match.start()))))
    return found


def loss_of_last(model: GPT, tokens: Tensor, n: int) -> Tensor:
    """The summed loss of the last n of tokens (T,), in nats."""
    with evaluating(model), torch.inference_mode():
        logits = model(tokens[None, :-1])[0]  # (T - 1, vocabulary)
    return F.cross_entropy(logits[-n:].double(), tokens[-n:], reduction="sum")
