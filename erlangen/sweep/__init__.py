"""Experiment × recipe × seeds -> a folder of result files."""
