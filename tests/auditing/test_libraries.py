"""Models of the libraries that people use, built tiny with random weights, called as their users call them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.torchvision_ops import declare_torchvision_ops
from torch import nn

import erlangen
from erlangen.auditing.calling import ModelError, select_tensor
from erlangen.auditing.domains.texts import adapter as texts
from erlangen.auditing.inputs import generated
from erlangen.auditing.loading import load_model
from erlangen.auditing.onnx import load_session
from erlangen.auditing.reading import load_inputs
from erlangen.auditing.request import AuditRequest
from erlangen.errors import ErlangenError
from erlangen.records.audit import Checked
from erlangen.symmetries.left_padding import LeftPadding

IMAGES = torch.stack(generated("images", (3, 32, 32), 8)) + torch.linspace(0, 1, 8)[:, None, None, None]  # of unlike brightness
TEXTS = generated("texts", (8,), 4, vocabulary=40)
GRAPHS = [generated("graphs", (nodes, 4), 1, seed=nodes)[0] for nodes in (7, 8, 9, 10)]
SHAPE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def judged(model: Any, inputs: Any, names: list[Any], **more: Any) -> dict[str, Checked]:
    found = erlangen.audit(model, inputs, names, elements=2, where=False, **more)
    return {check.name: check for check in found.checks}


def timm_model(name: str, **arguments: Any) -> nn.Module:
    declare_torchvision_ops()
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    return timm.create_model(name, **arguments).eval()


def test_timm_classifier_pools_what_zero_padding_breaks() -> None:
    model = timm_model("test_resnet", num_classes=3, zero_init_last=False)
    found = judged(model, IMAGES, ["translation"])
    assert found["batch-composition"].judgment == "exact"
    assert found["translation"].judgment == "broken"


def test_timm_vit_tokens_lie_on_their_grid() -> None:
    """Without positions, a ViT's tokens move along with whole patches, its class token stays: exactly."""
    shape = {"img_size": 32, "patch_size": 8, "depth": 1, "embed_dim": 24, "num_heads": 2}
    model = timm_model("vit_tiny_patch16_224", **shape, num_classes=0, global_pool="")  # all tokens
    with torch.no_grad():
        model.pos_embed.normal_()
    assert judged(model, IMAGES, ["translation"])["translation"].judgment == "broken"
    with torch.no_grad():
        model.pos_embed.zero_()
    found = erlangen.audit(model, IMAGES, ["translation"], elements=2)
    assert found.output == "17 × 24"
    assert found.checks[-1].judgment == "exact"


def test_timm_features_only_gives_maps_one_of_which_is_chosen() -> None:
    model = timm_model("test_resnet", features_only=True, out_indices=(0, 1))
    first = erlangen.audit(model, IMAGES, ["reflection"], elements=2, where=False)
    second = erlangen.audit(model, IMAGES, ["reflection"], elements=2, where=False, select=lambda maps: maps[1])
    sizes = [tuple(map(int, found.output.split(" × "))) for found in (first, second)]
    with torch.no_grad():
        assert sizes == [tuple(y.shape[1:]) for y in model(IMAGES)]
    assert second.checks[-1].judgment == "broken"


def transformers() -> Any:
    declare_torchvision_ops()
    return pytest.importorskip("transformers")


def test_hugging_face_vision_answers_with_logits() -> None:
    library = transformers()
    torch.manual_seed(0)
    config = library.ViTConfig(image_size=32, patch_size=8, num_labels=3, **SHAPE)
    found = erlangen.audit(library.ViTForImageClassification(config).eval(), IMAGES, ["translation"], elements=2, where=False)
    assert found.output == "3"
    assert found.twin == "float64"
    assert [check.judgment for check in found.checks] == ["exact", "exact", "exact", "broken"]


KEPT, LOST, NONE = "exact", "broken", "not measured"
CAUSAL = {  # positions moved by a constant, left padding under a mask alone
    "GPT2LMHeadModel": (LOST, LOST),
    "LlamaForCausalLM": (KEPT, KEPT),
    "MistralForCausalLM": (KEPT, KEPT),
    "BloomForCausalLM": (NONE, KEPT),  # takes no positions: ALiBi
}


