"""Inputs as users have them -> a list of inputs of one domain; or inputs made for a shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from erlangen.auditing.model import ModelError
from erlangen.symmetries.graph import Graph
from erlangen.symmetries.text import Text

Domain: TypeAlias = Literal["images", "texts", "graphs", "points", "series"]
DOMAINS: tuple[str, ...] = get_args(Domain)


def as_inputs(given: Any, domain: str | None = None, vocabulary: int | None = None) -> tuple[list[Any], str]:
    """One record or tensor an input, without a batch dimension, and their domain.

    images (B, C, H, W) or a list of (C, H, W); texts (B, T) of whole numbers, a list of (T,), Hugging Face's `input_ids` with
    `attention_mask`, or `Text`s; graphs: `Graph`s or PyTorch Geometric's `Data`; points (B, N, d) and series (B, C, T), which
    only `domain` tells apart. A text's vocabulary is the largest token seen + 1 unless it is said.

    Raises ModelError where nothing is given, a domain is unknown or cannot be guessed, or a number is not finite.
    """
    if domain is not None and domain not in DOMAINS:
        raise ModelError(f"domain {domain!r}: choose {', '.join(DOMAINS)}")
    if isinstance(given, Mapping) and "input_ids" in given:
        given, domain = _tokenized(given), "texts"
    if _is_graph(given) or isinstance(given, Text):
        given = [given]
    if isinstance(given, np.ndarray):
        given = torch.from_numpy(given)
    items = list(given.unbind()) if isinstance(given, Tensor) and given.ndim else list(given)
    if not items:
        raise ModelError("no inputs: an audit needs at least one, and at least two for intervals")
    items = [torch.from_numpy(item) if isinstance(item, np.ndarray) else item for item in items]
    if all(_is_graph(item) for item in items):
        return [_finite(as_graph(item), place) for place, item in enumerate(items)], "graphs"
    if all(isinstance(item, Text) for item in items):
        return items, "texts"
    tensors = [item if isinstance(item, Tensor) else torch.as_tensor(item) for item in items]
    domain = domain or guessed(tensors[0])
    if domain == "texts":
        if any(tensor.ndim != 1 or tensor.is_floating_point() for tensor in tensors):
            raise ModelError("texts are sequences of whole numbers, (T,) each")
        size = vocabulary or 1 + max(int(tensor.max()) for tensor in tensors if tensor.numel())
        return [Text(tensor.long(), size) for tensor in tensors], "texts"
    wanted = 3 if domain == "images" else 2
    if domain == "graphs" or any(tensor.ndim != wanted for tensor in tensors):
        raise ModelError(f"{domain}: got tensors of shape {tuple(tensors[0].shape)}, {SHAPES[domain]} each is wanted")
    return [_finite(tensor if tensor.is_floating_point() else tensor.float(), i) for i, tensor in enumerate(tensors)], domain


SHAPES = {"images": "(C, H, W)", "points": "(N, d)", "series": "(C, T)", "graphs": "a Graph, or Data of torch_geometric"}


def guessed(x: Tensor) -> str:
    """The domain of an input by its shape. Raises ModelError where two could be meant."""
    if x.ndim == 3 and x.is_floating_point():
        return "images"
    if x.ndim == 1 and not x.is_floating_point():
        return "texts"
    if x.ndim == 3:
        return "images"
    raise ModelError(
        f"inputs of shape {tuple(x.shape)} and {x.dtype}: say what they are with domain={' or '.join(repr(d) for d in DOMAINS)}"
    )


def as_graph(data: Any) -> Graph:
    """A graph of PyTorch Geometric's, or any object with x and edge_index, with its tensors of a row a node or an edge."""
    if isinstance(data, Graph):
        return data
    if data.x is None:
        raise ModelError("a graph without node features x: set data.x, one row a node")
    n, e = len(data.x), data.edge_index.shape[1]
    stored = data.to_dict() if hasattr(data, "to_dict") else vars(data)
    nodes, edges = {}, {}
    for name, value in stored.items():
        if name in ("x", "edge_index", "y", "batch", "ptr") or not isinstance(value, Tensor) or not value.ndim or "mask" in name:
            continue
        if len(value) == e and name.startswith("edge"):
            edges[name] = value
        elif len(value) == n:
            nodes[name] = value
    return Graph(data.x, data.edge_index, nodes, edges)


