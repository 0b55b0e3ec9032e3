"""What to do about a judgment, in a sentence."""

from __future__ import annotations

from erlangen.records.audit import Checked

BROKEN = {
    "repeat": "Call model.eval(), and seed or remove what draws random numbers in forward; state kept between calls does it too.",
    "batch-composition": "Call model.eval() if batch normalization still trains; else look for a sum, maximum or norm over the "
    "batch, or, in a graph network, for a layer that wants the `batch` vector.",
    "translation": "Zero padding and strides tell a network where it is: blur before strides, pool globally.",
    "translation-zeros": "Strides and flattening tell where a thing is: blur before strides, pool globally.",
    "translation-crop": "Blur before you subsample, and train with random crops.",
    "translation-subpixel": "Sampling below the bandwidth aliases: blur before each stride, and prefer smooth activations.",
    "quarter-turns": "Train with turned images, average over the four turns, or use group convolutions.",
    "rotation": "Train with turned images, or use steerable or group convolutions.",
    "reflection": "Train with mirrored images, or average over both: unless left and right mean something here.",
    "scale": "Train at several scales.",
    "intensity": "Normalize each input by its own mean and deviation, or train with changed brightness and contrast.",
    "channel-permutation": "Channels mean something to most models: expected, unless yours is to treat them alike.",
    "causality": "A position sees what comes after it: the layer named has no causal mask, or its mask or shift is one off.",
    "token-permutation": "Positions or a causal mask tell the order: expected of a language model, a fault of a set model.",
    "prefix-shift": "Absolute positions or attention to the prefix: expected of most Transformers.",
    "position-shift": "Absolute positions: use rotary or other relative ones if answers must not depend on where a text starts.",
    "left-padding": "Pass position_ids counted from the first real token, and a mask that every layer obeys; or pad right.",
    "node-permutation": "The answer depends on how nodes are numbered: look for a layer that reads rows in order, or "
    "for ties broken by order.",
    "edge-order": "The answer depends on how edges are listed: look for an aggregation that reads them in order (LSTM).",
    "isolated-node": "A node without edges changes the others: normalization or attention over all nodes does that.",
    "point-permutation": "The answer depends on the order of points: pool over them symmetrically.",
    "point-rotation": "Use invariant features (distances, angles) or equivariant layers, or train with rotations.",
    "point-translation": "Subtract the center of each cloud first.",
    "time-shift": "Pad circularly if the signal is periodic, pool over time.",
    "time-shift-zeros": "Strides and flattening tell when a thing happens: pool over time.",
}  # fmt: skip


def advice(checked: Checked, domain: str) -> str:
    """'' where nothing has to be done."""
    if checked.judgment == "broken":
        return BROKEN.get(checked.name, "")
    if checked.judgment == "undecided":
        if checked.loss > checked.threshold:
            return "Give smooth inputs (natural images, larger than the object), or judge by the exact elements alone."
        return "Give more inputs, or draw more elements."
    if checked.judgment == "not measured":
        if "repeat itself" in checked.reason:
            return BROKEN["repeat"]
        if "NaN" in checked.reason:
            return "Find where the model first gives NaN; an audit of NaN says nothing."
        if "does not vary" in checked.reason:
            return "A constant output keeps every symmetry: give inputs that it tells apart, or choose another part with select=."
        if "nothing moved" in checked.reason:
            return "Give inputs that the symmetry changes."
        if "at least two" in checked.reason:
            return "Give at least two inputs."
    return ""
