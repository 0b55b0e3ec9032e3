"""A connection to a Ray cluster, or a cluster of this machine alone for the time of a run.

A cluster that is started here listens on the loopback interface only and demands a token, which never leaves the environment of
its processes. A cluster that runs already is joined as it is: start it with RAY_AUTH_MODE=token. Our code and the packages of the
user's experiments are sent to its machines, so that what they compute is what is here; Python, torch and data must be there.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erlangen.errors import ErlangenError
from erlangen.experiments import is_ours, module_name
from erlangen.experiments.modules import find
from erlangen.sweep.fingerprint import reachable
from erlangen.sweep.local import environment_for_children
from erlangen.sweep.machine import cores
from erlangen.sweep.ray.privacy import LOOPBACK, NO_STATISTICS, own_token, silent_raylet

if TYPE_CHECKING:
    from erlangen.sweep.ray.executor import Ray

MISSING = "Ray is not installed: pip install ray"


@contextmanager
def connected(
    address: str | None = None,
    *,
    job_cpus: float = 1,
    job_gpus: float | None = None,
    experiments: Iterable[str] = (),
    notify: Callable[[str], None] = lambda line: None,
) -> Iterator[Ray]:
    """An executor on the cluster at `address` ('auto': the one that this machine belongs to), or on one that is started here.

    experiments: those that are going to run; packages of your own among them are sent to the machines of the cluster. job_cpus,
    job_gpus: what a job takes of a machine. notify: called with lines for people. Where this process is connected to a cluster
    already, that one is used and stays connected. Raises ErlangenError where Ray is missing or cannot be reached.
    """
    with environment_for_children(NO_STATISTICS | (LOOPBACK if address is None else {})):
        try:
            import ray
        except ImportError:
            raise ErlangenError(MISSING) from None
        from erlangen.sweep.ray.executor import Ray

        executor = Ray(job_cpus=job_cpus, job_gpus=job_gpus, here=address is None, notify=notify)
        if ray.is_initialized():
            yield executor
            return
        with own_token() if address is None else contextlib.nullcontext():
            with code(experiments) as sent:
                join(address, sent) if address else start(sent, notify)
            try:
                with silent_raylet():
                    yield executor
            finally:
                ray.shutdown()


def start(sent: dict[str, Any], notify: Callable[[str], None]) -> None:
    """A cluster of this machine; the first start after a boot may take longer than Ray waits, so there is a second."""
    options: dict[str, Any] = {"address": "local", "num_cpus": cores(), "include_dashboard": False, "runtime_env": sent}
    try:
        initialize(**options)
    except Exception as error:
        first = first_line(error)
        try:
            initialize(**options)
        except Exception as second:
            raise ErlangenError(f"Ray does not start on this machine: {first_line(second)}") from second
        notify(f"Ray started at the second attempt; the first one failed: {first}")
    if (own := own_address()) != "127.0.0.1":
        notify(f"Ray listens at {own}, too, because your program imported it first; only a secret token lets anyone in")


def own_address() -> str:
    import ray.util

    client: Any = ray.util  # which has no types
    return str(client.get_node_ip_address())


def join(address: str, sent: dict[str, Any]) -> None:
    """Connect to a running cluster."""
    if "://" in address:
        raise ErlangenError(f"--address {address}: run erlangen on a machine of the cluster, and give HOST:PORT or auto")
    try:
        initialize(address=address, runtime_env=sent)
    except Exception as error:
        raise ErlangenError(f"cannot use the Ray cluster at {address}: {first_line(error)}") from error


def initialize(**options: Any) -> None:
    """ray.init without its messages and its handler of SIGTERM. What a failed attempt has started is ended."""
    import ray

    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except BaseException:
        ray.shutdown()
        raise
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


@contextmanager
def code(experiments: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What Ray is told to send to the machines: our code and the user's, so that both are there, and the same.

    Workers start in a folder that is empty: files of the directory where the run is started, which Ray would have them import
    first, must not hide installed packages.
    """
    with tempfile.TemporaryDirectory() as empty:
        yield {"working_dir": empty, "py_modules": packages(experiments), "excludes": ["__pycache__/", "*.pyc"]}


def packages(experiments: Iterable[str]) -> list[str]:
    """The folders and files of this package and of the user's modules behind their experiments: what the machines import."""
    modules = [module_name(name) for name in experiments if not is_ours(name)]
    names = {name.split(".")[0] for module in modules for name in [module, *reachable(module), *reachable(f"{module}.run")]}
    return sorted({str(Path(__file__).parents[2]), *(str(place_of(name)) for name in names - {"erlangen"})})


def place_of(name: str) -> Path:
    """The folder of a top-level package, or the file of a module."""
    module = find(name)
    if module is None or not (module.folders or module.file):
        raise ErlangenError(f"the package {name} cannot be sent to the cluster: it has no folder")
    return module.folders[0] if module.folders else module.file or Path()


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
