"""What the parts of the claims C5, C6 and C7 state, and in whose words."""

from __future__ import annotations

HOW = {
    "C5": "The cause is judged here, in its two links; the experiment padding judges the order. The last layer's stride and "
    "padding, and the part of the map that is pooled, change the size of the map and the border apart from each other. A linear "
    "probe reads the height of the boxes, on images where it says nothing about their order. Over ten nets, the accuracy is "
    "correlated by ranks with what each theory names.",
    "C6": "The rows alone are reflected, or the columns alone. Nets are tested on new images, trained on fewer images, and "
    "trained on boxes that keep a margin from the border; with a margin of 9 pixels, reflection copies zeros alone. What is "
    "copied where is counted.",
    "C7": "The rows alone are replicated, or the columns alone, and copies have half or double strength. The two paddings are "
    "also compared at the same validation accuracy, and on boxes too far apart for a unit to see both. What is enlarged and "
    "reordered is counted.",
}
"""How each claim is measured."""

PARTS: dict[str, dict[str, str]] = {
    "C5": {
        "larger maps": "A larger last map raises the test accuracy markedly.",
        "valid 4x4 over 2x2": "Without padding, a last map of 4×4 in place of 2×2 cells raises the test accuracy markedly.",
        "sconv 7x7 over 4x4": "With one pixel of zeros, a last map of 7×7 in place of 4×4 cells raises the test accuracy "
        "markedly.",
        "sconv center 6x6 over 4x4": "With one pixel of zeros, the central 6×6 cells of a larger map in place of a map of 4×4 "
        "raise the test accuracy markedly.",
        "sconv 7x7 over 5x5": "With zeros at the border, a last map of 7×7 in place of 5×5 cells raises the test accuracy "
        "markedly.",
        "spatial information": "Where larger maps raise the accuracy, they do so by keeping more spatial information.",
        "information kept": "The features hold more of the boxes' height under fconv (6×6 cells) than under valid padding (2×2).",
        "information and accuracy": "Over these nets, the accuracy rises with how much of the height the features hold.",
        "border": "What decides is whether every weight meets every pixel, also next to the border.",
        "sconv 5x5 over 7x7": "A last map of 5×5 cells where nearly every weight meets every pixel scores far more than one of "
        "7×7 where some never do.",
        "fconv over its center": "Pooling the central 4×4 of fconv's 6×6 cells, which drops the border, lowers the accuracy "
        "markedly.",
        "sconv 8x8 over its center": "Pooling the central 6×6 of 8×8 cells, which drops the border, lowers the accuracy "
        "markedly.",
        "weights and accuracy": "Over these nets, the accuracy falls with the share of weights that never meet the boxes.",
        "height before training": "Over all nets here, the accuracy falls with how much of the height the features hold before "
        "training.",
        "shuffled heights": "A probe reads nothing from heights that are dealt to the images at random.",
    },
    "C6": {
        "reflect < fconv": "The pooled net scores less in the test under reflect padding than under fconv padding.",
        "opposite sides": "Reflection copies boxes beyond the opposite side of the image.",
        "overfit": "Under reflect padding the net overfits a pattern of the training images.",
        "overfit: new images": "Under reflect padding the net scores less on new images, with the heights of the training, than "
        "on its training images.",
        "overfit: columns": "Reflection of the columns alone forms the pattern too, and lowers the test accuracy markedly.",
        "overfit: more images": "The test accuracy under reflect padding rises markedly from few training images to many.",
        "rows": "Reflection of the rows alone lowers the test accuracy markedly.",
        "height at the border": "The features hold more of the height if the rows are reflected than if the columns are.",
        "margin": "The test accuracy under reflect padding rises markedly once the boxes keep a margin of 9 pixels from the "
        "border.",
        "zeros in a margin of 9": "With a margin of 9 pixels around the boxes, reflect padding is zero padding: the same logits, "
        "to the last bit.",
    },
    "C7": {
        "replicate > fconv": "The pooled net scores more in the test under replicate padding than under fconv padding.",
        "magnifies": "The magnification of boxes at the border raises the test accuracy.",
        "magnifies: rows": "Replication of the rows alone raises the test accuracy.",
        "magnifies: columns": "Replication of the columns alone raises the test accuracy.",
        "magnifies: more": "Copies at double strength raise the test accuracy further.",
        "without reordering": "Replication never changes the order of the boxes.",
        "column at the border": "The features hold more of the red box's column if the columns are replicated than under fconv.",
        "far boxes": "Replication of the columns alone raises the accuracy on boxes that no unit of the last map sees together.",
        "rows give the height away": "The features hold more of the boxes' height if the rows are replicated than under fconv.",
        "equal fit": "At the same validation accuracy, replicate padding scores no more than fconv padding.",
        "zeros away from the border": "On images whose boxes are away from the border, replicate padding is zero padding: "
        "the same logits, to the last bit.",
    },
}

_MAPS = "because larger maps keep more spatial information"
_PATTERN = "the reflection forms a pattern to overfit."
_MAGNIFIES = "because it magnifies without reordering."
QUOTES = {
    **dict.fromkeys(list(PARTS["C5"])[:8], _MAPS),
    "reflect < fconv": "reflect < fconv",
    "opposite sides": "boxes are reflected to the opposite sides",
    **{part: _PATTERN for part in PARTS["C6"] if part.startswith("overfit")},
    "replicate > fconv": "replicate > fconv",
    **{part: _MAGNIFIES for part in PARTS["C7"] if part.startswith("magnifies") or part == "without reordering"},
}
"""The report's own words, by the part that judges them."""

RIVALS = ("border", "sconv 5x5 over 7x7", "fconv over its center", "sconv 8x8 over its center", "weights and accuracy")
"""Parts that state what Kayhan & van Gemert (CVPR 2020) did."""

CONTROLS = ("shuffled heights", "zeros in a margin of 9", "zeros away from the border")
