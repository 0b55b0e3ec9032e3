"""A connection to a Ray cluster, or a cluster of this machine alone for the time of a run.

A cluster that is started here listens on the loopback interface only and demands a token, which never leaves the environment of
its processes. A cluster that runs already is joined as it is: start it with RAY_AUTH_MODE=token. Our code and the packages of the
user's experiments are sent to its machines, so that what they compute is what is here; Python, torch and data must be there.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erlangen.errors import ErlangenError
from erlangen.experiments import is_ours, module_name
from erlangen.experiments.modules import find
from erlangen.sweep.fingerprint import reachable
from erlangen.sweep.local import environment_for_children
from erlangen.sweep.machine import cores

if TYPE_CHECKING:
    from erlangen.sweep.ray.executor import Ray

MISSING = "Ray is not installed: pip install 'erlangen[ray]'"
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # where a cluster spans one machine, Ray's address is the loopback's
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # no warning about it
}


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
    environment = dict(QUIET) if address is None else {"RAY_USAGE_STATS_ENABLED": "0"}
    with environment_for_children(environment):
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
            join(address, list(experiments)) if address else start(notify)
            try:
                with raylet_silent():
                    yield executor
            finally:
                ray.shutdown()


def start(notify: Callable[[str], None]) -> None:
    """A cluster of this machine; the first start after a boot may take longer than Ray waits, so there is a second."""
    options: dict[str, Any] = {"address": "local", "num_cpus": cores(), "include_dashboard": False}
    try:
        initialize(**options)
    except Exception as error:
        first = first_line(error)
        try:
            initialize(**options)
        except Exception as second:
            raise ErlangenError(f"Ray does not start on this machine: {first_line(second)}") from second
        notify(f"Ray started at the second attempt; the first one failed: {first}")


def join(address: str, experiments: list[str]) -> None:
    """Connect to a running cluster, and send it our code and the user's."""
    if "://" in address:
        raise ErlangenError(f"--address {address}: run erlangen on a machine of the cluster, and give HOST:PORT or auto")
    try:
        initialize(address=address, runtime_env={"py_modules": packages(experiments), "excludes": ["__pycache__/", "*.pyc"]})
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


@cache
def token() -> str:
    """Of the clusters that this process starts; Ray keeps the first that it has read."""
    return secrets.token_hex(32)


@contextmanager
def own_token() -> Iterator[None]:
    """A cluster that is started inside demands our token. Which it does by itself where RAY_AUTH_MODE is not set."""
    mode = os.environ.pop("RAY_AUTH_MODE", None)
    try:
        with environment_for_children({"RAY_AUTH_TOKEN": token()}):
            yield
    finally:
        os.environ.pop("RAY_AUTH_MODE", None)
        os.environ.update({} if mode is None else {"RAY_AUTH_MODE": mode})


@contextmanager
def raylet_silent() -> Iterator[None]:
    """Keep pages of Ray's own logs, which it prints when a machine dies, off stdout, which has our results alone."""
    from ray._private import worker

    before = getattr(worker, "print_to_stdstream", None)
    worker.print_to_stdstream = lambda *args, **options: None
    try:
        yield
    finally:
        worker.print_to_stdstream = before


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
