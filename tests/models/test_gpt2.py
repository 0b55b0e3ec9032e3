"""GPT-2 from its files: the logits of transformers' own, either way, and a word on every file that is not one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.torchvision_ops import declare_torchvision_ops
from torch import Tensor

from erlangen.errors import DamagedFileError, ErlangenError
from erlangen.models.gpt import GPT, PRESETS, GPTConfig
from erlangen.models.gpt2 import CONFIG, INDEX, WEIGHTS, load_gpt2, names, save_gpt2

TINY = {"vocab_size": 101, "n_positions": 24, "n_embd": 48, "n_layer": 3, "n_head": 6}
FAMILY = {**TINY, "n_embd": 128, "n_head": 2}  # 64 a head
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-10}


def theirs(dtype: torch.dtype = torch.float32, spread: float = 0.3, **settings: Any) -> Any:
    """A GPT-2 of transformers' with all weights random: fresh biases are 0 and norms 1, and hide what reads them."""
    declare_torchvision_ops()
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**{**TINY, **settings})).to(dtype).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(1.0 if "ln_" in name and name.endswith("weight") else 0.0, spread)
    return model


def saved(model: Any, folder: Path, **options: Any) -> Path:
    model.save_pretrained(folder, **options)
    return folder


def edited(folder: Path, change: Callable[[dict[str, Tensor]], object], **settings: Any) -> Path:
    """The folder with its tensors and settings changed."""
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | settings))
    return folder


def tokens(vocabulary: int = 101, length: int = 24) -> Tensor:
    return torch.randint(vocabulary, (2, length), generator=torch.Generator().manual_seed(1))


def assert_same_logits(ours: GPT, model: Any, x: Tensor, tolerance: float) -> None:
    with torch.no_grad():
        expected, actual = model(x).logits, ours(x)
    assert actual.dtype == expected.dtype
    assert expected.std() > 0.5, "weights that do nothing would agree anyhow"
    assert float((actual - expected).abs().max()) <= tolerance


@pytest.mark.parametrize("tied", [True, False])
def test_logits_are_those_of_transformers(dtype: torch.dtype, tied: bool, tmp_path: Path):
    model = theirs(dtype, tie_word_embeddings=tied)
    ours = load_gpt2(saved(model, tmp_path))
    assert ours.config.tied is tied
    assert (ours.head.weight is ours.embed.weight) is tied
    assert_same_logits(ours, model, tokens(), TOLERANCE[dtype])


def test_sizes_come_from_the_tensors_where_only_a_file_is_given(tmp_path: Path):
    model = theirs(**FAMILY)
    saved(model, tmp_path)
    (tmp_path / CONFIG).unlink()
    ours = load_gpt2(tmp_path / WEIGHTS)
    assert (ours.config.heads, ours.config.layers, ours.config.block, ours.config.tied) == (2, 3, 24, True)
    assert_same_logits(ours, model, tokens(), 1e-4)
    with pytest.raises(ErlangenError, match=r"has no config\.json"):
        load_gpt2(tmp_path)


def test_a_width_that_tells_no_heads_asks_for_the_config(tmp_path: Path):
    saved(theirs(), tmp_path)
    (tmp_path / CONFIG).unlink()
    with pytest.raises(ErlangenError, match=r"width 48 is not a multiple of 64.*add its config\.json"):
        load_gpt2(tmp_path / WEIGHTS)


def test_names_without_the_prefix_and_buffers_of_masks(tmp_path: Path):
    """As the file on the hub is: written by the model without its head, by an old version that kept its masks."""
    model = theirs()
    saved(model.transformer, tmp_path)
    assert "wte.weight" in load_file(tmp_path / WEIGHTS)
    masks = {f"h.{k}.attn.{name}": torch.ones(1, 1, 24, 24) for k in range(3) for name in ("bias", "masked_bias")}
    assert_same_logits(load_gpt2(edited(tmp_path, lambda file: file.update(masks))), model, tokens(), 1e-4)


