"""Graph layers: algebra, sparse products, aggregators, convolutions and attention, on `edge_index` (2, E): sources, targets."""
