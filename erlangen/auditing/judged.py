"""Which of several tensors that a model returns are judged: all that hold numbers, with a part for each input, but for caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from erlangen.auditing.calling import is_real, main_tensor, select_tensor
from erlangen.auditing.choice import Choice
from erlangen.auditing.containers import tensors_of
from erlangen.auditing.domain import Domain
from erlangen.auditing.model import Model

CACHES = ("past_key_value", "cache", "mems")  # in names of what a decoder keeps for its next call
INNER = ("hidden_states", "attentions", "router_logits")  # in names of what a library's model shows of its inside
MOST = 16  # outputs that are judged


def choose_outputs(model: Model, inputs: Sequence[Any], domain: Domain, wanted: Sequence[str] = ()) -> Choice:
    """The outputs to judge, by one call with a single input and one with two, as far as the model takes two.

    wanted: names of outputs that the user declared, which are judged whatever they are called and hold.
    """
    returned: list[Any] = []
    seen = replace(model, select=lambda output: returned.append(output) or select_tensor(output, None))  # type: ignore[func-returns-value]
    batches = [list(inputs[:1])]
    seen.once(batches[0])
    if isinstance(returned[0], Tensor) or len(tensors_of(returned[0])) < 2:
        return Choice()
    if model.fixed_batch is None:
        other = next((x for x in inputs[1:] if model.key(x) == model.key(inputs[0])), inputs[0])
        batches += [[inputs[0], other]] if model.adapter.separates_inputs else []
        seen.once(batches[-1])
    main = next(name for name, tensor in tensors_of(returned[0]).items() if tensor is main_tensor(returned[0]))
    return choose(model, domain, main, [tensors_of(output) for output in returned], batches, wanted)


def choose(
    model: Model,
    domain: Domain,
    main: str,
    calls: Sequence[Mapping[str, Tensor]],
    batches: Sequence[Sequence[Any]],
    wanted: Sequence[str] = (),
) -> Choice:
    """main: the name of the output that is judged in any case. calls: what the model returned for each of the batches."""
    names, left_out = [main], dict[str, str]()
    for name, tensor in calls[0].items():
        if name == main:
            continue
        parts = [call.get(name) for call in calls]
        why = None if name in wanted else reason_by_kind(name, tensor)
        why = why or reason_by_shape(model, domain, parts, batches, name in wanted)
        if why is None and len(names) >= MOST and name not in wanted:
            why = f"beyond the first {MOST}"
        if why is None:
            names.append(name)
        else:
            left_out[name.partition(".")[0] if is_inner(name) else name] = why
    return Choice(tuple(names), left_out)


def is_inner(name: str) -> bool:
    return any(word in name for word in (*CACHES, *INNER))


def reason_by_kind(name: str, tensor: Tensor) -> str | None:
    """Why a tensor is not judged, by its name and dtype; None if these do not speak against it."""
    if any(word in name for word in CACHES):
        return "a cache"
    if any(word in name for word in INNER):
        return "of inner layers"
    if is_real(tensor):
        return None
    return "a mask" if tensor.dtype == torch.bool else "integers: ids or a mask"


def reason_by_shape(
    model: Model, domain: Domain, parts: Sequence[Tensor | None], batches: Sequence[Sequence[Any]], wanted: bool
) -> str | None:
    """The same by its shape in two calls. wanted: whether numbers for each pair of positions are judged, too."""
    firsts = [first_row(model, part, batch) for part, batch in zip(parts, batches, strict=False)]
    if any(row is None for row in firsts):
        single = all(part is not None and part.ndim == 0 for part in parts)
        return "one value for the whole batch" if single else "no part for each input"
    if len({row.shape for row in firsts if row is not None}) > 1:
        return "its shape depends on the batch"
    pairwise = not wanted and is_pairwise(firsts[0], positions_of(domain, batches[0][0]))
    return "a number for each pair of positions" if pairwise else None


def first_row(model: Model, part: Tensor | None, batch: Sequence[Any]) -> Tensor | None:
    """The part of an output that belongs to the first input of a call; None if there is none, or if it is empty."""
    filled = [*batch, *[batch[-1]] * ((model.fixed_batch or len(batch)) - len(batch))]
    try:
        row = model.adapter.split(part, filled)[0] if part is not None else None
    except Exception:
        return None
    return row if row is not None and row.numel() else None


def positions_of(domain: Domain, x: Any) -> int:
    """How many tokens, nodes, points or steps an input has; 0 for an image."""
    if not isinstance(x, Tensor):
        return len(x)
    return next((size for size, axis in zip(x.shape, domain.axes, strict=True) if axis in ("T", "N")), 0)


def is_pairwise(y: Tensor | None, positions: int) -> bool:
    """Whether the last two axes of an output are both as long as the input, as those of attention weights are."""
    return y is not None and y.ndim >= 2 and positions > 1 and y.shape[-2:] == (positions, positions)
