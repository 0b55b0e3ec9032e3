"""Which run stands for a claim, how it says what was changed, and the line by which it is cited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from erlangen.cli.facts import of_claim
from erlangen.errors import DamagedFileError
from erlangen.records.runs import Answer, Claim, Figures, Run, Verdict
from erlangen.report.citation import citation
from erlangen.report.folder import fullest_conclusions, read_verdicts
from erlangen.sweep.store import Store

CLAIM = Claim(id="G8", statement="GAT is more robust.", how="By noise.", parts={})
RUN = Run(
    experiment="noisy-neighbors", preset="quick", recipe={"seeds": 3}, precision="float32", device="cpu", workers=1, jobs=(),
    claims=(CLAIM,), versions={"erlangen": "0.1.0"}, date="2026-11-27",
)  # fmt: skip
ANSWER = Answer(claim="G8", answer="supported", sentence="It is so.")
VERDICT = Verdict(claim="G8", part="p", of="report", kind="exact", statement="s", verdict="supported")
OWN = "on your graph (club.npz): does not judge the report's statement"


def finished(folder: Path, run: Run = RUN, answer: Answer = ANSWER) -> None:
    store = Store(folder)
    store.open(run).close()
    store.conclude([VERDICT], [answer], Figures(question="?"))


def test_a_preset_as_it_is_stands_before_a_changed_recipe_which_says_what_was_changed(tmp_path: Path) -> None:
    finished(tmp_path / "changed", replace(RUN, recipe={"seeds": 9}, changed={"edge": -15.0, "rows": ["a", "b"]}))
    found, _ = fullest_conclusions(tmp_path)
    assert found["G8"].source() == f"{tmp_path / 'changed'}: quick preset, changed: edge=-15.0, rows=a,b, 9 seeds"
    finished(tmp_path / "plain")
    found, _ = fullest_conclusions(tmp_path)
    assert found["G8"].folder == tmp_path / "plain"
    assert found["G8"].others == (tmp_path / "changed",)


def test_a_run_on_a_graph_of_the_users_never_stands_for_the_claim(tmp_path: Path) -> None:
    finished(tmp_path / "own", replace(RUN, recipe={"seeds": 50}), replace(ANSWER, beyond=OWN))
    found, _ = fullest_conclusions(tmp_path)
    assert (found["G8"].outcome, found["G8"].is_beyond) == ("not run", True)
    assert of_claim("G8", found)["answer"] is None
    assert of_claim("G8", found)["beyond"] == [str(tmp_path / "own")]
    finished(tmp_path / "plain")
    found, _ = fullest_conclusions(tmp_path)
    assert (found["G8"].folder, found["G8"].outcome) == (tmp_path / "plain", "supported")
    assert (found["G8"].others, found["G8"].beyond) == ((), (tmp_path / "own",))


def test_a_run_folder_may_be_given_for_a_directory_of_them(tmp_path: Path) -> None:
    finished(tmp_path / "mine")
    found, unreadable = fullest_conclusions(tmp_path / "mine")
    assert (found["G8"].folder, unreadable) == (tmp_path / "mine", [])
    (tmp_path / "mine" / "verdicts.json").unlink()
    found, (line,) = fullest_conclusions(tmp_path / "mine")
    assert not found
    assert "its run is not finished" in line


def test_a_result_is_cited_in_one_line() -> None:
    start = "G8, “GAT is more robust”: "
    facts = "erlangen 0.1.0, experiment noisy-neighbors, quick preset, 3 seeds, float32 on cpu, 2026-11-27"
    assert citation(RUN, ANSWER) == f"{start}supported ({facts})."
    assert citation(RUN, replace(ANSWER, beyond="on your graph")) == f"{start}beyond the claim, on your graph ({facts})."
    assert citation(replace(RUN, date="", versions={}), ANSWER).endswith(
        "(erlangen, experiment noisy-neighbors, quick preset, 3 seeds, float32 on cpu)."
    )


@pytest.mark.parametrize("content", ["{", "{}", '[{"claim": "X1"}]'])
def test_damaged_verdicts_say_how_to_make_them_again(content: str, tmp_path: Path) -> None:
    finished(tmp_path / "run", replace(RUN, command="erlangen run toy --out run"))
    (tmp_path / "run" / "verdicts.json").write_text(content)
    with pytest.raises(DamagedFileError, match="run `erlangen run toy --out run` again; its jobs are kept") as caught:
        read_verdicts(tmp_path / "run")
    assert caught.value.exit_code == 4
