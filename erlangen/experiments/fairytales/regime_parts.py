"""Controls: are these nets in the report's regime?"""

from __future__ import annotations

from erlangen.experiments.fairytales import Recipe
from erlangen.experiments.fairytales.evidence import COPIED_STRINGS, NATS, TRAINING_LOSS, published
from erlangen.experiments.fairytales.parts import copying_of_the_report, loss_of_the_report, part
from erlangen.experiments.kit.evidence import Arm, mean
from erlangen.experiments.kit.parts import Part


def regime_parts(recipe: Recipe, nets: Arm) -> list[Part]:
    """The training loss and what is copied, each beside the report's."""
    views, parameters, plain = (nets.mean(name).estimate for name in ("views", "parameters_a_character", "last_train_loss"))
    loss, copying = loss_of_the_report(recipe), copying_of_the_report(recipe)
    return [
        part(
            recipe,
            "training loss",
            mean(nets, TRAINING_LOSS, unit=NATS),
            f"{NATS}, with dropout, in the last fifth of the steps",
            of="control",
            region=loss,
            corrected=lambda reached: f"Scaled down, the nets reach {reached.estimate:.2f} {NATS}, not {loss.center:.2f}.",
            published=loss.center,
            note=f"{views:.4g} views and {parameters:.3g} parameters per character (the report's net: {published()['views']} and "
            f"{published()['parameters_a_character']}). Without dropout the training loss is {plain:.3g}.",
        ),
        part(
            recipe,
            "copied strings",
            mean(nets, COPIED_STRINGS, unit="of 1"),
            "share of strings of 20 characters",
            of="control",
            region=copying,
            bounds=(0.0, 1.0),
            corrected=lambda share: (
                f"Of what the nets write it is {share.estimate:.2f}, of the report's samples {copying.center}."
            ),
            published=copying.center,
            note="The report's samples are not at hand here: their share was measured before, on the samples themselves.",
        ),
    ]
