"""Sound models of every domain end a default audit with exit code 0, as modules and as ONNX; with one planted fault, with 1."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.torchvision_ops import declare_torchvision_ops
from torch import Tensor, nn

import erlangen
from erlangen.auditing.inputs import generated
from erlangen.auditing.onnx import load_session

declare_torchvision_ops()
VOCABULARY = 30


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.layers(x)).relu()


def resnet() -> nn.Module:
    stem = [nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    net = nn.Sequential(*stem, Block(16), Block(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
    for _ in range(3):  # statistics of some data
        net(2 * torch.rand(16, 3, 32, 32) - 1)
    return net.eval()


def vit() -> nn.Module:
    timm = pytest.importorskip("timm")
    model = timm.models.VisionTransformer(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=4, num_classes=10)
    return model.eval()


def llama() -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, vocab_size=VOCABULARY,
        bos_token_id=None, eos_token_id=None, initializer_range=0.3,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config).eval()


def bert() -> nn.Module:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, vocab_size=VOCABULARY,
        initializer_range=0.3,
    )  # fmt: skip
    return transformers.BertModel(config, add_pooling_layer=False).eval()


class GCN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        geometric = pytest.importorskip("torch_geometric.nn")
        self.first, self.second = geometric.GCNConv(4, 16), geometric.GCNConv(16, 5)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.second(self.first(x, edge_index).relu(), edge_index)


class PointNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.each = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 64))
        self.head = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.each(x).amax(1))


class TCN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(2, 16, 3), nn.Conv1d(16, 5, 3, dilation=2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(nn.functional.pad(x, (2, 0))).relu()
        return self.second(nn.functional.pad(h, (4, 0)))


def after(module: nn.Module, change: Callable[[Any], Any]) -> None:
    """Changes what a module returns, as a fault in the code after it would."""
    module.register_forward_hook(lambda module, args, output: change(output))


def neighbors(y: Tensor) -> Tensor:
    return y + 0.3 * y.mean(0, keepdim=True)


MODELS: dict[str, tuple[Callable[[], nn.Module], str, tuple[int, ...]]] = {
    "ResNet": (resnet, "images", (3, 32, 32)),
    "ViT": (vit, "images", (3, 32, 32)),
    "Llama": (llama, "texts", (12,)),
    "BERT": (bert, "texts", (12,)),
    "GCN": (GCN, "graphs", (20, 4)),
    "PointNet": (PointNet, "points", (24, 3)),
    "TCN": (TCN, "series", (2, 32)),
}
FAULTS: dict[str, tuple[str, Callable[[nn.Module], object]]] = {
    "ResNet": ("batch-composition", lambda net: net[1].train()),
    "ViT": ("repeat", lambda net: after(net.blocks[0].mlp, lambda y: nn.functional.dropout(y, 0.1))),
    "Llama": ("causality", lambda net: after(net.model.layers[0].mlp, lambda y: y + 0.01 * y.mean(1, keepdim=True))),
    "BERT": ("batch-composition", lambda net: after(net.encoder.layer[0].output, neighbors)),
    "GCN": ("node-permutation", lambda net: after(net.first, lambda y: y + torch.linspace(0, 1, len(y))[:, None])),
    "PointNet": ("point-permutation", lambda net: after(net.each, lambda y: y + y[:, :1])),
    "TCN": ("batch-composition", lambda net: after(net.first, neighbors)),
}


def built(name: str) -> tuple[nn.Module, list[Any], str]:
    make, domain, shape = MODELS[name]
    torch.manual_seed(0)
    return make().eval(), generated(domain, shape, 16, VOCABULARY), domain


def failures(found: erlangen.Audit) -> str:
    return "\n".join(f"{c.name} {c.judgment}: {c.reason}" for c in found.checks if c.judgment not in ("exact", "holds"))


@pytest.mark.parametrize("name", MODELS)
def test_a_sound_model_passes(name: str) -> None:
    model, inputs, domain = built(name)
    found = erlangen.audit(model, inputs, domain=domain, elements=4)
    assert found.exit_code() == 0, failures(found)


@pytest.mark.parametrize("name", FAULTS)
def test_the_same_model_with_one_fault_fails(name: str) -> None:
    model, inputs, domain = built(name)
    check, plant = FAULTS[name]
    plant(model)
    found = erlangen.audit(model, inputs, domain=domain, elements=4)
    assert found.exit_code() == 1, failures(found)
    assert check in {c.name for c in found.checks if c.judgment == "broken" and not c.informational}, failures(found)


class OfIds(nn.Module):
    """The logits or states of a language model alone, for an exporter."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        cache = {"use_cache": False} if "Llama" in type(self.model).__name__ else {}
        return self.model(input_ids, attention_mask=attention_mask, **cache)[0]


