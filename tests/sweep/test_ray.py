"""Jobs on a Ray cluster: the same files as on one machine, whatever dies on the way. All clusters here are on the loopback."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.command import alive, erlangen as command, start, wait_for
from support.sockets import addresses_of, family

pytest.importorskip("ray", reason="Ray is not installed: pip install ray")

import ray
from ray.exceptions import NodeDiedError, OutOfMemoryError, WorkerCrashedError
from support.toy import Recipe

import erlangen
from erlangen.errors import ErlangenError
from erlangen.experiments import planned_jobs
from erlangen.sweep.local import Done, Failed
from erlangen.sweep.ray import connect
from erlangen.sweep.ray.executor import Ray
from erlangen.sweep.ray.node import needs_of
from erlangen.sweep.ray.privacy import LOOPBACK, NO_STATISTICS, token
from erlangen.sweep.ray.tasks import Tasks

TOY = "support.toy"
RAY = ("run", TOY, "--executor", "ray", "--out", "run")
TESTS = Path(__file__).parents[1]
WAIT = 1.5  # seconds of a job
# A machine that is lost is noticed after some seconds rather than half a minute.
QUICKLY = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000, "health_check_failure_threshold": 3}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head with one core that demands a token; tests add machines to it."""
    from ray._private import ray_constants
    from ray._raylet import Config
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)  # read from the environment when Ray is imported
        for name, value in {**NO_STATISTICS, **LOOPBACK, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token()}.items():
            patched.setenv(name, value)
        patched.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]))
        Config.initialize("")  # has the environment read again
        made = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "_system_config": QUICKLY}
        )
        yield made
        made.shutdown()


def files_of(folder: Path) -> dict[str, Any]:
    """What a run left, but for seconds, the machine, and the checksum over them."""
    jobs = {path.name: json.loads(path.read_text()) for path in (folder / "jobs").iterdir()}
    kept = {name: {key: job[key] for key in job if key not in ("seconds", "machine", "checksum")} for name, job in jobs.items()}
    return kept | {name: (folder / name).read_bytes() for name in ("verdicts.json", "answers.json", "figures.json")}


def lose(cluster: Any, machine: Any) -> None:
    """A machine without power: its workers, too, which would else finish their jobs and only then miss it."""
    processes = family(machine.all_processes["raylet"][0].process.pid)
    cluster.remove_node(machine, allow_graceful=False)
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Removing:
    """Progress that, once a job has ended, loses a machine at the start of one that it computes. marks: what jobs write."""

    def __init__(self, cluster: Any, machine: Any, marks: Path) -> None:
        self.cluster, self.machine, self.marks = cluster, machine, marks

    def __call__(self, jobs: object, workers: int) -> Removing:
        return self

    def __enter__(self) -> Removing:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def advance(self, job: object) -> None:
        if self.machine is not None:
            wait_for(self.has_started_a_job)
            lose(self.cluster, self.machine)
            self.machine = None

    def has_started_a_job(self) -> bool:
        new = [mark for mark in self.marks.iterdir() if time.time() - mark.stat().st_mtime < WAIT / 3]
        processes = family(self.machine.all_processes["raylet"][0].process.pid) if new else ()
        return any(int(mark.read_text() or 0) in processes for mark in new)


def test_a_machine_lost_on_the_way_changes_no_file(cluster: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    machine, lines = cluster.add_node(num_cpus=1), list[str]()
    (tmp_path / "marks").mkdir()
    settings = {"tasks": ("hold",), "wait": WAIT, "where": str(tmp_path / "marks")}
    with connect.connected(cluster.address, experiments=[TOY], notify=lines.append) as executor:
        assert executor.workers("cpu") == 2
        addresses = addresses_of(os.getpid())
        run = erlangen.run(
            TOY,
            settings=settings,
            seeds=6,
            out=tmp_path / "ray",
            executor=executor,
            progress=Removing(cluster, machine, tmp_path / "marks"),
        )
    assert not ray.is_initialized()
    assert run.failed == ()
    assert lines == ["1 job runs once more: the machine was lost"] or lines == ["1 job runs once more: the worker died"]
    erlangen.run(TOY, settings=settings, seeds=6, out=tmp_path / "local", workers=1)
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "local")
    assert addresses, "of Ray's processes"
    assert addresses <= {"127.0.0.1"}, "of all interfaces, the loopback alone"
    assert capfd.readouterr() == ("", ""), "pages of Ray's logs"


MACHINES = {"small": {"CPU": 4.0, "GPU": 0.0}, "large": {"CPU": 16.0, "GPU": 2.0}, "asleep": {"CPU": 0.0, "GPU": 0.0}}


