"""The rank of weights times values against the ranks of the two, counted over the integers, where no tolerance decides.

    A_ij ∝ 2^(q_i · k_j),   rank(A V) ≤ min(rank A, rank V)

Softmax in base 2: with integer queries and keys its weights are integers up to a factor a row, which leaves the rank alone. A
causal A is triangular with a positive diagonal, hence invertible, and then rank(A V) = rank V.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from erlangen.experiments.heads.tasks import Ranks
from erlangen.records.runs import Job, Measurement

TOKENS, HEAD = 6, 2  # tokens, and features of a query and of a value
Matrix = list[list[int]]
KINDS = ("causal", "bidirectional", "cancelling", "planted")


def count_ranks(task: Ranks, job: Job) -> list[Measurement]:
    """Of each kind of weights: draws, products whose rank is above min(rank A, rank V), below it, and A that are not invertible.

    cancelling: bidirectional, the tokens in pairs of equal queries and keys and of opposite values. planted: no product at all,
    which a count that works must find above the bound.
    """
    rng = np.random.default_rng(job.seed)
    measured = []
    for kind in KINDS:
        drawn = [compare(*draw(kind, rng)) for _ in range(task.draws)]
        above, below, singular = (float(sum(column)) for column in zip(*drawn, strict=True))
        measured += [
            Measurement(f"{kind}_draws", task.draws),
            Measurement(f"{kind}_above", above),
            Measurement(f"{kind}_below", below),
            Measurement(f"{kind}_singular", singular),
        ]
    return measured


def draw(kind: str, rng: np.random.Generator) -> tuple[Matrix, Matrix, Matrix]:
    """Weights (TOKENS, TOKENS), values (TOKENS, HEAD), and their product, or what stands for it."""
    queries, keys = (rng.integers(0, 32, (TOKENS, HEAD)) for _ in range(2))
    values = rng.integers(-3, 4, (TOKENS, HEAD))
    if kind == "planted":
        values = np.ones_like(values)
    if kind == "cancelling":
        queries[1::2], keys[1::2], values[1::2] = queries[::2], keys[::2], -values[::2]
    scores = (queries @ keys.T).tolist()
    weights = [
        [2**score if kind != "causal" or at <= row else 0 for at, score in enumerate(line)] for row, line in enumerate(scores)
    ]
    product = np.eye(TOKENS, dtype=int).tolist() if kind == "planted" else multiply(weights, values.tolist())
    return weights, values.tolist(), product


def multiply(left: Matrix, right: Matrix) -> Matrix:
    """The product in integers of any size."""
    columns = list(zip(*right, strict=True))
    return [[sum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in left]


def compare(weights: Matrix, values: Matrix, product: Matrix) -> tuple[bool, bool, bool]:
    """Whether the product's rank is above min(rank A, rank V), whether it is below it, and whether A is singular."""
    least, whole = min(rank(weights), rank(values)), rank(product)
    return whole > least, whole < least, rank(weights) < len(weights)


def rank(matrix: Sequence[Sequence[int]]) -> int:
    """The rank over the rationals, by elimination without rounding."""
    rows = [[Fraction(entry) for entry in row] for row in matrix]
    found = 0
    for column in range(len(rows[0])):
        pivot = next((at for at in range(found, len(rows)) if rows[at][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for at in range(found + 1, len(rows)):
            factor = rows[at][column] / rows[found][column]
            rows[at] = [entry - factor * over for entry, over in zip(rows[at], rows[found], strict=True)]
        found += 1
    return found
