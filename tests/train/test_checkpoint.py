"""What a checkpoint promises: it comes back as it was, or not at all; nothing in it runs; the old one survives a failure."""

from __future__ import annotations

import json
import pickle
import resource
import signal
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from erlangen.data.characters import CharacterTokenizer
from erlangen.errors import DamagedFileError, ErlangenError, NewerSchemaError
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.nn.positions import Rotary
from erlangen.records.files import canonical
from erlangen.train.checkpoint import BEST, LAST, digest, load_checkpoint, save

CONFIG = GPTConfig(vocabulary=3, block=8, layers=1, heads=2, width=16, rotary=Rotary(scaling="ntk", factor=2.0))
TOKENIZER = CharacterTokenizer("abé")


def model(config: GPTConfig = CONFIG) -> GPT:
    torch.manual_seed(0)
    return GPT(config)


def written(path: Path, net: GPT | None = None, **options: object) -> Path:
    fields: dict = {
        "step": 3,
        "history": [{"step": 3, "train_loss": 1.0, "validation_loss": 0.1 + 0.2}],
        "about": {"corpus": "x"},
    }
    save(path, net or model(), TOKENIZER, **{**fields, **options})  # type: ignore[arg-type]
    return path


def rewritten(path: Path, change) -> Path:
    """The file with its metadata changed and a checksum that is right again: damage that only sense can find."""
    with safe_open(path, framework="pt") as file:
        text = file.metadata()["erlangen"].partition(" ")[2]
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    about = json.loads(text)
    change(about, tensors)
    text = canonical(about)
    save_file(tensors, path, {"erlangen": f"{digest(text, tensors)} {text}"})
    return path


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_everything_comes_back_exactly(tied: bool, dtype: torch.dtype, tmp_path: Path) -> None:
    net = model(GPTConfig(vocabulary=3, block=8, layers=2, heads=2, width=16, tied=tied, positions="absolute")).to(dtype)
    state = {"random.cpu": torch.get_rng_state(), "optimizer.step": torch.tensor(3.0)}
    path = written(tmp_path / "new" / "folder" / LAST, net, state=state)
    before = torch.get_rng_state()
    read = load_checkpoint(path)
    assert torch.equal(before, torch.get_rng_state())
    assert read.config == net.config
    assert read.tokenizer == TOKENIZER
    assert (read.step, read.about["corpus"], read.about["torch"]) == (3, "x", torch.__version__)
    assert read.history == [{"step": 3, "train_loss": 1.0, "validation_loss": 0.1 + 0.2}]
    assert read.state.keys() == state.keys()
    assert all(torch.equal(read.state[name], state[name]) for name in state)
    assert read.model.state_dict().keys() == net.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(read.model.state_dict().values(), net.state_dict().values(), strict=True))
    assert not read.model.training
    assert (read.model.head.weight is read.model.embed.weight) == tied
    assert [file.name for file in path.parent.iterdir()] == [LAST]


def test_a_folder_means_its_best_else_its_last(tmp_path: Path) -> None:
    written(tmp_path / LAST, step=9)
    assert load_checkpoint(tmp_path).step == 9
    written(tmp_path / BEST, step=4)
    assert load_checkpoint(tmp_path).step == 4
    assert load_checkpoint(tmp_path / LAST).step == 9


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / LAST)
    data = path.read_bytes()
    for length in (0, 5, 8, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(DamagedFileError, match=rf"{path} is truncated or not a safetensors file"):
            load_checkpoint(path)


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path / LAST)
    data = path.read_bytes()
    header = struct.unpack("<Q", data[:8])[0] + 8
    for place in [*range(8, header, 97), *range(header, len(data), 501), len(data) - 1]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(ErlangenError, match=str(path)):
            load_checkpoint(path)


def test_edited_metadata_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path / LAST)
    data = path.read_bytes()
    assert data.count(b'\\"corpus\\":\\"x\\"') == 1
    path.write_bytes(data.replace(b'\\"corpus\\":\\"x\\"', b'\\"corpus\\":\\"y\\"'))
    with pytest.raises(DamagedFileError, match=r"edited or damaged \(its SHA-256"):
        load_checkpoint(path)


class Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.safetensors", "model"])
@pytest.mark.parametrize("kind", ["pickle", "pickle 0", "torch", "torch, old"])
def test_a_pickle_is_refused_whatever_its_name_and_never_run(name: str, kind: str, tmp_path: Path) -> None:
    path, ran = tmp_path / name, tmp_path / "ran"
    if kind.startswith("torch"):
        torch.save({"x": torch.ones(2), "bomb": Bomb(ran)}, path, _use_new_zipfile_serialization=kind == "torch")
    else:
        path.write_bytes(pickle.dumps(Bomb(ran), protocol=0 if kind == "pickle 0" else 4))
    either = "is a pickle, or is named like one, and was not read|is truncated or not a safetensors file"
    with pytest.raises(DamagedFileError, match=either if kind == "pickle 0" else "is a pickle.*weights_only=True") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert not ran.exists()