def test_what_fits_on_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlangen.sweep.ray.executor.machines", lambda: MACHINES)
    assert list(Ray().machines("cpu")) == ["large", "small"]
    assert (Ray().workers("cpu"), Ray(job_cpus=3).workers("cpu"), Ray(job_cpus=5).workers("cpu")) == (20, 6, 3)
    assert (Ray().workers("cuda"), Ray(job_gpus=0.25).workers("cuda"), Ray(job_cpus=8, job_gpus=0.25).workers("cuda")) == (
        2,
        8,
        2,
    )
    assert list(Ray().machines("cuda")) == ["large"]
    Ray(job_cpus=16, job_gpus=2).check_device("cuda", "bfloat16")
    for options, device, words in (
        ({"job_cpus": 17}, "cpu", "no machine of the Ray cluster has the 17 cores that a job takes"),
        ({"job_gpus": 3}, "cuda", "no machine of the Ray cluster has the 1 cores and 3 GPUs that a job takes"),
        ({}, "cuda:1", "--device cuda:1: Ray chooses the GPU of each job; write --device cuda"),
    ):
        with pytest.raises(ErlangenError, match=words):
            Ray(**options).check_device(device, "float32")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            OutOfMemoryError("of memory"),
            "the machine ran out of memory, and Ray ended the worker (try more --job-cpus: fewer jobs at once)",
        ),
        (WorkerCrashedError(), "the worker died"),
        (NodeDiedError("of a node"), "the machine was lost"),
    ],
)  # fmt: skip
def test_what_ray_loses_runs_once_more_and_then_fails(error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the two jobs of a task by itself: one of them may be to blame."""
    jobs, lines = planned_jobs(TOY, Recipe(seeds=2)), list[str]()
    monkeypatch.setattr(ray, "get", lambda task: (_ for _ in ()).throw(error))
    tasks = Tasks(Ray(notify=lines.append), [tuple(jobs)], {TOY: needs_of(TOY, jobs)}, None, None)
    assert list(tasks.take("task", tasks.waiting.popleft())) == []
    tasks.tell_of_lost()
    assert lines == [f"2 jobs run once more: {reason}"]
    assert list(tasks.waiting) == [(jobs[0],), (jobs[1],)]
    assert list(tasks.take("task", tasks.waiting.popleft())) == [Failed(jobs[0], f"{reason}, twice")]


def executed(executor: Ray, *what: str, workers: int = 9, **fields: Any) -> tuple[list[Done], list[Failed]]:
    """The outcomes of toys."""
    jobs = planned_jobs(TOY, Recipe(**{"tasks": what, "seeds": 1, **fields}))
    with closing(executor.execute(jobs, workers)) as outcomes:
        found = list(outcomes)
    assert {id(outcome.job) for outcome in found} == {id(job) for job in jobs}, "the very jobs that were asked for"
    return [one for one in found if isinstance(one, Done)], [one for one in found if isinstance(one, Failed)]


@pytest.mark.slow
def test_a_machine_with_other_versions_is_left_out(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "numpy-0.1.dist-info").mkdir()
    (tmp_path / "numpy-0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.1\n")
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    lines: list[str] = []
    with connect.connected(cluster.address, experiments=[TOY], notify=lines.append) as executor:
        other = cluster.add_node(num_cpus=2, env_vars={"PYTHONPATH": path})
        done, failed = executed(executor, "wait", seeds=6)
        assert (len(done), failed) == (6, [])
        assert len(lines) == 1
        assert lines[0].endswith("install the same")
        assert " has numpy 0.1, and the machine that plans the run has " in lines[0]
        alone, failed = executed(executor, "note-alone", seeds=2, where=str(tmp_path))
        assert (len(alone), failed) == (2, []), "the larger machine is refused: its exclusive jobs go to the other"
        _, failed = executed(Ray(job_cpus=2, notify=lines.append), "add", seeds=3)
        assert len(failed) == 3, "no other machine has two cores"
        assert "has numpy 0.1" in failed[0].reason
    cluster.remove_node(other)


@pytest.mark.slow
def test_exclusive_jobs_run_alone_each_in_a_fresh_process(cluster: Any, tmp_path: Path) -> None:
    other = cluster.add_node(num_cpus=2)
    with connect.connected(cluster.address, experiments=[TOY]) as executor:
        executed(executor, "note-alone", "note", seeds=3, where=str(tmp_path))
    runs = {path.name: [float(part) for part in path.read_text().split()] for path in tmp_path.iterdir()}
    alone = [notes for name, notes in runs.items() if name.startswith("note-alone")]
    assert len({notes[0] for notes in alone}) == 3
    for notes in alone:
        assert all(other[2] <= notes[1] or other[1] >= notes[2] for other in runs.values() if other is not notes)
    cluster.remove_node(other)


@pytest.mark.slow
def test_no_more_jobs_at_a_time_than_asked_for(cluster: Any, tmp_path: Path) -> None:
    other = cluster.add_node(num_cpus=2)
    with connect.connected(cluster.address, experiments=[TOY]) as executor:
        executed(executor, "note", seeds=5, wait=0.5, workers=1, where=str(tmp_path))
    times = sorted([float(part) for part in path.read_text().split()][1:] for path in tmp_path.iterdir())
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))
    cluster.remove_node(other)


@pytest.mark.slow
def test_a_cluster_demands_its_token(cluster: Any, tmp_path: Path) -> None:
    args = (*RAY, "--address", cluster.address)
    for variables in ({"RAY_AUTH_TOKEN": "0" * 64}, {"RAY_AUTH_MODE": "disabled"}):
        out = command(*args, cwd=tmp_path, variables=variables)
        assert out.returncode == 2
        assert f"erlangen: cannot use the Ray cluster at {cluster.address}: " in out.stderr.splitlines()[-1]
        assert not (tmp_path / "run").exists()
    assert command(*args, cwd=tmp_path).returncode == 0


@pytest.mark.slow
def test_jobs_that_raise_exhaust_the_memory_hang_or_die_are_named_and_the_others_finish(tmp_path: Path) -> None:
    """In a cluster of the command's own."""
    setting = ("--set", "tasks=add,fail,hog,wait,die", "--set", "wait=300", "--seeds", "1", "--job-timeout", "20")
    out = command(*RAY, *setting, cwd=tmp_path)
    assert out.returncode == 4, out.stderr
    texts = {path.read_text().split()[2]: path.read_text().rstrip() for path in (tmp_path / "run" / "failures").iterdir()}
    assert texts["fail"].endswith("RuntimeError: seed 0 fails")
    assert texts["hog"].endswith("MemoryError")
    assert "Traceback" in texts["fail"]
    assert "bytearray(16 << 30)" in texts["hog"]
    assert texts["wait"].endswith("took longer than --job-timeout 20 s")
    assert (
        "its worker was killed by SIGKILL (out of memory? try fewer --workers, or with Ray more --job-cpus), twice"
        in texts["die"]
    )
    assert len(texts) == 4
    assert len(list((tmp_path / "run" / "jobs").iterdir())) == 1
    assert [verdict["verdict"] for verdict in json.loads((tmp_path / "run" / "verdicts.json").read_text())] == ["not measured"]
    assert len(out.stderr.splitlines()) == 6, "announcement, failures and progress, and nothing of Ray's"


@pytest.mark.slow
def test_a_killed_driver_resumes_to_the_same_files_and_leaves_no_process(tmp_path: Path) -> None:
    args = (*RAY, "--set", "tasks=hold", "--set", "wait=1", "--set", f"where={tmp_path}", "--seeds", "5")
    process = start(*args, cwd=tmp_path)
    wait_for(lambda: (tmp_path / "run" / "jobs").exists() and any((tmp_path / "run" / "jobs").glob("*.json")))
    wait_for(lambda: len(list(tmp_path.glob("hold-*"))) >= 3)
    mates = family(process.pid)
    assert addresses_of(process.pid) == {"127.0.0.1"}
    process.kill()
    process.communicate()
    wait_for(lambda: not any(map(alive, mates)), seconds=150)  # workers at once, Ray's agents after a minute
    assert 0 < len(list((tmp_path / "run" / "jobs").glob("*.json"))) < 5
    out = command(*args, cwd=tmp_path)
    assert out.returncode == 0, out.stderr
    assert " of 5 found, running " in out.stderr
    command("run", *args[1:2], *args[6:], "--out", "local", "--workers", "1", cwd=tmp_path)
    assert files_of(tmp_path / "run") == files_of(tmp_path / "local")


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_on_ray_as_any_other(signum: int, code: int, tmp_path: Path) -> None:
    process = start(*RAY, "--set", "tasks=hold", "--set", "wait=100", "--set", f"where={tmp_path}", cwd=tmp_path)
    wait_for(lambda: any(tmp_path.glob("hold-*")))
    mates = family(process.pid)
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "every finished job is kept; run the same command again to resume" in err
    assert "Traceback" not in err
    wait_for(lambda: not any(map(alive, mates)), seconds=30)
