"""What the parts of claim C11 state."""

from __future__ import annotations

GROWS = "A CNN's grows by a small fixed amount a layer, a Transformer's is global"
STRUGGLES = "so CNNs struggle with long range"

PARTS = {
    "CNN, each layer": "Each layer of k×k convolutions adds k − 1 pixels to the side of a CNN's receptive field.",
    "attention, one layer": "After one layer of attention every token reads every token.",
    "20 columns, 10 layers": "A plain CNN of 10 layers, whose field has 21 columns, struggles with marks that are 20 apart.",
    "20 columns, 16 layers": "A plain CNN of 16 layers, whose field has 33 columns, struggles with marks that are 20 apart.",
    "20 columns, dilated": "A dilated CNN of 6 layers, whose field has 29 columns, struggles with marks that are 20 apart.",
    "cause: the field": "The field is the cause: of two CNNs with 6 layers and the same number of weights, the one whose field "
    "is too small never learns 14 columns, and the one with dilated kernels does.",
    "effective field": "The effective field of an untrained CNN grows with the square root of its depth.",
    "training widens it": "Training widens the effective field: that of a plain CNN of 10 layers that learned 14 columns.",
    "CNN, residual": "With residual connections, too, each layer adds k − 1 pixels.",
    "CNN, stride or dilation": "With strides of 2, or taps twice as far apart in each layer, each layer about doubles the field.",
    "attention, causal": "Through causal attention every token reads itself and every token before it, and no other.",
    "attention, window": "L layers of attention within w tokens read L (w − 1) + 1 of them: a fixed amount a layer, as in a CNN.",
    "attention, far and near": "In untrained attention, far tokens count no less than half as much as near ones.",
    "effective field, residual": "With residual connections, the effective field grows with the square root of the depth, too.",
    "effective field, trained": "Once CNNs have learned 6 columns, their effective fields grow more slowly with the depth.",
    "identical features": "Marks that no output sees together have exactly the same features at both distances.",
    "14 columns, 6 layers": "A plain CNN of 6 layers, whose field has 13 columns, never learns 14 columns.",
    "14 columns, dilated": "The same net with dilated kernels learns 14 columns in most trainings.",
    "14 columns, 10 layers": "A plain CNN of 10 layers learns 14 columns in most trainings.",
    "inside, 10 layers": "What lies inside the field is learned: a plain CNN of 10 layers and 20 columns.",
    "inside, 16 layers": "What lies inside the field is learned: a plain CNN of 16 layers and 28 columns.",
    "spread start": "A CNN that starts with a wider effective field learns farther distances, at the same theoretical field.",
    "residual, 16 columns": "Ten layers learn 16 columns in most trainings, but not with residual connections.",
    "16 columns, plain": "A plain CNN of 10 layers learns 16 columns in most trainings.",
    "16 columns, residual": "A residual CNN of 10 layers does not learn 16 columns in most trainings.",
    "attention, any distance": "One layer of attention learns the nearest and the farthest distance in most trainings.",
    "attention, nearest": "One layer of attention learns the nearest distance in most trainings.",
    "attention, farthest": "One layer of attention learns the farthest distance in most trainings.",
    "well inside": "Plain CNNs of 6, 10 and 16 layers learn 6 columns in every training.",
    "outside": "No training learns a distance at which no output sees both marks.",
    "without positions": "Attention without positions never tells the two distances apart.",
}
QUOTES = {
    "CNN, each layer": GROWS,
    "attention, one layer": GROWS,
    "20 columns, 10 layers": STRUGGLES,
    "20 columns, 16 layers": STRUGGLES,
    "20 columns, dilated": STRUGGLES,
    "cause: the field": STRUGGLES,
}
"""The report's own words, by the part that judges them."""
