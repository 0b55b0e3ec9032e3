"""The graphs that experiments classify nodes of: Cora, block models, or a file of the user's. Imports no torch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from erlangen.data.files import DataError
from erlangen.experiments.kit.sources import require
from erlangen.experiments.kit.wording import Wording

GRAPHS = {"blocks": "block models", "cora": "Cora"}
SUFFIXES = (".pt", ".pth", ".npz")


def check_graphs(names: Sequence[str]) -> None:
    """Raises ValueError unless each name is one of GRAPHS or a file's, and no two would be called alike."""
    for name in names:
        if name not in GRAPHS and not name.endswith(SUFFIXES):
            raise ValueError(f"data: {name!r} is neither 'blocks' nor 'cora' nor a graph file that ends in {', '.join(SUFFIXES)}")
    titles = [graph_title(name) for name in names]
    if not titles or len(set(titles)) < len(titles):
        raise ValueError(f"data: name at least one graph, and none twice, not {', '.join(titles) or 'nothing'}")


def graph_title(name: str) -> str:
    """What statements and figures call the graph: a file goes by its name without its folder."""
    return GRAPHS.get(name, Path(name).name)


def beyond_the_report(names: Sequence[str]) -> str:
    """What an answer is about where no graph but the user's was measured; '' where the report's statement is judged."""
    own = [graph_title(name) for name in names if name not in GRAPHS]
    if len(own) < len(names):
        return ""
    return f"on your graph{'s' * (len(own) > 1)} ({', '.join(own)}): does not judge the report's statement"


def graph_slug(name: str) -> str:
    """The title as part of a figure's name: letters, digits and hyphens."""
    return name if name in GRAPHS else re.sub(r"\W+", "-", graph_title(name))


def graph_parameters(name: str, nodes: int) -> dict[str, Any]:
    """What a task keeps of a graph: its name, the `nodes` of block models, the digest of a file, so that an edited one counts.

    Raises DataError where the file cannot be read.
    """
    digest = ""
    if name not in GRAPHS:
        try:
            digest = hashlib.sha256(Path(name).expanduser().read_bytes()).hexdigest()[:16]
        except OSError as error:
            raise DataError(
                f"{name}: {error.strerror}: name a graph's file that can be read, as in --set data=graph.pt"
            ) from None
    return {"data": name, "nodes": nodes if name == "blocks" else 0, "digest": digest}


def require_graphs(names: Sequence[str]) -> None:
    """Have each graph at hand before any job starts. Raises DataError for one that cannot be had or does not fit."""
    for name in names:
        if name == "cora":
            require(["cora"])
        elif name not in GRAPHS:
            from erlangen.data.graph_file import read_graph

            read_graph(name)


def about(words: Wording, graph: str) -> Wording:
    """The wording of a part about one of several graphs."""
    title = graph_title(graph)
    return {**words, "part": f"{title}, {words['part']}", "statement": f"{words['statement'].removesuffix('.')} ({title})."}
