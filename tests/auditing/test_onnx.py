"""ONNX graphs by name: several inputs, constants, states, outputs, integers, named axes, a fixed batch; and TorchScript files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import erlangen
from erlangen.auditing.calling import ModelError
from erlangen.auditing.inputs import generated
from erlangen.auditing.loading import load_model
from erlangen.auditing.onnx import load_session, matching_states, session_function, to_numpy
from erlangen.auditing.part import NamedOutputs, Part

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
SERIES = torch.randn(6, 2, 16, generator=torch.Generator().manual_seed(0))
TYPES = {"float": 1, "uint8": 2, "int8": 3, "int64": 7}


def value(name: str, kind: str, *shape: int | str) -> Any:
    return onnx.helper.make_tensor_value_info(name, TYPES[kind], list(shape))


def written(path: Path, inputs: list[Any], outputs: list[Any], nodes: list[tuple[Any, ...]], constants: dict[str, Any]) -> Path:
    """A graph in a file. nodes: (operation, inputs, outputs, attributes)."""
    made = [onnx.helper.make_node(kind, takes, gives, **options) for kind, takes, gives, options in nodes]
    tensors = [onnx.numpy_helper.from_array(tensor.numpy(), name) for name, tensor in constants.items()]
    graph = onnx.helper.make_graph(made, "graph", inputs, outputs, initializer=tensors)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """A voice detector: x (B, 2, T), a rate, a state h (1, B, 2) and c (1, B, 2) -> p (B, 1) and the states; leaks no time."""
    inputs = [value("x", "float", "batch", 2, "time"), value("rate", "int64"), *(value(n, "float", 1, "batch", 2) for n in "hc")]
    outputs = [*(value(n, "float", 1, "batch", 2) for n in ("hn", "cn")), value("p", "float", "batch", 2)]
    nodes = [
        ("ReduceMean", ["x"], ["m"], {"axes": [2], "keepdims": 0}),
        ("Add", ["h", "c"], ["s"], {}),
        ("Squeeze", ["s", "zero"], ["s2"], {}),
        ("Cast", ["rate"], ["r"], {"to": 1}),
        ("Mul", ["m", "r"], ["mr"], {}),
        ("Add", ["mr", "s2"], ["p"], {}),
        ("Add", ["h", "one"], ["hn"], {}),
        ("Identity", ["c"], ["cn"], {}),
    ]
    return written(tmp_path / "vad.onnx", inputs, outputs, nodes, {"zero": torch.tensor([0]), "one": torch.tensor(1.0)})


def test_a_state_goes_in_and_is_reset_and_a_constant_is_given(detector: Path) -> None:
    found = erlangen.audit(load_session(detector), SERIES, "time-shift", domain="series", arguments={"rate": 3}, only_exact=True)
    assert {check.name: check.judgment for check in found.checks if check.name != "batch-size"} == {
        "repeat": "exact", "batch-composition": "exact", "time-shift": "exact",
    }  # fmt: skip
    assert found.output == "2"
    y = session_function(load_session(detector), {"rate": 3})(SERIES)
    assert torch.allclose(y, 3 * SERIES.mean(2))  # states of zeros, in the shape of this batch
    assert isinstance(y, Tensor)  # the only output that is no state


def test_states_and_outputs_may_be_named(detector: Path) -> None:
    session = load_session(detector)
    assert isinstance(session_function(session, {"rate": 1, "c": "zeros"}, {"h": "hn"})(SERIES), Tensor)  # cn is a state, too
    y = session_function(session, {"rate": 1, "c": "ones"}, {"h": "cn"})(SERIES)
    assert isinstance(y, NamedOutputs)
    assert y.names == ("hn", "p")
    assert torch.allclose(Part("p")(y), SERIES.mean(2) + 1)
    assert torch.equal(Part("0")(y), y[0])
    with pytest.raises(ModelError, match="no 'q' to select; it returns hn, p"):
        Part("q")(y)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"arguments": {"rat": 1}}, "no input 'rat'; it has x, rate, h, c"),
        ({"state": {"h": "no"}}, "no output 'no'; it has hn, cn, p"),
        ({}, r"also needs rate: give it with arguments={'rate': VALUE}.*; name a state with state={'rate': OUTPUT}"),
    ],
)
def test_what_a_graph_lacks_is_named_with_what_it_has(options: dict[str, Any], words: str, detector: Path) -> None:
    with pytest.raises(ModelError, match=words):
        erlangen.audit(load_session(detector), SERIES, "time-shift", domain="series", **options)


def test_too_many_tensors_are_counted(detector: Path) -> None:
    with pytest.raises(ModelError, match=r"takes 1 inputs here, but 2 were given; its inputs are x \['batch', 2, 'time'\], rate"):
        session_function(load_session(detector), {"rate": 3})(SERIES, SERIES)


@pytest.mark.parametrize(
    ("inputs", "outputs", "states"),
    [
        (["h", "c"], ["hn", "cn"], {"h": "hn", "c": "cn"}),
        (["h0", "c0"], ["y", "hn", "cn"], {"h0": "hn", "c0": "cn"}),
        (["state"], ["output", "stateN"], {"state": "stateN"}),
        (["cache_in", "mask"], ["y", "cache_out"], {"cache_in": "cache_out"}),
        (["past_key_values.0.key"], ["logits", "present.0.key"], {"past_key_values.0.key": "present.0.key"}),
        (["attention_mask", "token_type_ids"], ["logits"], {}),
        (["x2"], ["y"], {}),
    ],
)
def test_states_are_found_by_their_names(inputs: list[str], outputs: list[str], states: dict[str, str]) -> None:
    assert matching_states(inputs, outputs) == states


def test_texts_find_a_graphs_mask_by_its_name(tmp_path: Path) -> None:
    """Also where the graph lists the mask first by position: ids are what is left."""
    ids, mask = value("input_ids", "int64", "batch", "sequence"), value("attention_mask", "int64", "batch", "sequence")
    types = value("token_type_ids", "int64", "batch", "sequence")
    nodes = [
        ("Mul", ["input_ids", "attention_mask"], ["a"], {}),
        ("Add", ["a", "token_type_ids"], ["b"], {}),
        ("Cast", ["b"], ["f"], {"to": 1}),
        ("Unsqueeze", ["f", "axis"], ["y"], {}),
    ]
    output = [value("y", "float", "batch", "sequence", 1)]
    path = written(tmp_path / "text.onnx", [mask, ids, types], output, nodes, {"axis": torch.tensor([2])})
    arguments = {"attention_mask": "ones", "token_type_ids": "zeros"}
    found = erlangen.audit(
        load_session(path), generated("texts", (6,), 6, 20), ["causality", "left-padding"], arguments=arguments, only_exact=True
    )
    assert {check.name: check.judgment for check in found.checks if check.kind == "symmetry"} == {
        "causality": "exact", "left-padding": "exact",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["uint8", "int8"])
def test_graphs_of_integers(kind: str, tmp_path: Path) -> None:
    image = value("x", kind, "batch", 1, "height", "width")
    nodes = [("Cast", ["x"], ["f"], {"to": 1}), ("ReduceMean", ["f"], ["y"], {"axes": [2, 3], "keepdims": 0})]
    path = written(tmp_path / "bytes.onnx", [image], [value("y", "float", "batch", 1)], nodes, {})
    pixels = torch.randint(0, 100, (6, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    pixels[:, :, :3] += torch.arange(6)[:, None, None, None] * 20 if kind == "uint8" else 0
    given = pixels.to(torch.uint8) if kind == "uint8" else pixels.float()
    found = erlangen.audit(load_session(path), given, "translation", only_exact=True, where=False)
    assert found.checks[-1].judgment == "exact"
    assert torch.equal(
        session_function(load_session(path))(given[:2] / (255 if kind == "uint8" else 1)), given[:2].float().mean((2, 3))
    )


def test_bytes_go_in_as_they_were_read() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(torch.from_numpy(to_numpy(pixels.float() / 255, "tensor(uint8)")), pixels)
    assert torch.equal(torch.from_numpy(to_numpy(pixels, "tensor(uint8)")), pixels)
    assert to_numpy(torch.tensor([1.6, -1.6]), "tensor(int8)").tolist() == [2, -2]


def test_channels_last_as_tensorflow_exports_them(tmp_path: Path) -> None:
    image = value("x", "float", "batch", 8, 8, 3)
    nodes = [("ReduceMean", ["x"], ["y"], {"axes": [1, 2], "keepdims": 0})]
    path = written(tmp_path / "last.onnx", [image], [value("y", "float", "batch", 3)], nodes, {})
    images = torch.randn(5, 8, 8, 3, generator=torch.Generator().manual_seed(0))
    found = erlangen.audit(load_session(path), images, ["translation", "channel-permutation"], only_exact=True, where=False)
    assert [check.judgment for check in found.checks[-2:]] == ["exact", "broken"]


def test_a_batch_of_one_in_the_graph(tmp_path: Path) -> None:
    image = value("x", "float", 1, 1, 8, 8)
    nodes = [("ReduceMean", ["x"], ["y"], {"axes": [2, 3], "keepdims": 0})]
    path = written(tmp_path / "one.onnx", [image], [value("y", "float", 1, 1)], nodes, {})
    found = erlangen.audit(load_session(path), torch.randn(5, 1, 8, 8), "translation", only_exact=True)
    judgments = {check.name: check.judgment for check in found.checks}
    assert (judgments["batch-composition"], judgments["translation"]) == ("not measured", "exact")


# --- TorchScript --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pt", ".ts", ".jit", ".torchscript"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_files(suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1, padding_mode="circular"), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    torch.jit.trace(module, torch.randn(2, 1, 8, 8)).save(str(tmp_path / f"net{suffix}"))
    model, inputs = load_model(str(tmp_path / f"net{suffix}"))
    assert inputs is None
    found = erlangen.audit(model, torch.randn(5, 1, 8, 8), "translation", only_exact=True)
    assert found.checks[-1].judgment == "exact"
    assert "TorchScript" in found.twin


def test_a_file_of_weights_is_not_a_model(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ModelError, match=r"weights\.pt is not TorchScript .* for a file of weights, name a function"):
        load_model(str(tmp_path / "weights.pt"))
