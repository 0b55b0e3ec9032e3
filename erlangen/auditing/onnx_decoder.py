"""Whether an ONNX graph of a language model shows that it is a decoder: a cache that goes in and out, or a causal mask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

CACHES = ("past", "present")  # in names of inputs and outputs
CAUSAL = ("is_causal", "unidirectional")  # attributes of nodes
COMPARED = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual")
CARRIED = ("Cast", "Unsqueeze", "Squeeze", "Expand", "Reshape", "Identity", "Add", "Sub", "Slice", "Transpose")
DEPTH = 24  # operations between a row of positions and the comparison
LEAST = 4  # positions of a mask that is stored


def shows_decoder(session: Any) -> bool:
    """Whether a session's graph shows it. Without the package `onnx`, only names of inputs and outputs can tell."""
    names = [entry.name for entry in (*session.get_inputs(), *session.get_outputs())]
    if any(word in name for name in names for word in CACHES):
        return True
    graph = read_graph(session)
    return graph is not None and has_causal_mask(graph)


def read_graph(session: Any) -> Any:
    """The graph of the file that a session was loaded from, without external data; None if it cannot be read."""
    try:
        import onnx

        path, content = getattr(session, "_model_path", None), getattr(session, "_model_bytes", None)
        if content is not None:
            return onnx.load_from_string(content).graph
        return onnx.load(str(Path(path)), load_external_data=False).graph if path else None
    except Exception:
        return None


def has_causal_mask(graph: Any) -> bool:
    """Whether a graph makes a triangle, compares positions with positions, stores a triangular mask, or calls a layer causal."""
    nodes = list(graph.node)
    if any(node.op_type == "Trilu" or says_causal(node) for node in nodes):
        return True
    makers = {name: node for node in nodes for name in node.output}
    compared = [node for node in nodes if node.op_type in COMPARED]
    if any(all(counts(name, makers, DEPTH) for name in node.input) for node in compared):
        return True
    return any(is_triangle(constant) for constant in constants(graph))


def says_causal(node: Any) -> bool:
    return any(attribute.name in CAUSAL and attribute.i == 1 for attribute in node.attribute)


def counts(name: str, makers: Mapping[str, Any], depth: int) -> bool:
    """Whether a tensor is a row of positions 0, 1, 2, ..., perhaps reshaped or shifted."""
    node = makers.get(name)
    if node is None or not depth:
        return False
    return node.op_type == "Range" or (
        node.op_type in CARRIED and any(counts(source, makers, depth - 1) for source in node.input[:2])
    )


def constants(graph: Any) -> Iterable[np.ndarray]:
    """The constants that may be a mask: square in the last two axes, and of no others."""
    from onnx import numpy_helper

    stored = [*graph.initializer, *(entry.t for node in graph.node if node.op_type == "Constant" for entry in node.attribute)]
    for tensor in stored:
        sizes = list(tensor.dims)
        square = len(sizes) >= 2 and sizes[-1] == sizes[-2] >= LEAST and all(size == 1 for size in sizes[:-2])
        if square and not tensor.external_data:
            yield numpy_helper.to_array(tensor)


def is_triangle(mask: np.ndarray) -> bool:
    """Whether the entries on and below the diagonal all differ from those above it, and both are the same everywhere."""
    square = mask.reshape(mask.shape[-2:])
    lower, upper = square[np.tril_indices(len(square))], square[np.triu_indices(len(square), 1)]
    return bool((lower == lower[0]).all() and (upper == upper[0]).all() and lower[0] != upper[0])
