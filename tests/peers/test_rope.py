"""transformers' own tests of rotary frequencies, with our functions in the place of transformers'.

They are read from a checkout of transformers at $ERLANGEN_PEERS/transformers, at the version that is installed:
`git clone --branch v5.23.0 https://github.com/huggingface/transformers`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

FILE = Path(os.environ.get("ERLANGEN_PEERS", "")) / "transformers" / "tests" / "utils" / "test_modeling_rope_utils.py"
OURS = {f"test_{kind}_rope_numerically" for kind in ("default", "linear", "dynamic", "yarn", "longrope", "llama3")}
OTHERS = {
    "test_rope_validation": "transformers' checks of its configuration files, which fail on 5.23 without ours too: it "
    "expects an error for `proportional`, which needs no more than a base",
    "test_yarn_original_original_max_position_embeddings_validation": "transformers' checks of its configuration files; "
    "ours are in tests/nn/test_rotary_scaling.py",
}
"""The tests that run none of our functions, and why."""


@pytest.mark.slow
@pytest.mark.skipif(not FILE.is_file(), reason="$ERLANGEN_PEERS has no checkout of transformers")
@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers is not installed")
@pytest.mark.skipif(importlib.util.find_spec("parameterized") is None, reason="transformers' tests need parameterized")
def test_transformers_tests_pass_with_our_frequencies(tmp_path: Path) -> None:
    out = tmp_path / "out.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "peers.swap_rope", "-p", "no:cacheprovider", "-W", "ignore"]
    folders = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    run = subprocess.run(
        [*command, "-c", os.devnull, "--rootdir", str(FILE.parents[2]), "--junitxml", str(out), str(FILE)],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)}, cwd=tmp_path,
    )  # fmt: skip
    assert out.exists(), run.stdout + run.stderr
    cases = list(ElementTree.parse(out).iter("testcase"))
    calls = {case.get("name"): int(next(case.iter("property")).get("value", 0)) for case in cases}
    assert {name for name, count in calls.items() if count} == OURS
    assert {name for name, count in calls.items() if not count} == set(OTHERS)
    failed = {case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None}
    assert not OURS & failed
    assert not any(list(case.iter("skipped")) for case in cases)
