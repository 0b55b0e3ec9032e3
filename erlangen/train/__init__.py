"""Training loops: (model, data) -> weights."""
