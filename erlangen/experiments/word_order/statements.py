"""What the parts of claim T6 state, arm by arm and task by task."""

from __future__ import annotations

from itertools import product

from erlangen.experiments.word_order.recipe import DEPTHS


def layers(depth: int) -> str:
    """'1 layer', '2 layers'."""
    return f"{depth} layer{'s' * (depth > 1)}"


def arm_name(net: str, depth: int) -> str:
    """'encoder', of whatever depth, or 'causal, 2 layers'."""
    return "encoder" if net == "encoder" else f"causal, {layers(depth)}"


ARMS = {"encoder": DEPTHS, **{arm_name("causal", depth): (depth,) for depth in DEPTHS}}
"""The nets that the parts are about, and their numbers of layers."""
DEEPER = tuple(arm_name("causal", depth) for depth in DEPTHS if depth > 1)
TASKS = ("marks", "reverse", "text")


def rows_of(arm: str) -> tuple[tuple[str, int], ...]:
    """The tasks of an arm and its layers there: an encoder, which would see what it is to predict, has marks alone."""
    return tuple(product(("marks",) if arm == "encoder" else TASKS, ARMS[arm]))


def row_name(task: str, arm: str, depth: int) -> str:
    """'marks, encoder, 2 layers', 'text, causal, 1 layer'."""
    return f"{task}, {arm}" if arm != "encoder" else f"{task}, encoder, {layers(depth)}"


TASK_TITLES = {
    "marks": "Which of two marks among 14 other tokens comes first",
    "reverse": "Eight different tokens in reverse order",
    "text": "The next character of a text",
}
TITLES = {
    "encoder": "an encoder",
    **{name: f"a causal net of {name.removeprefix('causal, ')}" for name in ARMS if name != "encoder"},
}

PARTS = {
    **{
        f"two sentences, {arm}": f"Without positions {TITLES[arm]} cannot tell “John sat on the couch” from “Couch on "
        "the sat John”."
        for arm in ARMS
    },
    **{
        f"any order, {arm}": f"Without positions {TITLES[arm]} gives the same output for any order of the tokens before the last."
        for arm in ARMS
        if arm not in DEEPER
    },
    **{f"learns order, {arm}": f"Without positions {TITLES[arm]} learns to tell the two sentences apart." for arm in DEEPER},
    **{
        f"any task, {arm}": f"Without positions {TITLES[arm]} performs very poorly on any task that requires order."
        for arm in ARMS
    },
    **{
        row_name(task, arm, depth): f"{TASK_TITLES[task]}: without positions, {TITLES[arm]}"
        f"{f' of {layers(depth)}' if arm == 'encoder' else ''} performs very poorly."
        for arm in ARMS
        for task, depth in rows_of(arm)
    },
    "position leak": "Positions that leak in at 1 % of the embeddings' size are seen in every text.",
    **{
        f"bound, {task}": f"On {task}, a trained predictor that sees no order reaches the exact bound."
        for task in TASKS
        if task != "text"
    },
}
QUOTES = {
    **{
        f"two sentences, {arm}": 'Without positions the two sentences "John sat on the couch" and "Couch on the sat John" are '
        "indistinguishable, a bag of words"
        for arm in ARMS
    },
    **{f"any task, {arm}": "it performs very poorly on any task that requires order." for arm in ARMS},
}
"""The report's own words, by the part that judges them."""
