"""What `length` judges: the claims, the statement of each part, and the report's words."""

from __future__ import annotations

from erlangen.claims import statement_of
from erlangen.experiments.kit.texts import TEXTS
from erlangen.experiments.kit.wording import Wording, wording
from erlangen.records.runs import Claim, Of

CLAIMS = (
    Claim(
        id="T7",
        statement=statement_of("T7"),
        how="Small GPTs learn from windows of 64 tokens and are tested on texts of 64 to 512, the loss always being that of "
        "the same tokens. On registers, a generated text, near answers stand in the last 64 tokens and far ones do not: a "
        "window of 64 tokens has a loss of ln 4 = 1.39 nats on them. The second text is made of characters. For syntax, nets "
        "of 256 characters choose between a generated tale and the same tale made ungrammatical, each kind of positions at its "
        "best learning rate.",
        parts={
            "learned positions": "Learned positions do not extend beyond the trained length, neither as they are nor with "
            "their last row repeated or their rows interpolated.",
            "the table ends": "A model with learned positions gives no answer for a text longer than its table.",
            "repeated last row": "With its last row repeated, a learned table has a higher loss at 8 times the trained length.",
            "interpolated rows": "With its rows interpolated, a learned table has a higher loss at 8 times the trained length.",
            "unseen or rarely trained rows": "A text has a higher loss where it stands on rows of a learned table that "
            "training used never or rarely.",
            "unseen rows": "A text has a higher loss on rows of the table that training never used.",
            "rarely trained rows": "A text has a higher loss on rows of the table that training rarely used.",
            "relative, near": "At 8 times the trained length, nets with relative positions are as good as at the trained length.",
            "rotary, near, registers": "On registers, rotary positions are as good at 8 times the trained length as at it.",
            "ALiBi, near, registers": "On registers, ALiBi is as good at 8 times the trained length as at it.",
            "rotary, near, text": "On the text, rotary positions are as good at 8 times the trained length as at it.",
            "ALiBi, near, text": "On the text, ALiBi is as good at 8 times the trained length as at it.",
            "relative, far": "At 8 times the trained length, nets with relative positions use what lies beyond the trained "
            "length.",
            "rotary, far": "With rotary positions, nets use what lies beyond the trained length.",
            "ALiBi, far": "With ALiBi, nets use what lies beyond the trained length.",
            "syntax": "At the trained length, nets with relative positions tell grammatical tales from ungrammatical ones more "
            "often than nets with learned positions.",
            "rotary, syntax": "Nets with rotary positions choose the grammatical tale more often than nets with learned "
            "positions.",
            "ALiBi, syntax": "Nets with ALiBi choose the grammatical tale more often than nets with learned positions.",
            "NTK, near, text": "NTK-aware scaling extends rotary positions to 8 times the trained length without any training.",
            "none, near": "Without positions, a causal net does better at 8 times the trained length than with rotary positions.",
            "interpolated and tuned, near": "Interpolated rotary positions, after a short training on long texts, are as good "
            "on near answers as at the trained length before it.",
            "interpolated and tuned, far": "Interpolated rotary positions, after a short training on long texts, reach beyond "
            "the trained length.",
            "registers tell": "Registers separate a net that reaches beyond the trained length from one that does not.",
            "ALiBi, far, text": "On the text, ALiBi gains from what lies beyond the trained length.",
        },
    ),
    Claim(
        id="T8",
        statement=statement_of("T8"),
        how="Parameters and buffers are counted in the lab's models, built with each kind of positions, and so are the bytes "
        "that a call at the model's full context computes for its positions on a CPU.",
        parts={
            "no table": "Rotary positions, ALiBi and T5's bias store less than a tenth of what a learned table stores.",
            "share in GPT-2": "In models of GPT-2's sizes, the table is less than 1 % of all parameters.",
            "rotary's table": "The sines and cosines that rotary positions compute take fewer bytes than the table.",
            "the bias": "The bias that ALiBi and T5 add to the scores, where a CPU holds it, takes fewer bytes than the table.",
        },
    ),
)
RELATIVE = "relative ones generalize to other lengths"
QUOTES = {
    "learned positions": "Learned absolute positions do not extend",
    "unseen or rarely trained rows": "positions unseen or under-trained degrade",
    "relative, near": RELATIVE,
    "relative, far": RELATIVE,
    "syntax": "they help syntax",
    "no table": "Relative positions save an embedding table.",
}
RIVALS = ("NTK, near, text", "none, near", "interpolated and tuned, far")
"""Said in the literature: bloc97, 2023; Kazemnejad et al., 2023; Chen et al., 2023."""
OF_TEXT = ("learned positions", "unseen or rarely trained rows", "relative, near")
"""The report did not mean a text of the user's: there these parts, which are measured on it, are an extension."""


def said(corpus: str, part: str, of: Of = "extension") -> Wording:
    """The wording of a part, on the text `corpus`."""
    quotes = {name: words for name, words in QUOTES.items() if corpus in TEXTS or name not in OF_TEXT}
    return wording(CLAIMS, quotes, part, "rival" if part in RIVALS else of)
