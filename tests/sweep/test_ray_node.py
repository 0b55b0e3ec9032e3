"""What a machine of a cluster checks before it computes, and the options that need Ray: all without Ray."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.command import erlangen
from support.own import write_experiment

from erlangen.cli.executors import executor_for
from erlangen.errors import ErlangenError
from erlangen.experiments import load, planned_jobs
from erlangen.sweep.executor import Local
from erlangen.sweep.ray import connect, node
from erlangen.sweep.ray.node import Needs, Refused, needs_of, obstacle, work

TOY = "support.toy"


@pytest.fixture
def needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Needs:
    """Of an experiment that reads data: a file and a folder that its jobs name, and $ERLANGEN_DATA."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ERLANGEN_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "one.png").write_bytes(b"1")
    (tmp_path / "book.txt").write_text("Once upon a time")
    home = write_experiment(
        tmp_path, "reading", tasks=("    pass", "    corpus: str\n    images: str\n    kind: str"),
        init=("job(Measure(), ", "job(Measure(corpus='book.txt', images='data/images', kind='plain'), "),
    )  # fmt: skip
    (home / "__init__.py").write_text((home / "__init__.py").read_text() + "\n\ndef fetch(recipe):\n    pass\n")
    for name in [name for name in sys.modules if name.split(".")[0] == "reading"]:  # of the test before
        monkeypatch.delitem(sys.modules, name)
    obstacle.cache_clear()
    return needs_of("reading", planned_jobs("reading", load("reading").PRESETS["quick"]))


def test_the_machine_that_plans_the_run_may_compute_it(needs: Needs, tmp_path: Path) -> None:
    assert [name for name, _ in needs.files] == ["book.txt", "data/images"]
    assert needs.data == str(tmp_path / "data")
    assert obstacle(needs) == ""


def test_other_versions_are_named_on_both_sides(needs: Needs) -> None:
    other = tuple((name, "0.1" if name == "torch" else version) for name, version in needs.versions)
    line = obstacle(replace(needs, versions=other))
    assert line == f"has torch {dict(needs.versions)['torch']}, and the machine that plans the run has 0.1: install the same"
    assert "Python" in obstacle(replace(needs, versions=(("Python", "2.7"), *needs.versions[1:])))


def test_a_package_that_is_not_installed_is_named(needs: Needs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "PACKAGES", ("torch", "no-such-package"))
    line = obstacle(replace(needs, versions=(*needs.versions[:2], ("no-such-package", "1.0"))))
    assert line.startswith("has no-such-package not installed, and the machine that plans the run has 1.0")


def test_other_code_is_named(needs: Needs, tmp_path: Path) -> None:
    run = tmp_path / "reading" / "run.py"
    run.write_text(run.read_text() + "\n\ndef more():\n    return 1\n")
    line = obstacle(needs)
    assert line.startswith("has other code of erlangen or reading (fingerprint ")
    assert needs.code[:8] in line


def test_an_experiment_that_is_not_there_is_named(needs: Needs) -> None:
    assert obstacle(replace(needs, experiment="nowhere")).startswith("cannot load nowhere: there is no experiment 'nowhere'")


@pytest.mark.parametrize("gone", ["book.txt", "data/images", "data"])
def test_missing_data_are_named(needs: Needs, tmp_path: Path, gone: str) -> None:
    (tmp_path / gone).rename(tmp_path / "elsewhere")
    assert obstacle(needs) == f"does not have {tmp_path / gone}: put the data into a folder that all machines share"


@pytest.mark.parametrize("file", ["book.txt", "data/images/one.png"])
def test_other_data_under_the_same_name_are_named(needs: Needs, tmp_path: Path, file: str) -> None:
    """Its results would be recorded under the digest of the file that the run was planned with."""
    (tmp_path / file).write_text("Twice upon a time")
    assert obstacle(needs).startswith(f"has another {tmp_path / file}".removesuffix("/one.png"))


def test_data_are_looked_for_where_the_run_was_started(needs: Needs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by the jobs that follow: their file names are relative to it."""
    (tmp_path / "started here").mkdir()
    monkeypatch.chdir(tmp_path / "started here")
    monkeypatch.delenv("ERLANGEN_DATA")
    assert obstacle(needs) == ""
    assert Path.cwd() == tmp_path
    assert node.os.environ["ERLANGEN_DATA"] == str(tmp_path / "data")


def test_an_experiment_without_data_needs_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from support.toy import Recipe

    monkeypatch.setenv("ERLANGEN_DATA", str(tmp_path))
    asked = needs_of(TOY, planned_jobs(TOY, Recipe(where=str(tmp_path))))
    assert (asked.data, asked.files) == ("", ())


def test_a_machine_that_may_not_compute_refuses(needs: Needs) -> None:
    found = work((), replace(needs, code="0" * 64), None, fresh=False)
    assert isinstance(found, Refused)
    assert found.reason.startswith(f"{node.platform.node()} has other code")


def test_the_users_packages_are_sent_with_what_they_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "beside.py").write_text("LIMIT = 1\n")
    (tmp_path / "above.py").write_text("")
    write_experiment(
        tmp_path, "lab.ours", run=("from .tasks import Measure", "import beside\n\nfrom .tasks import Measure"),
        init=("from .tasks import Measure", "import above\n\nfrom .tasks import Measure"),
    )  # fmt: skip
    sent = connect.packages(["padding", "lab.ours"])
    package = Path(connect.__file__).parents[2]
    assert sent == sorted(map(str, (package, tmp_path / "lab", tmp_path / "beside.py", tmp_path / "above.py")))
    assert connect.packages(["padding"]) == [str(package)]


def test_without_ray_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ErlangenError, match=r"^Ray is not installed: pip install ray$"):
        connect.connected().__enter__()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("slurm", None, None, None), "--executor slurm: choose local or ray"),
        (("local", "auto", None, None), "--address needs --executor ray"),
        (("local", None, 2, None), "--job-cpus needs --executor ray"),
        (("local", None, None, 0.5), "--job-gpus needs --executor ray"),
    ],
)
def test_options_that_do_not_go_together(options: tuple, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ErlangenError, match=words):
        executor_for(*options, [TOY]).__enter__()


def test_the_default_is_this_machine(tmp_path: Path) -> None:
    with executor_for("local", None, None, None, [TOY]) as executor:
        assert executor == Local()
    out = erlangen("run", TOY, "--executor", "slurm", cwd=tmp_path)
    assert (out.returncode, out.stderr.count("\n"), list(tmp_path.iterdir())) == (2, 1, [])


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_first_start_that_fails_is_repeated_once_and_told_of(failures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts, lines = list[dict[str, object]](), list[str]()

    def initialize(**options: object) -> None:
        attempts.append(options)
        if len(attempts) <= failures:
            raise TimeoutError(f"attempt {len(attempts)}\nand more")

    monkeypatch.setattr(connect, "initialize", initialize)
    monkeypatch.setattr(connect, "own_address", lambda: "127.0.0.1")
    if failures == 2:
        with pytest.raises(ErlangenError, match=r"^Ray does not start on this machine: attempt 2$"):
            connect.start({}, lines.append)
    else:
        connect.start({}, lines.append)
    assert len(attempts) == 1 + bool(failures)
    assert all(options["address"] == "local" and options["include_dashboard"] is False for options in attempts)
    assert lines == ["Ray started at the second attempt; the first one failed: attempt 1"] * (failures == 1)


def test_a_remote_client_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(ErlangenError, match="run erlangen on a machine of the cluster"):
        connect.join("ray://head:10001", {})
