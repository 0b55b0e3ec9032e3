"""Sentences of verdicts and answers."""

from __future__ import annotations

import pytest

from erlangen.experiments.kit.wording import with_minus_signs


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("R² is -0.03 (from -1.5 to 2)", "R² is −0.03 (from −1.5 to 2)"),
        ("-3 points [-4 to 1]", "−3 points [−4 to 1]"),
        ("erlangen run padding --set lr=-1 --seeds 3", "erlangen run padding --set lr=-1 --seeds 3"),
        ("GPT-2, n-grams, 5-10 and top-p", "GPT-2, n-grams, 5-10 and top-p"),
    ],
)
def test_negative_numbers_have_a_minus_sign_and_words_their_hyphens(text: str, shown: str):
    assert with_minus_signs(text) == shown
