"""Measures: pure functions (model, inputs, ...) -> numbers. They print nothing, assert nothing and need no model of ours."""
