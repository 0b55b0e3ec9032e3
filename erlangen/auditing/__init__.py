"""Audits: named checks of any model -> verdicts. Models and inputs come from the caller; none of ours is needed."""
