"""Architectures, one a file: a frozen config and a plain module beside it."""
