"""What the measurements say of the claim: supported, refuted or inconclusive, and one sentence to quote."""

from erlangen.experiments.kit import Answer, Evidence, Part, Verdict, answer, decide, difference, exceeds

from . import Recipe
from .tasks import ORDERS, Train


def verdicts(recipe: Recipe, evidence: Evidence) -> list[Verdict]:
    in_order, as_drawn = (evidence.arm(Train, order=order) for order in ORDERS)
    part = Part(
        claim="SORT",
        part="new sets",
        of="claim",  # the statement is the claim's own
        statement="A network classifies new sets more accurately if they are sorted.",
        effect=difference(in_order, as_drawn, "test_accuracy", unit="%"),
        region=exceeds(recipe.edge, why=f"a gain of {recipe.edge:g} points or less would not be worth the sorting"),
        unit="points of accuracy",
        untrained=in_order.below("train_accuracy", recipe.fit) + as_drawn.below("train_accuracy", recipe.fit),
    )
    return decide([part])


def answers(recipe: Recipe, evidence: Evidence, verdicts: list[Verdict]) -> list[Answer]:
    in_order, as_drawn = (evidence.arm(Train, order=order).mean("test_accuracy").estimate for order in ORDERS)
    sentence = f"Networks classify {in_order:.1f} % of new sets correctly if they are sorted, {as_drawn:.1f} % as drawn."
    return [answer("SORT", verdicts, sentence, figure="accuracy")]
