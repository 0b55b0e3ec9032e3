"""What `rotation` judges: the claims, the statement of each part, and the report's words."""

from __future__ import annotations

from pathlib import Path

from erlangen.claims import statement_of
from erlangen.experiments.kit.wording import Wording, wording
from erlangen.experiments.rotation.datasets import NAMED, holds_cifar10
from erlangen.records.runs import Claim, Of

PEAKS = (90, 180, 270)

CLAIMS = (
    Claim(
        id="C9",
        statement=statement_of("C9"),
        how="The report's net (three 3×3 convolutions, each with ReLU and max pooling, then 1024 → 64 → 10; Adam, 0.001, batches "
        "of 64) learns upright images and is tested on the same test images turned by every angle. A peak is an accuracy minus "
        "the mean of those 30° to either side. Where it comes from is seen in nets trained and tested inside the inscribed "
        "disk, whose images have no corners that could be cut off.",
        parts={
            "upright": "The net is right on about 70 % of upright images.",
            "between": "On average over all other angles it is right far less often.",
            "peaks": "At some of the angles 90°, 180° and 270° it is right more often than at the angles around them.",
            **{f"peak at {angle}°": f"At {angle}°, the net is right more often than at the angles around it." for angle in PEAKS},
            "corners": "Inside a disk, less than half of the peaks at 90° and 270° is left: most of their height comes from "
            "corners.",
            "content": "Inside a disk, the peak at 180° is still there: it comes from what the images show.",
            "disk, 90° and 270°": "Inside a disk, there are no peaks at 90° and 270°.",
            "turned back": "Images that are turned back before the net sees them lose at most a quarter of what turning costs.",
            "turned back, quarter turns": "Images turned by 90°, 180° or 270° and back are classified as if never turned.",
            "published curve": "At every angle, the accuracy is within 5 points of the published one, or cannot be told from it.",
        },
    ),
    Claim(
        id="C10",
        statement=statement_of("C10"),
        how="The same net is trained on images that are turned by a new random angle in every epoch, tested after as many epochs "
        "as the net that saw upright images only, and again after longer training. It is a trade-off if upright accuracy stays "
        "lower once it has leveled off, and undertraining as far as longer training makes up for it. Group convolutions turn "
        "their filters instead of the images (Cohen & Welling, 2016).",
        parts={
            "most angles": "Training on rotated images improves the accuracy at most angles.",
            "upright cost": "It lowers the accuracy on upright images.",
            "0.48 upright": "After it, 48 % of upright images are right.",
            "trade-off": "With longer training, upright accuracy levels off and is still lower: a trade-off.",
            "undertraining": "Longer training on rotated images makes up for part of what they cost upright.",
            "flat": "After longer training on rotated images, the accuracy is nearly the same at every angle.",
            "C4, equal compute": "Over all angles, a C4 net is better than a pooled net, at equal compute.",
            "C4, equal parameters": "Over all angles, a C4 net is better than a pooled net, at equal parameters.",
            "C8, equal compute": "Over all angles, a C8 net is better than a pooled net, at equal compute.",
            "C8, equal parameters": "Over all angles, a C8 net is better than a pooled net, at equal parameters.",
            "quarter turns": "Group convolutions give the same outputs for an image turned by 90°, 180° or 270°, up to rounding.",
        },
    ),
)
_CURVE = "A CNN is not rotation invariant: ~0.7 at 0 and 360°, far lower between; larger accuracy at certain degrees."
_COST = "and costs accuracy upright (0.70 → 0.48), a trade-off."
QUOTES = {
    **dict.fromkeys(("upright", "between", "peaks"), _CURVE),
    "most angles": "Training on rotations improves most angles",
    **dict.fromkeys(("upright cost", "0.48 upright", "trade-off"), _COST),
}


def words(part: str, of: Of = "extension") -> Wording:
    """The wording of one part."""
    return wording(CLAIMS, QUOTES, part, of)


def is_cifar10(data: str) -> bool:
    """Whether images are those that the report's figures are about."""
    return data == "cifar10" or (data not in NAMED and holds_cifar10(data))


def images_title(data: str) -> str:
    """What statements and figures call the images: a folder goes by its name."""
    return "CIFAR-10" if is_cifar10(data) else "generated signs" if data == "generated" else Path(data).name


def beyond_the_report(data: str) -> str:
    """What an answer is about where the images are the user's; '' where the report's statement is judged."""
    if data in NAMED or is_cifar10(data):
        return ""
    return f"on your images ({images_title(data)}): does not judge the report's statement"
