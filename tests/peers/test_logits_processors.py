"""transformers' own tests of its logits processors, with our filters in the place of those that we have.

They are read from a checkout of transformers at $ERLANGEN_PEERS/transformers, of a version that suits the one installed:
`git clone --branch v5.0.0 https://github.com/huggingface/transformers`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

CHECKOUT = Path(os.environ.get("ERLANGEN_PEERS", "")) / "transformers"
FILE = CHECKOUT / "tests" / "generation" / "test_logits_process.py"
PASSES = {
    "test_min_p_dist_warper", "test_no_repeat_ngram_dist_processor", "test_processor_list",
    "test_repetition_penalty_continuous_batching", "test_repetition_penalty_dist_process",
    "test_repetition_penalty_dist_process_exclusion_no_new_input_ids",
    "test_repetition_penalty_dist_process_exclusion_with_new_input_ids", "test_temperature_dist_warper",
    "test_top_k_dist_warper", "test_top_p_dist_warper", "test_typical_dist_warper",
}  # fmt: skip
"""The tests of a filter of ours: all of them."""
OTHERS = {
    "test_bias_dist_processor", "test_classifier_free_guidance", "test_dia_channel_filter", "test_dia_classifier_free_guidance",
    "test_dia_delay_pattern", "test_early_stop_processor", "test_early_stop_processor_multi_eos",
    "test_encoder_no_repeat_ngram_dist_processor", "test_encoder_repetition_penalty_dist_process", "test_epsilon_dist_warper",
    "test_eta_dist_warper", "test_exponential_decay_length_penalty", "test_forced_bos_token_logits_processor",
    "test_forced_eos_token_logits_processor", "test_min_length_dist_processor", "test_new_min_length_dist_processor_0",
    "test_new_min_length_dist_processor_1", "test_no_bad_words_dist_processor", "test_normalization",
    "test_prefix_constrained_logits_processor", "test_remove_nan_inf_logits_processor", "test_top_h_dist_warper",
    "test_watermarking_processor",
}  # fmt: skip
"""The tests of processors that erlangen does not have: they call nothing of ours. Those of the SynthID watermark are left out."""


@pytest.mark.slow
@pytest.mark.skipif(not FILE.is_file(), reason="$ERLANGEN_PEERS has no checkout of transformers")
def test_transformers_tests_pass_with_our_filters(tmp_path: Path) -> None:
    for package in ("transformers", "parameterized"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed, which transformers' tests import")
    out = tmp_path / "out.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "peers.swap_transformers", "-p", "no:cacheprovider", "-W", "ignore"]
    path = os.pathsep.join([*(str(Path(__file__).parents[n]) for n in (1, 2)), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [*command, "-c", os.devnull, "--rootdir", str(CHECKOUT), "--junitxml", str(out), "-k", "not synthid", str(FILE)],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}, cwd=tmp_path,
    )  # fmt: skip
    assert out.exists(), run.stdout + run.stderr
    cases = list(ElementTree.parse(out).iter("testcase"))
    ours = [case for case in cases if calls(case)]
    failed = {str(case.get("name")) for case in ours if case.find("failure") is not None or case.find("error") is not None}
    assert not failed, run.stdout
    assert {str(case.get("name")) for case in ours} == PASSES
    assert {str(case.get("name")) for case in cases} - PASSES == OTHERS


def calls(case: ElementTree.Element) -> int:
    """How often a test called a filter of ours."""
    return sum(int(str(p.get("value"))) for p in case.iter("property") if p.get("name") == "ours")
