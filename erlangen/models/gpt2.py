"""Read GPT-2 weights from the files of Hugging Face's `transformers`, and write such files.

    x Wᵀ + b (here) = x · w + b (transformers):  w = Wᵀ (its Conv1D);  c_attn's columns are q | k | v, heads within each, as here

The function is the same: LayerNorm with ε = 1e-5, the tanh form of GELU, learned absolute positions, head tied to the embedding.
Names may begin with `transformer.`; the buffers `attn.bias` and `attn.masked_bias` are causal masks without weights.

Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from erlangen.errors import DamagedFileError, ErlangenError
from erlangen.models.gpt import GPT, GPTConfig
from erlangen.records.files import read_json, write_atomically

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
HEAD_DIM = 64  # in every size that OpenAI published
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
BLOCK = {
    "norm1": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "norm2": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}
ALLOWED: dict[str, tuple[object, ...]] = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "reorder_and_upcast_attn": (False,),
    "add_cross_attention": (False,),
    "is_encoder_decoder": (False,),
    "quantization_config": (None,),
}
"""Settings of config.json that change the function, with the values that are supported; a missing setting means the first."""


def load_gpt2(path: Path | str) -> GPT:
    """Load a GPT-2 in eval mode, on the CPU, in float32 (in float64 if the file is).

    path: a folder with config.json and model.safetensors (or model.safetensors.index.json and its shards), or a .safetensors
    file. If there is no config.json beside the file, the number of heads is assumed to be width / 64, as in all of OpenAI's
    sizes; a model with another head size would then give wrong results.

    Raises ErlangenError for unsupported settings and for pickles, DamagedFileError for missing, unexpected or misshapen tensors
    and for broken files.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    settings = (
        _settings(folder / CONFIG) if path.exists() and (folder / CONFIG).is_file() else None
    )  # before gigabytes of weights
    tensors = {
        name.removeprefix("transformer."): value
        for name, value in _read(path).items()
        if not name.endswith((".attn.bias", ".attn.masked_bias"))
    }
    where = str(path)
    if settings is None and path.is_dir():
        raise ErlangenError(f"{path} has no {CONFIG}: download it, or name the .safetensors file itself")
    config = _config(tensors, settings, where)
    return _filled(config, tensors, where)


def save_gpt2(model: GPT, folder: Path | str) -> Path:
    """Write config.json and model.safetensors, which `transformers` opens as a GPT2LMHeadModel. Returns the folder.

    Raises ErlangenError if the model differs from GPT-2 (in positions, norm, bias, window or heads of keys), or if the files
    cannot be written.
    """
    c, folder = model.config, Path(folder)
    for name, value in (("norm", "layer"), ("positions", "absolute"), ("bias", True), ("window", None), ("key_heads", c.heads)):
        if getattr(c, name) != value:
            raise ErlangenError(f"this model is not a GPT-2: its {name} is {getattr(c, name)!r}, but GPT-2's is {value!r}")
    state = model.state_dict()
    tensors = {
        name if name == "lm_head.weight" else f"transformer.{name}": _converted(name, state[ours]).contiguous()
        for ours, name in names(c).items()
    }
    ends = c.vocabulary - 1 if c.vocabulary == 50257 else None
    settings = {
        **{name: values[0] for name, values in ALLOWED.items() if values[0] is not None},
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": c.vocabulary, "n_positions": c.block, "n_embd": c.width, "n_layer": c.layers, "n_head": c.heads,
        "n_inner": None, "tie_word_embeddings": c.tied, "bos_token_id": ends, "eos_token_id": ends,
        "embd_pdrop": c.dropout, "attn_pdrop": c.dropout, "resid_pdrop": c.dropout,
        "dtype": str(model.embed.weight.dtype).removeprefix("torch."),
    }  # fmt: skip
    from safetensors.torch import save

    write_atomically(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))
    write_atomically(folder / CONFIG, json.dumps(settings, indent=2) + "\n")
    return folder


def names(config: GPTConfig) -> dict[str, str]:
    """Our name of each parameter -> its name in transformers, without the prefix `transformer.`."""
    pairs = {"embed.weight": "wte.weight", "place.weight": "wpe.weight"}
    for layer in range(config.layers):
        for ours, name in BLOCK.items():
            for part in ("weight", "bias"):
                pairs[f"blocks.{layer}.{ours}.{part}"] = f"h.{layer}.{name}.{part}"
    pairs |= {"norm.weight": "ln_f.weight", "norm.bias": "ln_f.bias"}
    return pairs if config.tied else {**pairs, "head.weight": "lm_head.weight"}


def _converted(name: str, value: Tensor) -> Tensor:
    """A weight converted from transformers to ours, or back: those of Conv1D are transposed."""
    return value.mT if name.endswith(".weight") and (".c_" in name) else value