def test_shards(tmp_path: Path):
    model = theirs()
    saved(model, tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert_same_logits(load_gpt2(tmp_path), model, tokens(), 1e-4)
    shard = sorted(tmp_path.glob("*.safetensors"))[0]
    shard.rename(tmp_path / "away")
    with pytest.raises(DamagedFileError, match=f"no file {shard.name}"):
        load_gpt2(tmp_path)


@pytest.mark.parametrize("name", ["../out.safetensors", "/etc/passwd", 3])
def test_an_index_names_files_of_its_folder_alone(name: object, tmp_path: Path):
    saved(theirs(), tmp_path, max_shard_size="100KB")
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"wte.weight": name}}))
    with pytest.raises(DamagedFileError, match="has no weight_map from tensors to files in this folder"):
        load_gpt2(tmp_path)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_halves_are_widened(half: torch.dtype, tmp_path: Path):
    model = theirs(half)
    assert_same_logits(load_gpt2(saved(model, tmp_path)), model.float(), tokens(), 1e-4)


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_of_ours_opens_in_transformers_and_comes_back(dtype: torch.dtype, tied: bool, tmp_path: Path):
    declare_torchvision_ops()
    from transformers import GPT2LMHeadModel

    torch.manual_seed(2)
    config = GPTConfig(
        vocabulary=77, block=20, layers=2, heads=3, width=36, norm="layer", positions="absolute", bias=True, tied=tied
    )
    ours = GPT(config).to(dtype).eval()
    with torch.no_grad():
        for weight in ours.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    assert save_gpt2(ours, tmp_path / "new" / "folder") == tmp_path / "new" / "folder"
    model, report = GPT2LMHeadModel.from_pretrained(tmp_path / "new" / "folder", dtype=dtype, output_loading_info=True)
    assert not any(report.values()), report
    assert_same_logits(ours, model.eval(), tokens(77, 20), TOLERANCE[dtype])
    back = load_gpt2(tmp_path / "new" / "folder")
    assert back.config == config
    assert all(torch.equal(back.state_dict()[name], value) for name, value in ours.state_dict().items())