def export(model: nn.Module, inputs: list[Any], domain: str, path: str) -> None:
    """With the exporter that needs no other package, and free sizes of the axes that inputs may differ in."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    if domain == "texts":
        ids = torch.stack([x.ids for x in inputs[:4]])
        model, example = OfIds(model), (ids, torch.ones_like(ids))
        free = {name: {0: "batch", 1: "length"} for name in ("input_ids", "attention_mask", "y")}
    elif domain == "graphs":
        example = (inputs[0].x, inputs[0].edge_index)
        free = {"x": {0: "nodes"}, "edge_index": {1: "edges"}, "y": {0: "nodes"}}
    else:
        example, free = (torch.stack(inputs[:4]),), {"x": {0: "batch"}, "y": {0: "batch"}}
    names = [name for name in free if name != "y"]
    torch.onnx.export(model, example, path, input_names=names, output_names=["y"], dynamic_axes=free, dynamo=False)


def audit_graph(path: Path, inputs: list[Any], domain: str, *names: str) -> erlangen.Audit:
    arguments = {"attention_mask": "ones"} if domain == "texts" else None
    return erlangen.audit(load_session(path), inputs, names or None, domain=domain, elements=4, arguments=arguments)


@pytest.mark.parametrize("fault", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_the_same_as_onnx(tmp_path: Path, name: str, fault: bool) -> None:
    model, inputs, domain = built(name)
    check, plant = FAULTS[name]
    if fault and name in ("Llama", "BERT", "GCN", "PointNet", "TCN"):
        plant(model)
    elif fault:  # an exported graph has no training mode and no dropout left
        check, model = "batch-composition", nn.Sequential(model, Neighbors())
    path = tmp_path / "model.onnx"
    export(model, inputs, domain, str(path))
    found = audit_graph(path, inputs, domain)
    assert found.exit_code() == int(fault), failures(found)
    assert not fault or check in {c.name for c in found.checks if c.judgment == "broken" and not c.informational}


def test_causality_counts_for_a_graph_that_shows_that_it_decodes_and_wherever_it_is_named(tmp_path: Path) -> None:
    exported = {}
    for name in ("Llama", "BERT"):
        model, inputs, domain = built(name)
        exported[name] = tmp_path / f"{name}.onnx"
        export(model, inputs, domain, str(exported[name]))
    counted = {
        name: {check.name for check in audit_graph(path, inputs, "texts").checks if not check.informational}
        for name, path in exported.items()
    }
    assert counted["Llama"] - counted["BERT"] == {"causality", "left-padding"}
    assert audit_graph(exported["BERT"], inputs, "texts", "causality").exit_code() == 1
    assert any("it may be an encoder" in note for note in audit_graph(exported["BERT"], inputs, "texts", "repeat").notes)


class Neighbors(nn.Module):
    def forward(self, y: Tensor) -> Tensor:
        return neighbors(y)


def test_what_is_informational_counts_if_it_is_asked_for_by_name() -> None:
    model, inputs, domain = built("Llama")
    assert erlangen.audit(model, inputs, ["token-permutation"], domain=domain, where=False).exit_code() == 1
    encoder, inputs, domain = built("BERT")
    assert erlangen.audit(encoder, inputs, ["causality"], domain=domain, where=False).exit_code() == 1