def language_model(library: Any, name: str) -> nn.Module:
    torch.manual_seed(0)
    kind = getattr(library, name)
    heads = {"num_key_value_heads": 2} if name.startswith("Mi") else {}
    return kind(kind.config_class(vocab_size=40, bos_token_id=1, eos_token_id=2, **SHAPE, **heads)).eval()


@pytest.mark.parametrize("name", CAUSAL)
def test_hugging_face_language_models(name: str) -> None:
    model = language_model(transformers(), name)
    found = judged(model, TEXTS, ["causality", "position-shift", "left-padding"])
    assert found["causality"].judgment == found["batch-composition"].judgment == KEPT
    assert (found["position-shift"].judgment, found["left-padding"].judgment) == CAUSAL[name]
    assert found["causality"].precision == "in float64"


def test_a_model_without_a_float64_kernel_is_judged_in_its_own_precision() -> None:
    """Mixtral's experts multiply by torch._grouped_mm, which has none."""
    found = judged(language_model(transformers(), "MixtralForCausalLM"), TEXTS, ["causality"])
    assert found["causality"].judgment == KEPT
    assert "own precision" in found["causality"].precision


def test_positions_make_left_padding_of_gpt2_exact() -> None:
    model = language_model(transformers(), "GPT2LMHeadModel")
    assert judged(model, TEXTS, [LeftPadding(positions=True)])["left-padding-positions"].judgment == KEPT


def test_logits_are_taken_before_the_hidden_state_and_no_cache_is_asked_for() -> None:
    library = transformers()
    model = language_model(library, "LlamaForCausalLM")
    assert texts(model).extra == (("use_cache", False),)
    ids = torch.stack([text.ids for text in TEXTS])
    for part, width in ((model, 40), (model.model, 16)):
        adapter = texts(part)
        args, named = adapter.collate(TEXTS)
        with torch.no_grad():
            output = part(*args, **named)
            first = next(iter(part(ids, use_cache=False, return_dict=False)))
        assert output.past_key_values is None
        assert torch.equal(torch.stack(adapter.split(select_tensor(output, None), TEXTS)), first)
        assert first.shape[-1] == width


def test_pytorch_geometric_at_nodes_graphs_and_whole_data() -> None:
    pyg = pytest.importorskip("torch_geometric")
    torch.manual_seed(0)
    conv, head = pyg.nn.GCNConv(4, 5), nn.Linear(5, 3)

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = conv, head

        def forward(self, x: Any, edge_index: Any, batch: Any) -> Any:
            return self.head(pyg.nn.global_mean_pool(self.conv(x, edge_index), batch))

    class OfData(Pooled):
        def forward(self, data: Any) -> Any:  # type: ignore[override]
            return super().forward(data.x, data.edge_index, data.batch)

    names = ["node-permutation", "edge-order", "isolated-node"]
    nodes = erlangen.audit(conv, GRAPHS, names, elements=2, where=False)
    assert nodes.output == "7 × 5"
    assert [check.judgment for check in nodes.checks[1:]] == [KEPT] * 5
    data = [pyg.data.Data(x=graph.x, edge_index=graph.edge_index) for graph in GRAPHS]
    for model, inputs in ((Pooled(), GRAPHS), (OfData(), GRAPHS), (OfData(), data)):
        pooled = erlangen.audit(model, inputs, names, elements=2, where=False)
        assert pooled.output == "3"
        assert [check.judgment for check in pooled.checks[1:]] == [KEPT, KEPT, KEPT, KEPT, NONE]


