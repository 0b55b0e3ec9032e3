"""Run one of PyG's example scripts, with our layers or PyG's: python -m peers.run_example ours|pyg SEED SCRIPT ARGS."""

from __future__ import annotations

import runpy
import sys

import torch
import torch_geometric.nn
from torch_geometric.nn.models import basic_gnn

LAYERS = ("GCNConv", "GATConv", "GATv2Conv", "TransformerConv", "SAGEConv", "GraphConv")


def main() -> None:
    side, seed, script, *arguments = sys.argv[1:]
    if side == "ours":
        from erlangen.nn.graph import pyg

        for name in LAYERS:
            for place in (torch_geometric.nn, basic_gnn):  # whose models import their layers from elsewhere
                if hasattr(place, name):
                    setattr(place, name, getattr(pyg, name))
    torch.manual_seed(int(seed))
    torch.set_num_threads(1)
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