def test_a_header_whose_length_begins_like_a_pickle_is_none(tmp_path: Path) -> None:
    path = written(tmp_path / LAST, about={"note": ""})
    size = int.from_bytes(path.read_bytes()[:8], "little")
    written(path, about={"note": "x" * (0x10380 - size)})
    assert path.read_bytes()[:2] == b"\x80\x03"  # as a pickle of protocol 3
    load_checkpoint(path)


def test_a_safetensors_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    save_file({"wte.weight": torch.ones(3, 3)}, tmp_path / LAST, {"format": "pt"})
    with pytest.raises(DamagedFileError, match="not a checkpoint of erlangen"):
        load_checkpoint(tmp_path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = rewritten(written(tmp_path / LAST), lambda about, tensors: about.update(schema=3))
    with pytest.raises(NewerSchemaError, match="schema 3, but this version reads schemas up to 2: upgrade"):
        load_checkpoint(path)


def test_a_file_of_schema_1_loads_with_the_same_weights(tmp_path: Path) -> None:
    """It has no fields but the first four of rotary positions."""

    def older(about: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        about["schema"] = 1
        about["config"]["rotary"] = {"base": 10000.0, "layout": "half", "scaling": "ntk", "factor": 2.0}

    path = written(tmp_path / LAST)
    weights = load_checkpoint(path).model.state_dict()
    old = load_checkpoint(rewritten(path, older))
    assert old.config == CONFIG
    assert all(torch.equal(old.model.state_dict()[name], weight) for name, weight in weights.items())


MISFITS = {
    "vocabulary": (lambda about, tensors: about["tokenizer"].update(alphabet="ab"), "2 tokens, but the model has 3"),
    "shapes": (lambda about, tensors: about["config"].update(width=32), r"is \(.*\) torch.float32, but .* needs"),
    "layers": (lambda about, tensors: about["config"].update(layers=2), r"lacks the weight blocks\.1"),
    "a weight more": (lambda about, tensors: tensors.update({"model.x": torch.ones(1)}), "an unexpected weight x"),
    "integers": (lambda about, tensors: tensors.update({"model.norm.weight": torch.ones(16, dtype=torch.int64)}), "torch.int64"),
    "NaN": (lambda about, tensors: tensors["model.norm.weight"].fill_(torch.nan), "not finite"),
    "impossible config": (lambda about, tensors: about["config"].update(heads=3), "a multiple of the number of heads, 3"),
    "unknown field": (lambda about, tensors: about["config"].update(wings=2), "unknown field 'wings'"),
    "wrong type": (lambda about, tensors: about["config"].update(layers="two"), "layers"),
    "unknown tokenizer": (lambda about, tensors: about["tokenizer"].update(kind="runes"), "runes"),
    "no config": (lambda about, tensors: about.pop("config"), r"incomplete or invalid \('config'\)"),
    "no step": (lambda about, tensors: about.pop("step"), r"incomplete or invalid \('step'\)"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_parts_that_do_not_fit_each_other_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    change, words = MISFITS[name]
    path = rewritten(written(tmp_path / LAST), change)
    with pytest.raises(DamagedFileError, match=words) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_config_takes_no_memory(tmp_path: Path) -> None:
    """240 GB of weights, were they made."""
    path = rewritten(written(tmp_path / LAST), lambda about, tensors: about["config"].update(width=10**5, layers=1))
    with pytest.raises(DamagedFileError, match="its configuration needs floats of shape"):
        load_checkpoint(path)


def test_nothing_where_one_is_named_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ErlangenError, match="no such file or folder"):
        load_checkpoint(tmp_path / "nowhere")
    with pytest.raises(ErlangenError, match=rf"neither {BEST} nor {LAST}"):
        load_checkpoint(tmp_path)


def test_weights_that_are_not_finite_replace_nothing(tmp_path: Path) -> None:
    path, broken = written(tmp_path / LAST), model()
    kept = path.read_bytes()
    with torch.no_grad():
        broken.norm.weight[0] = torch.inf
    with pytest.raises(ErlangenError, match="no longer finite at step 3"):
        written(path, broken)
    assert path.read_bytes() == kept


def test_a_full_disk_keeps_the_old_one(tmp_path: Path) -> None:
    path = written(tmp_path / LAST)
    kept, other = path.read_bytes(), model()
    torch.nn.init.ones_(other.head.weight)
    handler, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept) - 100, limits[1]))
    try:
        with pytest.raises(ErlangenError, match=rf"cannot write {path}: .*what was there before is kept") as caught:
            written(path, other)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.exit_code == 2
    assert path.read_bytes() == kept
    assert [file.name for file in tmp_path.iterdir()] == [LAST]