def exported(path: Path, batch: int | str) -> tuple[nn.Module, Path]:
    """A circular convolution as a graph, written with onnx.helper: it needs no exporter."""
    onnx = pytest.importorskip("onnx")
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")
    model = nn.Sequential(layer, nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    h, of = onnx.helper, onnx.TensorProto
    constants = [
        h.make_tensor("w", of.FLOAT, list(layer.weight.shape), layer.weight.detach().numpy().flatten()),
        h.make_tensor("b", of.FLOAT, [4], layer.bias.detach().numpy()),
        h.make_tensor("pads", of.INT64, [8], [0, 0, 1, 1, 0, 0, 1, 1]),
    ]
    steps = [
        h.make_node("Pad", ["x", "pads"], ["padded"], mode="wrap"),
        h.make_node("Conv", ["padded", "w", "b"], ["map"]),
        h.make_node("Tanh", ["map"], ["bent"]),
        h.make_node("GlobalAveragePool", ["bent"], ["pooled"]),
        h.make_node("Flatten", ["pooled"], ["y"]),
    ]
    graph = h.make_graph(
        steps,
        "circular",
        [h.make_tensor_value_info("x", of.FLOAT, [batch, 3, 32, 32])],
        [h.make_tensor_value_info("y", of.FLOAT, [batch, 4])],
        constants,
    )
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 19)], ir_version=9), path)
    return model, path


@pytest.mark.parametrize("batch", ["batch", 4, 2, 1])
def test_onnx_graphs_with_a_fixed_and_with_any_batch(tmp_path: Path, batch: int | str) -> None:
    pytest.importorskip("onnxruntime")
    model, path = exported(tmp_path / "model.onnx", batch)
    session, nothing = load_model(str(path))
    assert nothing is None
    images = (
        torch.stack(generated("images", (3, 32, 32), 7)) + torch.linspace(0, 1, 7)[:, None, None, None]
    )  # 7: no whole batches
    found = erlangen.audit(session, images, ["translation", "reflection"], elements=2)
    assert found.model == "ONNX session"
    assert "no torch module" in found.twin
    own = {check.name: check for check in erlangen.audit(model, images, ["translation", "reflection"], elements=2).checks}
    for check in found.checks:
        alone = check.name == "batch-composition" and batch == 1  # no neighbors to speak of
        alone = alone or (check.name == "batch-size" and batch != "batch")  # a single size
        assert check.judgment == ("not measured" if alone else own[check.name].judgment)
    assert abs(found.checks[-1].error / own["reflection"].error - 1) < 1e-3


@pytest.mark.parametrize("dynamic", [True, False])
def test_onnx_as_torch_exports_it(tmp_path: Path, dynamic: bool) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular"), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    axes = {"x": {0: "batch"}} if dynamic else None
    path = tmp_path / "model.onnx"
    torch.onnx.export(model.eval(), (IMAGES[:4],), str(path), input_names=["x"], dynamic_axes=axes, dynamo=False)
    session = load_session(path)
    found = judged(session, IMAGES[:6], ["translation"])
    assert (session.get_inputs()[0].shape[0] == 4) is not dynamic
    assert [found[name].judgment for name in ("batch-composition", "translation")] == [KEPT, KEPT]


def one_line(error: BaseException, *words: str) -> None:
    assert "\n" not in str(error)
    assert all(word in str(error) for word in words), str(error)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a library look as if it were not installed."""
    return lambda name: monkeypatch.setitem(sys.modules, name, None)


def test_what_is_not_installed_is_named_on_one_line(without: Callable[[str], None], tmp_path: Path) -> None:
    without("onnxruntime")
    with pytest.raises(ModelError) as raised:
        load_session(tmp_path / "model.onnx")
    one_line(raised.value, "pip install onnxruntime")
    without("PIL")
    (tmp_path / "a.png").touch()
    with pytest.raises(ErlangenError) as other:
        load_inputs(AuditRequest(input=str(tmp_path)))
    one_line(other.value, "pip install pillow")
    (tmp_path / "needs.py").write_text("def build():\n    import timm_of_another_name\n")
    with pytest.raises(ModelError) as third:
        load_model(f"{tmp_path / 'needs.py'}:build")
    one_line(third.value, "pip install timm_of_another_name")


def test_torchvision_of_another_build_is_told_with_its_remedy(tmp_path: Path) -> None:
    message = "operator torchvision::nms does not exist"
    (tmp_path / "mixed.py").write_text(
        f"try:\n    raise RuntimeError({message!r})\nexcept RuntimeError as error:\n    raise ImportError('timm') from error\n"
    )
    with pytest.raises(ModelError) as raised:
        load_model(f"{tmp_path / 'mixed.py'}:build")
    one_line(raised.value, "torchvision::nms", "different builds", "one index")
