"""Length: verdicts and the answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from erlangen.experiments.kit.answers import answer
from erlangen.experiments.kit.compare import decide
from erlangen.experiments.kit.evidence import Arm, Evidence
from erlangen.experiments.kit.texts import TEXTS, beyond_the_report, text_title
from erlangen.experiments.length import Recipe
from erlangen.experiments.length.claims import OF_TEXT
from erlangen.experiments.length.evidence import LONG, TRAINED, at, average, readers, recalled, share, tellers
from erlangen.experiments.length.far_parts import far_parts
from erlangen.experiments.length.memory_parts import BYTES, memory_parts, shares
from erlangen.experiments.length.near_parts import WAYS, near_parts, recalls, untrained
from erlangen.experiments.length.syntax_parts import syntax_parts
from erlangen.experiments.length.table_parts import table_parts
from erlangen.experiments.length.tasks import BLOCK, CHANCE, SYNTAX, TUNED, Memory
from erlangen.records.runs import Answer, Verdict


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    """What becomes of the loss beyond the trained length, who tells grammatical tales, and what positions cost."""
    length = [*table_parts(recipe, evidence), *near_parts(recipe, evidence), *far_parts(recipe, evidence)]
    return decide([*length, *syntax_parts(recipe, evidence), *memory_parts(recipe.corpus, evidence)])


def answers(recipe: Recipe, evidence: Evidence, verdicts: Sequence[Verdict]) -> list[Answer]:
    """Losses at the trained length and at the longest; on a text of the user's only what was measured on it decides."""
    deciding = [verdict for verdict in verdicts if recipe.corpus in TEXTS or verdict.part in OF_TEXT]
    figure = "registers" if recalls(recipe, evidence) else "text"
    return [
        answer("T7", deciding, length(recipe, evidence), figure=figure, beyond=beyond_the_report(recipe.corpus)),
        answer("T8", verdicts, memory(evidence), figure="memory"),
    ]


def length(recipe: Recipe, evidence: Evidence) -> str:
    """What nets did that learned their task; of the others, that they did not."""
    text = f"characters of {text_title(recipe.corpus)}"
    learned = {
        "registers": recalls(recipe, evidence),
        text: not any(untrained(recipe, readers(evidence, kind), f"{how} loss") for kind, how in WAYS),
        "the grammar of tales": not any(tellers(evidence, kind).arm.above("validation_loss", recipe.tale_fit) for kind in SYNTAX),
    }
    parts = []
    if learned["registers"]:
        parts = [changes(evidence, f"answers that stand in the last {BLOCK} tokens", recalled, "near"), far(recipe, evidence)]
    elif learned[text]:
        parts = [changes(evidence, text, readers, "loss")]
    parts += [syntax(evidence)] if learned["the grammar of tales"] else []
    if short := [what for what, known in learned.items() if not known]:
        parts.append(f"On {' and on '.join(short)}, not all nets learned well enough to be compared.")
    return " ".join(parts)


def changes(evidence: Evidence, what: str, arm: Callable[[Evidence, str], Arm], name: str) -> str:
    """By how much the loss of the same tokens changes from the trained length to the longest."""
    rotary, alibi, learned = (change(arm(evidence, kind), f"{how} {name}") for kind, how in WAYS)
    return (
        f"At {LONG} times the trained length, the loss of the same {what} changes by {rotary} nats with rotary positions, by "
        f"{alibi} with ALiBi and by {learned} with a learned table whose last row is repeated."
    )


def change(arm: Arm, name: str) -> str:
    """By how much a mean loss changes from the trained length to the longest: '+0.26'."""
    first, last = (average(arm, at(name, multiple)) for multiple in (TRAINED, LONG))
    return f"{round(last - first, 2) + 0.0:+.2f}"  # no -0.00


def far(recipe: Recipe, evidence: Evidence) -> str:
    """Who recalls what lies beyond the trained length, with the losses."""
    names = {
        "rotary positions": ("rotary", "plain"),
        "ALiBi": ("alibi", "plain"),
        "rotary positions interpolated and trained a little on long texts": ("rotary", TUNED),
    }
    losses = {name: average(recalled(evidence, kind), at(f"{how} far", LONG)) for name, (kind, how) in names.items()}
    known = [f"{name} ({loss:.2f})" for name, loss in losses.items() if CHANCE - loss > recipe.reach]
    unknown = [f"{name} ({loss:.2f})" for name, loss in losses.items() if not CHANCE - loss > recipe.reach]
    told = [f"recalled with {' and '.join(known)}"] if known else []
    told += [f"not recalled with {' or '.join(unknown)}"] if unknown else []
    return f"What stands further back is {', '.join(told)}: guessing has a loss of {CHANCE:.2f}."


def syntax(evidence: Evidence) -> str:
    """The share of pairs in which each kind of positions is right."""
    learned, rotary, alibi = (average(tellers(evidence, kind).arm, share) for kind in SYNTAX)
    return (
        f"At the trained length, nets choose the grammatical one of two tales in {rotary:.0f} % of pairs with rotary positions, "
        f"{alibi:.0f} % with ALiBi and {learned:.0f} % with learned positions."
    )


def memory(evidence: Evidence) -> str:
    """What is saved, and of how much."""
    results = {str(result.params["preset"]): result for result in evidence.of(Memory)}
    found = {name: share for name, share in shares(list(results.values())).items() if math.isfinite(share)}
    if not {"gpt2", "gpt-nano"} <= found.keys():
        return "Not all models were counted."
    gpt2 = {
        name: results["gpt2"].value(name)
        for name in ("block", "absolute stored", "t5 stored", "rotary computed", "alibi computed")
    }
    table = gpt2["absolute stored"]
    return (
        f"GPT-2's table of positions has {table:,.0f} numbers ({table * BYTES / 1e6:.1f} MB), {found['gpt2']:.2f} % of its "
        f"parameters; gpt-nano's is {found['gpt-nano']:.1f} %. Rotary positions and ALiBi store nothing in its place, T5's bias "
        f"{gpt2['t5 stored']:,.0f} numbers. In a call of {gpt2['block']:,.0f} tokens, rotary positions compute "
        f"{gpt2['rotary computed'] / 1e6:.1f} MB, and ALiBi's bias takes {gpt2['alibi computed'] / 1e6:.0f} MB on a CPU."
    )
