"""Intervals and the one rule by which a verdict is reached, on SciPy."""
