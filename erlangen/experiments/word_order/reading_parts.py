"""Word order: the parts about what a net reads, the report's two sentences and other texts in another order."""

from __future__ import annotations

import math
from functools import partial

from erlangen.experiments.kit.evidence import Arm, Evidence, by_seed, group, matches
from erlangen.experiments.kit.parts import Check, Exact, Part
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.word_order import CLAIMS
from erlangen.experiments.word_order.evidence import ROUNDING, count_above, finite, tolerance
from erlangen.experiments.word_order.recipe import Recipe
from erlangen.experiments.word_order.statements import ARMS, DEEPER, QUOTES
from erlangen.experiments.word_order.tasks import Puzzle, Sentences, Text
from erlangen.records.runs import Group, JobResult
from erlangen.statistics.regions import at_most, exceeds

said = partial(wording, CLAIMS, QUOTES)
BAGS = tuple(arm for arm in ARMS if arm not in DEEPER)
KINDS = (Sentences, Puzzle, Text)
APART = 0.5  # of the probability to take a sentence for the first one


def net_of(arm: str) -> str:
    """'encoder' or 'causal'."""
    return arm.split(",")[0]


def readers(evidence: Evidence, arm: str, positions: str = "none") -> list[JobResult]:
    """The nets that read the two sentences, over the depths of an arm."""
    found = [evidence.of(Sentences, net=net_of(arm), depth=depth, positions=positions) for depth in ARMS[arm]]
    return [result for results in found for result in results]


def lacking(evidence: Evidence, arm: str, *kinds: type) -> tuple[str, ...]:
    """The jobs of an arm's nets without positions that gave no result."""
    fields = [{"net": net_of(arm), "depth": depth, "positions": "none"} for depth in ARMS[arm]]
    return tuple(job.label() for kind in kinds for one in fields for job in evidence.missing if matches(job, kind, one))


def exact_texts(evidence: Evidence, arm: str) -> list[JobResult]:
    """All nets of an arm without positions, whatever they learned."""
    fields = [{"net": net_of(arm), "depth": depth, "positions": "none"} for depth in ARMS[arm]]
    return [result for kind in KINDS for one in fields for result in evidence.of(kind, **one)]


def gap(result: JobResult) -> float:
    """By how much likelier a trained net takes the first sentence for the first one than the second."""
    return result.value("first_taken_for_first") - result.value("second_taken_for_first")


def told_apart(evidence: Evidence, arm: str) -> Check:
    """The same nets with rotary positions must tell the sentences apart once they were trained to."""
    gaps = [gap(result) for result in readers(evidence, arm, "rotary")]
    passed = all(value > APART for value in gaps) if gaps and finite(gaps) else None
    return Check("with rotary positions, the same nets learn to tell the two sentences apart", passed)


def leak_seen(evidence: Evidence, arm: str) -> Check:
    """A leak of positions must be seen in every text of these very nets."""
    seen, cases = count_above(exact_texts(evidence, arm), "leak_errors")
    passed = seen == cases if cases and math.isfinite(seen) else None
    return Check("a position leak of 1 % is seen in every text", passed)


def nothing_seen(evidence: Evidence) -> Check:
    """The measure must not see a difference where there is none."""
    count, cases = different_sentences(evidence, "encoder")
    return Check(
        "the two sentences are alike for an encoder without positions", count == 0 if cases and math.isfinite(count) else None
    )


def different_sentences(evidence: Evidence, arm: str) -> tuple[float, float]:
    """How often nets of an arm, before and after training, read the two sentences differently, and of how many readings."""
    found = [
        (result.value(f"{when}_stop"), tolerance(result, when))
        for result in readers(evidence, arm)
        for when in ("random", "trained")
    ]
    whole = all(finite(pair) for pair in found)
    return (sum(error > most for error, most in found) if whole else math.nan), len(found)


def same_sentences(evidence: Evidence, arm: str) -> Exact:
    """The two sentences to a net to which they are a bag of words: no net may read them differently."""
    count, cases = different_sentences(evidence, arm)
    return Exact(
        **said(f"two sentences, {arm}"),
        cases=cases,
        count=count,
        unit="nets that read them differently",
        missing=lacking(evidence, arm, Sentences),
        checks=(leak_seen(evidence, arm), told_apart(evidence, arm)),
        corrected="Some nets read them differently.",
        test="error / spread above 1e-12 in float64, read after a full stop that ends both; random and trained weights",
        note="The sentences end in different words. What follows “couch” and what follows “john” differs for any net that knows "
        "its last word, so both are read after the same full stop.",
    )


def log_distance(result: JobResult) -> float:
    """The logarithm of error / spread, which scatters by factors from net to net; no less than that of rounding."""
    distance = result.value("random_stop")
    return math.log(max(distance, ROUNDING)) if math.isfinite(distance) else math.nan


def apart_sentences(recipe: Recipe, evidence: Evidence, arm: str) -> Part:
    """The two sentences to a deeper causal net, before it is trained: of the spread of other sentences."""
    arms = evidence.arm(Sentences, net="causal", depth=ARMS[arm][0], positions="none")
    return Part(
        **said(f"two sentences, {arm}"),
        effect=by_seed(log_distance, arms, test="t interval over seeds of logarithms", groups=[group(arms, "random_stop")]).exp(),
        region=at_most(recipe.seen, why=f"{recipe.seen:g} of what other words change: a reader would call them alike"),
        unit="error / spread",
        bounds=(0.0, math.inf),
        checks=(nothing_seen(evidence),),
        corrected=lambda error: f"They differ by {error.estimate:.2g} of the spread of other sentences, with random weights.",
        note="Read after a full stop that ends both, in float64, with random weights.",
    )


def any_order(evidence: Evidence, arm: str) -> Exact:
    """Texts of every task in another order."""
    results = exact_texts(evidence, arm)
    count, cases = count_above(results, "errors")
    return Exact(
        **said(f"any order, {arm}"),
        cases=cases,
        count=count,
        unit="texts that are read differently",
        missing=lacking(evidence, arm, *KINDS),
        checks=(leak_seen(evidence, arm),),
        corrected="Some texts are read differently.",
        test="error / spread above 1e-12 in float64; the last token stays; random and trained weights",
    )


def learns_order(evidence: Evidence, arm: str) -> Part:
    """Whether a deeper causal net, trained on the two sentences, tells them apart."""
    nets = evidence.arm(Sentences, net="causal", depth=ARMS[arm][0], positions="none")
    return Part(
        **said(f"learns order, {arm}", of="rival"),
        effect=by_seed(gap, nets, groups=groups(nets)),
        region=exceeds(APART, why="half of the way from a guess to certainty"),
        unit="difference of probabilities",
        bounds=(-1.0, 1.0),
        checks=(told_apart(evidence, arm),),
        corrected="It does not learn it in these steps.",
    )


def groups(nets: Arm) -> list[Group]:
    """How likely a trained net takes each of the sentences for the first."""
    return [group(nets, f"{name}_taken_for_first", name=f"{name} sentence") for name in ("first", "second")]


def position_leak(evidence: Evidence) -> Exact:
    """The positive control of everything that is exact."""
    results = [result for arm in BAGS for result in exact_texts(evidence, arm)]
    seen, cases = count_above(results, "leak_errors")
    return Exact(
        **said("position leak", of="control"),
        cases=cases,
        count=cases - seen,
        unit="texts in which it is not seen",
        missing=tuple(label for arm in BAGS for label in lacking(evidence, arm, *KINDS)),
        test="error / spread above 1e-12 in float64",
    )
