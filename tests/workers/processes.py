"""Starting Kith's own processes in tests: the environment that their settings come from, and a clean end."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from api import server
from graph.server.process import free_ports
from graph.settings import Settings
from kith import stack

ROOT = Path(__file__).parents[2]
KEPT = ("HOME", "PATH", "LANG", "TMPDIR", "XDG_CACHE_HOME", "VIRTUAL_ENV", "COVERAGE_PROCESS_START", "JDK_JAVA_OPTIONS")
START_S = 120.0


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment in which `Settings.load()` gives these settings."""
    env = {name: os.environ[name] for name in KEPT if name in os.environ}
    for each in dataclasses.fields(settings):
        value = getattr(settings, each.name)
        if value != each.default:
            env[each.metadata["variable"]] = ",".join(value) if isinstance(value, tuple) else str(value)
    return {**env, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def beside(settings: Settings, home: Path, **changes: Any) -> Settings:
    """Return settings with a home of its own that take the tests' Neo4j for an operator's, with these changes."""
    return dataclasses.replace(
        settings, home=home, neo4j_uri=settings.bolt_uri, neo4j_password=settings.password(), **changes
    )


@contextlib.contextmanager
def process(command: Sequence[str], settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Python module with arguments as long as the block."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        running = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment(settings), stdout=stream, stderr=stream
        )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


@contextlib.contextmanager
def whole_stack(settings: Settings, home: Path, **changes: Any) -> Iterator[Settings]:
    """Run broker, workers, scheduler and API beside the tests' Neo4j, supervised, as `kith up` does; yield settings."""
    broker_port, api_port = free_ports(2)
    chosen = beside(settings, home, broker_port=broker_port, api_port=api_port, **changes)
    stack.up(chosen)
    try:
        yield chosen
    finally:
        stack.down(chosen)
    assert not stack.status(chosen).processes or not stack.status(chosen).healthy


def worker_command(queues: str, children: int = 1) -> list[str]:
    """Return the arguments that start a worker of these queues."""
    options = ["--pool=prefork", "-c", str(children), "--loglevel=INFO", "--without-mingle", "--without-gossip"]
    return ["celery", "-A", "workers.app:app", "worker", "-Q", queues, *options]


def api_command(port: int, workers: int = 1) -> list[str]:
    """Return the arguments that start the API server, as the stack starts it."""
    _, _, *arguments = server.command(Settings(api_port=port, api_workers=workers))
    return arguments


class Server(NamedTuple):
    """An API server of a test's own."""

    port: int
    pid: int
    log: Path
    settings: Settings


@contextlib.contextmanager
def api_server(settings: Settings, broker_url: str, home: Path) -> Iterator[Server]:
    """Run the API in two processes beside the tests' Neo4j; yield when it is ready."""
    (port,) = free_ports(1)
    log = home / "logs" / "api.log"
    chosen = beside(settings, home, broker_url=broker_url, signing_key="k" * 40)
    with process(api_command(port, workers=2), chosen, log) as parent:
        until(lambda: answers(f"http://127.0.0.1:{port}/ready"))
        yield Server(port, parent.pid, log, chosen)


def until(happened: Callable[[], bool], limit_s: float = START_S) -> None:
    """Wait until it has happened.

    Raises:
        AssertionError: it did not within `limit_s`.
    """
    deadline = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Whether a GET succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False
