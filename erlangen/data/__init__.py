"""Data sets, one a file: source, license, citation, split -> tensors."""
