"""What an ONNX graph says of causality: a triangle made or stored, positions compared with positions, a cache, an attribute."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from erlangen.auditing.onnx_decoder import has_causal_mask, is_triangle, shows_decoder

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

FLOATS, IDS = TensorProto.FLOAT, TensorProto.INT64


def graph(*nodes: Any, stored: tuple[Any, ...] = ()) -> Any:
    entry = helper.make_tensor_value_info("x", FLOATS, ["b", "t"])
    return helper.make_graph(list(nodes), "g", [entry], [helper.make_tensor_value_info("y", FLOATS, ["b", "t"])], list(stored))


def compared(left: str, right: str, kind: str = "LessOrEqual") -> Any:
    return graph(
        helper.make_node("Range", ["zero", "length", "one"], ["places"]),
        helper.make_node("Unsqueeze", ["places", "axis"], ["column"]),
        helper.make_node("Add", ["places", "start"], ["shifted"]),
        helper.make_node(kind, [left, right], ["y"]),
    )


def constant(array: np.ndarray) -> Any:
    return graph(helper.make_node("Identity", ["x"], ["y"]), stored=(numpy_helper.from_array(array, "mask"),))


LOWER = np.tril(np.ones((6, 6)))
DECODERS = {
    "a triangle is made": graph(helper.make_node("Trilu", ["x"], ["y"], upper=0)),
    "positions against positions": compared("column", "places"),
    "the other way": compared("places", "column", "Greater"),
    "shifted positions": compared("column", "shifted", "Less"),
    "stored": constant(LOWER.astype(bool)[None, None]),
    "stored, with -inf": constant(np.where(LOWER > 0, 0, -np.inf).astype(np.float32)),
    "an attribute": graph(helper.make_node("Attention", ["x"], ["y"], domain="com.microsoft", unidirectional=1)),
}
OTHERS = {
    "positions against a number": compared("column", "zero", "GreaterOrEqual"),
    "a number against positions": compared("length", "places", "Less"),
    "weights": constant(np.random.default_rng(0).standard_normal((6, 6)).astype(np.float32)),
    "ones": constant(np.ones((6, 6), dtype=bool)),
    "an identity": constant(np.eye(6, dtype=np.float32)),
    "a lower triangle of weights": constant(np.tril(np.random.default_rng(0).standard_normal((6, 6))).astype(np.float32)),
    "both directions": graph(helper.make_node("Attention", ["x"], ["y"], domain="com.microsoft", unidirectional=0)),
}


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_shows(name: str) -> None:
    assert has_causal_mask(DECODERS[name])


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_else_looks_like_one(name: str) -> None:
    assert not has_causal_mask(OTHERS[name])


def test_a_triangle_has_two_values() -> None:
    assert is_triangle(LOWER)
    assert is_triangle(1 - LOWER)
    holed = LOWER.copy()
    holed[4, 1] = 0
    assert not is_triangle(holed)


def session(inputs: list[str], outputs: list[str], path: Path | None = None) -> Any:
    entries = [[SimpleNamespace(name=name) for name in names] for names in (inputs, outputs)]
    return SimpleNamespace(get_inputs=lambda: entries[0], get_outputs=lambda: entries[1], _model_path=path)


def test_a_cache_shows_and_a_file_that_cannot_be_read_does_not(tmp_path: Path) -> None:
    assert shows_decoder(session(["ids", "past_key_values.0.key"], ["logits"]))
    assert shows_decoder(session(["ids"], ["logits", "present.0.key"]))
    assert not shows_decoder(session(["ids"], ["logits"]))
    assert not shows_decoder(session(["ids"], ["logits"], tmp_path / "none.onnx"))
    path = tmp_path / "decoder.onnx"
    onnx.save(helper.make_model(DECODERS["positions against positions"]), str(path))
    assert shows_decoder(session(["ids"], ["logits"], path))