def _filled(config: GPTConfig, tensors: dict[str, Tensor], where: str) -> GPT:
    """The model with these weights. Raises DamagedFileError if they do not match the configuration."""
    with torch.device("meta"):  # needs no memory and no random numbers for weights that are replaced at once
        model = GPT(config)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    pairs = names(config)
    missing = [name for name in pairs.values() if name not in tensors]
    extra = sorted(tensors.keys() - set(pairs.values()) - ({"lm_head.weight"} if config.tied else set()))
    for problem, odd in (("lacks the tensor", missing), ("has a tensor that GPT-2 lacks,", extra)):
        if odd:
            more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
            raise DamagedFileError(f"{where} {problem} {odd[0]}{more}: this is not a GPT-2 of {config.layers} layers")
    for ours, name in pairs.items():
        shape, expected = tuple(tensors[name].shape), tuple(_converted(name, torch.empty(shapes[ours], device="meta")).shape)
        if shape != expected or not tensors[name].is_floating_point():
            raise DamagedFileError(
                f"{where}: the tensor {name} is {_by(shape)} of {str(tensors[name].dtype)[6:]}, but the other tensors need "
                f"{_by(expected)} floats: download the file again"
            )
    if config.tied and "lm_head.weight" in tensors and not torch.equal(tensors["lm_head.weight"], tensors["wte.weight"]):
        raise DamagedFileError(
            f"{where}: lm_head.weight differs from wte.weight, but {CONFIG} ties them: download both files again"
        )
    double = tensors["wte.weight"].dtype == torch.float64
    dtype = torch.float64 if double else torch.float32
    weights = {ours: _converted(name, tensors[name]).to(dtype).contiguous() for ours, name in pairs.items()}
    if config.tied:
        weights["head.weight"] = weights["embed.weight"]
    model.load_state_dict(weights, assign=True)
    if config.tied:
        model.head.weight = model.embed.weight
    return model.eval()


def _config(tensors: dict[str, Tensor], settings: dict[str, Any] | None, where: str) -> GPTConfig:
    """Sizes from the shapes of the tensors; heads, tying and dropout from config.json, whose sizes must agree."""
    for name in ("wte.weight", "wpe.weight"):
        if name not in tensors:
            raise DamagedFileError(f"{where} lacks the tensor {name}: this is not a GPT-2")
        if tensors[name].ndim != 2 or not tensors[name].numel():
            raise DamagedFileError(
                f"{where}: the tensor {name} has shape {_by(tuple(tensors[name].shape))}, but must be a matrix: download it again"
            )
    (vocabulary, width), block = tensors["wte.weight"].shape, tensors["wpe.weight"].shape[0]
    layers = len({name.split(".")[1] for name in tensors if name.startswith("h.")})
    heads, tied, p = width // HEAD_DIM, "lm_head.weight" not in tensors, 0.1
    if settings is None:
        if width % HEAD_DIM:
            raise ErlangenError(
                f"{where}: width {width} is not a multiple of {HEAD_DIM}, so the number of heads is unknown: add its {CONFIG}"
            )
        if not tied:
            tied = torch.equal(tensors["lm_head.weight"], tensors["wte.weight"])
    else:
        sizes = {"vocab_size": vocabulary, "n_positions": block, "n_embd": width, "n_layer": layers, "n_inner": 4 * width}
        for name, size in sizes.items():
            if settings.get(name) not in (size, None):
                raise DamagedFileError(
                    f"{where}: {CONFIG} has {name} {settings[name]!r:.40}, but the weights have {size}: download both files again"
                )
        heads, tied, p = settings.get("n_head", 12), settings.get("tie_word_embeddings", True), settings.get("resid_pdrop", 0.1)
        if not isinstance(heads, int) or not isinstance(tied, bool) or not isinstance(p, (int, float)):
            raise DamagedFileError(
                f"{where}: in {CONFIG}, n_head, tie_word_embeddings or resid_pdrop has the wrong type: download it again"
            )
    try:
        return GPTConfig(
            vocabulary=vocabulary, block=block, layers=layers, heads=heads, width=width, norm="layer", positions="absolute",
            bias=True, tied=tied, dropout=p,
        )  # fmt: skip
    except ValueError as error:
        raise DamagedFileError(f"{where}: {error}") from None


def _settings(path: Path) -> dict[str, Any]:
    """The settings in config.json. Raises ErlangenError for the first one that is not supported."""
    settings = read_json(path)
    if not isinstance(settings, dict):
        raise DamagedFileError(f"{path} does not hold settings: download it again")
    for name, allowed in ALLOWED.items():
        if settings.get(name, allowed[0]) not in allowed:
            raise ErlangenError(
                f"{path}: {name} {settings[name]!r:.40} is not supported: use a GPT-2 whose {name} is {allowed[0]!r}"
            )
    return settings


def _read(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, or of the file or shards in a folder."""
    if path.is_dir():
        if (path / INDEX).is_file() and not (path / WEIGHTS).is_file():
            return _sharded(path)
        pickles = [entry.name for entry in sorted(path.iterdir()) if entry.suffix in PICKLES]
        if not (path / WEIGHTS).is_file() and pickles:
            raise _pickle(path / pickles[0], path)
        path = path / WEIGHTS
    elif path.suffix in PICKLES:
        raise _pickle(path, path.parent)
    if not path.is_file():
        raise ErlangenError(f"{path}: there is no such file: give a folder with {CONFIG} and {WEIGHTS}, or a .safetensors file")
    return _opened(path)


def _sharded(folder: Path) -> dict[str, Tensor]:
    index = read_json(folder / INDEX)
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not all(isinstance(name, str) and Path(name).name == name for name in places.values()):
        raise DamagedFileError(f"{folder / INDEX} has no weight_map from tensors to files in this folder: download it again")
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(places.values())):
        if not (folder / name).is_file():
            raise DamagedFileError(f"{folder} has no file {name}, which {INDEX} names: download it again")
        tensors |= _opened(folder / name)
    return tensors


def _opened(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise DamagedFileError(f"{path} is truncated or not a safetensors file ({str(error)[:80]}): download it again") from None
    return tensors


def _pickle(path: Path, folder: Path) -> ErlangenError:
    convert = f'from transformers import AutoModelForCausalLM as M; M.from_pretrained("{folder}").save_pretrained("NEW")'
    return ErlangenError(
        f"{path} is a pickle and was not read, because a pickle can run any code: if you trust it, convert it: "
        f"python -c '{convert}'"
    )


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "()"