def _is_graph(item: Any) -> bool:
    return isinstance(item, Graph) or (hasattr(item, "edge_index") and hasattr(item, "x"))


def _tokenized(batch: Mapping[str, Any]) -> list[Text]:
    """A tokenizer's output: padding is cut off, since it is itself under test."""
    ids = [torch.as_tensor(row) for row in batch["input_ids"]]
    masks = batch.get("attention_mask")
    size = 1 + max(int(row.max()) for row in ids)
    kept = ids if masks is None else [row[torch.as_tensor(mask) != 0] for row, mask in zip(ids, masks, strict=True)]
    return [Text(row.long(), size) for row in kept]


def _finite(x: Any, place: int) -> Any:
    tensors = [getattr(x, field.name) for field in fields(x)] if is_dataclass(x) else [x]
    for tensor in tensors:
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ModelError(f"input {place} holds NaN or infinity: an audit would measure nothing; clean the inputs")
    return x


def generated(domain: str, shape: Sequence[int], n: int = 32, vocabulary: int = 100, seed: int = 0) -> list[Any]:
    """n inputs of one shape. images (C, H, W) are smooth random fields, so that turning them loses little; texts (T,) are
    uniform tokens; points (N, d) and series (C, T) standard normal; graphs (N, F) have N nodes of normal features and about 3N
    undirected edges, each both ways.
    """
    rng = np.random.default_rng(seed)
    sizes = {"images": 3, "texts": 1, "points": 2, "series": 2, "graphs": 2}
    if domain not in sizes:
        raise ModelError(f"domain {domain!r}: choose {', '.join(DOMAINS)}")
    if len(shape) != sizes[domain] or min(shape) < 1:
        raise ModelError(f"{domain} of shape {tuple(shape)}: {sizes[domain]} positive sizes are wanted, without the batch")
    return [_one(domain, shape, vocabulary, rng) for _ in range(n)]


def _one(domain: str, shape: Sequence[int], vocabulary: int, rng: np.random.Generator) -> Any:
    if domain == "texts":
        return Text(torch.from_numpy(rng.integers(vocabulary, size=shape[0])), vocabulary)
    if domain == "images":
        return smooth(shape, rng)
    if domain == "graphs":
        n, features = shape
        pairs = rng.integers(n, size=(3 * n, 2))
        pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)  # each undirected edge once
        edge_index = torch.from_numpy(np.concatenate([pairs, pairs[:, ::-1]]).T.copy())  # (2, E)
        return Graph(torch.from_numpy(rng.standard_normal((n, features))).float(), edge_index)
    return torch.from_numpy(rng.standard_normal(tuple(shape))).float()


def smoothed(x: Tensor) -> Tensor:
    """An image (C, H, W) without its fine detail: a derivative of what the pixels cannot tell apart means nothing."""
    waves = torch.fft.rfft2(x.double()) * torch.from_numpy(low_pass(x.shape))
    image: Tensor = torch.fft.irfft2(waves, s=x.shape[-2:]).to(x.dtype)
    return image


def low_pass(shape: Sequence[int]) -> NDArray[np.float64]:
    """A Gaussian over the waves of an image, 1/e at about a twelfth of the sampling rate; (H, W // 2 + 1)."""
    rows, columns = np.fft.fftfreq(shape[-2])[:, None], np.fft.rfftfreq(shape[-1])[None]
    gauss: NDArray[np.float64] = np.exp(-((rows**2 + columns**2) / (2 * 0.06**2)))
    return gauss


def smooth(shape: Sequence[int], rng: np.random.Generator) -> Tensor:
    """A random field (C, H, W) with little above an eighth of the sampling rate, of mean 0 and RMS 1 a channel."""
    noise = np.fft.rfft2(rng.standard_normal(tuple(shape)))
    field = np.fft.irfft2(noise * low_pass(shape), s=tuple(shape[-2:]))
    field -= field.mean((-2, -1), keepdims=True)
    size = np.sqrt((field**2).mean((-2, -1), keepdims=True))
    return torch.from_numpy(field / np.where(size > 0, size, 1)).float()
