"""What `attention-scale` judges: the claim, its parts and the report's words."""

from __future__ import annotations

from erlangen.claims import statement_of
from erlangen.records.runs import Claim

NAMES = {"adam": "Adam", "sgd": "SGD"}
ARM_NAMES = {"scaled": "with 1/√d", "unscaled": "without", "matched": "without, same start"}
POSITION_NAMES = {"none": "no positions", "rotary": "rotary positions"}
CORNERS = {"widest": "the widest queries and the most keys", "narrowest": "the narrowest queries and the fewest keys"}
_BEST = "at its own best learning rate"

CLAIMS = (
    Claim(
        id="T3",
        statement=statement_of("T3"),
        how="Products of drawn queries and keys: mean and variance over widths, distributions, means and spreads. Drawn heads: "
        "entropy of the softmax and the gradients that come back through it, with the scale and without. Nets that copy one of "
        "their tokens, an ordinary task of attention: with the scale, without, and without it from the same start; each arm at "
        "the best of its learning rates, with Adam and with SGD. Heads of a small GPT, before training and after.",
        parts={
            "variance": "The variance of q · k is d · σ⁴ if the entries are independent with mean 0 and variance σ².",
            "scaled variance": "Divided by √d, q · k has variance σ⁴ at every width.",
            "mean": "Entries that are independent and identically distributed give E[q · k] = 0.",
            "mean, formula": "The mean of q · k is d · μ² for entries with mean μ.",
            "variance with a mean": "The variance of q · k is d · (σ⁴ + 2 μ² σ²) for entries with mean μ.",
            "planted shift": "A variance that is 10 % too large is noticed at every width.",
            "saturation": "Without the scale the softmax is saturated at the start, whatever the width.",
            "no saturation": "With the scale the softmax is not saturated at the start, whatever the width.",
            "gradients": "Without the scale, the gradients of the queries vanish at the start: at most half is left of "
            "their root mean square.",
            "typical gradient": "Without the scale, the scores of a typical query receive at most half of their gradient at the "
            "start.",
            "gradients, closed form": "The gradient of the scores is as large as its closed form says.",
            "instability": "Without the scale, training is less stable: averaged over learning rates, it ends at a higher loss.",
            **{
                f"instability, {name}": f"Trained with {name}, nets end at a higher loss without the scale, averaged over "
                "learning rates."
                for name in NAMES.values()
            },
            **{
                f"instability from the same start, {name}": f"Trained with {name}, nets end at a higher loss without the scale, "
                "averaged over learning rates, even if their scores start as with it."
                for name in NAMES.values()
            },
            **{
                f"jumps, {name}": f"Trained with {name} {_BEST}, the loss of a net jumps higher without the scale."
                for name in NAMES.values()
            },
            **{
                f"loss, {corner}, {name}": f"With {where}, a net without the scale, trained with {name} {_BEST}, ends at a "
                "higher loss."
                for corner, where in CORNERS.items()
                for name in NAMES.values()
            },
            **{
                f"cause, {name}": f"With {name}, a net without the scale ends at the same loss if it starts as one with it."
                for name in NAMES.values()
            },
            **{
                f"GPT, {name}: mean": f"In a trained GPT ({name}) the mean of q · k is not 0." for name in POSITION_NAMES.values()
            },
            **{
                f"GPT, {name}: variance": f"In a trained GPT ({name}) the variance of q · k is far larger than d · σ⁴."
                for name in POSITION_NAMES.values()
            },
            **{
                f"GPT, {name}: share of the means": f"In a trained GPT ({name}) the means of queries and keys make up a large "
                "share of E[(q · k)²]."
                for name in POSITION_NAMES.values()
            },
        },
    ),
)

_CHAIN = "Var(q·k) = d·σ⁴; /√d gives σ⁴; without it softmax saturates, gradients vanish, training destabilizes."
QUOTES = {
    **dict.fromkeys(("variance", "scaled variance", "saturation", "gradients", "instability"), _CHAIN),
    "mean": "independent and identically distributed … this means E = 0",
}