def test_a_model_of_another_kind_is_not_saved(tmp_path: Path):
    with pytest.raises(ErlangenError, match=r"not a GPT-2: its norm is 'rms', but GPT-2's is 'layer'"):
        save_gpt2(GPT(GPTConfig(vocabulary=5, layers=1, heads=1, width=8)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_model_that_cannot_be_written_leaves_the_old_one(tmp_path: Path):
    ours = load_gpt2(saved(theirs(), tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(ErlangenError, match="cannot write"):
        save_gpt2(ours, tmp_path / "file")
    (tmp_path / "taken" / WEIGHTS).mkdir(parents=True)
    with pytest.raises(ErlangenError, match="cannot write"):
        save_gpt2(ours, tmp_path / "taken")
    assert [path.name for path in (tmp_path / "taken").iterdir()] == [WEIGHTS]


@pytest.mark.parametrize(
    "name", [name for name in names(GPTConfig(vocabulary=101, layers=3, tied=True)).values() if "h.1" not in name]
)
def test_a_missing_tensor_is_named(name: str, tmp_path_factory: pytest.TempPathFactory, untouched: Path):
    folder = tmp_path_factory.mktemp("missing")
    copied(untouched, folder)
    with pytest.raises(DamagedFileError, match=f"lacks the tensor {name}"):
        load_gpt2(edited(folder, lambda file: file.pop(f"transformer.{name}")))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(theirs(), tmp_path_factory.mktemp("gpt2"))


def copied(source: Path, target: Path) -> Path:
    for name in (CONFIG, WEIGHTS):
        (target / name).write_bytes((source / name).read_bytes())
    return target


def test_extra_and_misshapen_tensors_are_named(tmp_path: Path, untouched: Path):
    folder = copied(untouched, tmp_path)
    with pytest.raises(DamagedFileError, match=r"a tensor that GPT-2 lacks, h\.0\.crossattention\.c_attn\.weight and 1 more"):
        load_gpt2(edited(folder, lambda f: f.update({"h.0.crossattention.c_attn.weight": torch.ones(2), "score": torch.ones(2)})))
    copied(untouched, folder)
    name = "transformer.h.1.mlp.c_fc.weight"
    with pytest.raises(DamagedFileError, match=r"h\.1\.mlp\.c_fc\.weight is 192×48 of float32, .* need 48×192 floats"):
        load_gpt2(edited(folder, lambda file: file.update({name: file[name].mT.contiguous()})))
    copied(untouched, folder)
    with pytest.raises(DamagedFileError, match=r"h\.1\.mlp\.c_fc\.weight is 48×192 of int8, .* need 48×192 floats"):
        load_gpt2(edited(folder, lambda file: file.update({name: file[name].to(torch.int8)})))
    copied(untouched, folder)
    with pytest.raises(DamagedFileError, match=r"wte\.weight has shape 101, but must be a matrix"):
        load_gpt2(edited(folder, lambda file: file.update({"transformer.wte.weight": torch.ones(101)})))


@pytest.mark.parametrize(
    ("name", "value"),
    [("vocab_size", 100), ("n_positions", 1024), ("n_embd", 12), ("n_layer", 10**9), ("n_inner", 64), ("n_layer", "three")],
)
def test_sizes_of_the_config_are_those_of_the_tensors(name: str, value: object, tmp_path: Path, untouched: Path):
    with pytest.raises(DamagedFileError, match=f"has {name} {value!r}, but the weights have"):
        load_gpt2(edited(copied(untouched, tmp_path), lambda file: None, **{name: value}))


@pytest.mark.parametrize("value", [5, 0, "six", None])
def test_heads_that_do_not_divide_the_width_are_refused(value: object, tmp_path: Path, untouched: Path):
    with pytest.raises(DamagedFileError, match=r"heads|n_head"):
        load_gpt2(edited(copied(untouched, tmp_path), lambda file: None, n_head=value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("activation_function", "relu"), ("layer_norm_epsilon", 1e-6), ("scale_attn_weights", False),
        ("scale_attn_by_inverse_layer_idx", True), ("reorder_and_upcast_attn", True), ("add_cross_attention", True),
        ("model_type", "llama"), ("quantization_config", {"bits": 8}),
    ],
)  # fmt: skip
def test_another_function_is_refused_in_one_line(name: str, value: object, tmp_path: Path, untouched: Path):
    with pytest.raises(ErlangenError, match=f"{name}.* not supported") as caught:
        load_gpt2(edited(copied(untouched, tmp_path), lambda file: None, **{name: value}))
    assert "\n" not in str(caught.value)


def test_another_model_is_refused_before_its_weights_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untouched: Path):
    monkeypatch.setattr("safetensors.torch.load_file", lambda path: pytest.fail("gigabytes were read for nothing"))
    (tmp_path / CONFIG).write_text('{"model_type": "llama"}')
    (tmp_path / WEIGHTS).write_bytes((untouched / WEIGHTS).read_bytes())
    with pytest.raises(ErlangenError, match="model_type 'llama'"):
        load_gpt2(tmp_path)


def test_a_head_that_differs_from_the_embedding_it_is_tied_to_is_refused(tmp_path: Path, untouched: Path):
    folder = copied(untouched, tmp_path)
    same = edited(folder, lambda file: file.update({"lm_head.weight": file["transformer.wte.weight"].clone()}))
    assert load_gpt2(same).config.tied
    with pytest.raises(DamagedFileError, match=r"lm_head\.weight differs from wte\.weight"):
        load_gpt2(edited(folder, lambda file: file.update({"lm_head.weight": file["transformer.wte.weight"] + 1})))


def test_pickles_are_refused_and_the_way_out_is_said(tmp_path: Path):
    (tmp_path / CONFIG).write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    for path in (tmp_path, tmp_path / "pytorch_model.bin"):
        with pytest.raises(ErlangenError, match=r"pytorch_model\.bin is a pickle and was not read.*save_pretrained") as caught:
            load_gpt2(path)
        assert "\n" not in str(caught.value)


def test_broken_and_absent_files_cost_one_line(tmp_path: Path, untouched: Path):
    folder = copied(untouched, tmp_path)
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-100])
    with pytest.raises(DamagedFileError, match="is truncated or not a safetensors file"):
        load_gpt2(folder)
    (folder / WEIGHTS).unlink()
    with pytest.raises(ErlangenError, match="no such file"):
        load_gpt2(folder)
    copied(untouched, folder)
    (folder / CONFIG).write_text("[1")
    with pytest.raises(DamagedFileError, match="not JSON"):
        load_gpt2(folder)
    (folder / CONFIG).write_text("[1]")
    with pytest.raises(DamagedFileError, match="does not hold settings"):
        load_gpt2(folder)
    with pytest.raises(ErlangenError, match="no such file"):
        load_gpt2(tmp_path / "nowhere")


@pytest.mark.slow
def test_at_full_size(tmp_path: Path):
    c = PRESETS["gpt2"]
    sizes = {"vocab_size": c.vocabulary, "n_positions": c.block, "n_embd": c.width, "n_layer": c.layers, "n_head": c.heads}
    model = theirs(spread=0.05, **sizes)
    ours = load_gpt2(saved(model, tmp_path))
    assert ours.config == c
    assert_same_logits(ours, model, tokens(50257, 64), 1e-4)
