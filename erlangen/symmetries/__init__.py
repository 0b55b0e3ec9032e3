"""Symmetries, one a file: frozen values that act on inputs."""
