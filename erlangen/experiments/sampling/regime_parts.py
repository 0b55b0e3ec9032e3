"""Controls: are the memorizing nets in the report's regime?"""

from __future__ import annotations

from erlangen.experiments.kit.evidence import Arm, mean
from erlangen.experiments.kit.parts import Part
from erlangen.experiments.kit.wording import wording
from erlangen.experiments.sampling import CLAIMS, Recipe
from erlangen.experiments.sampling.evidence import TRAINING_LOSS, at_reference
from erlangen.experiments.sampling.guards import copying_of_the_report, loss_of_the_report


def regime_parts(recipe: Recipe, arm: Arm) -> list[Part]:
    """The training loss and what is copied, each beside the report's."""
    loss, copying = loss_of_the_report(recipe), copying_of_the_report(recipe)
    return [
        Part(
            **wording(CLAIMS, {}, "training loss", "control"),
            effect=mean(arm, TRAINING_LOSS, unit="nats per character"),
            region=loss,
            unit="nats per character, with dropout, in the last fifth of the steps",
            corrected=lambda reached: f"They reach {reached.estimate:.2f} nats per character, not {loss.center:.2f}.",
            published=loss.center,
            note=f"{arm.mean('views').estimate:.4g} views of each character.",
        ),
        Part(
            **wording(CLAIMS, {}, "copied strings", "control"),
            effect=mean(arm, at_reference("verbatim"), unit="of 1"),
            region=copying,
            unit="share of strings of 20 characters, at temperature 0.7 and top-p 0.9",
            bounds=(0.0, 1.0),
            corrected=lambda share: f"It is {share.estimate:.2f}, and of the report's samples {copying.center}.",
            published=copying.center,
            note="The report's samples are not at hand here: their share was measured before, on the samples themselves.",
        ),
    ]
