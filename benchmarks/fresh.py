"""A Neo4j and an API server of the benchmarks' own, fresh each time."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from api import server
from graph import schema
from graph.connection import Graph, connect
from graph.server import neo4j, process
from graph.settings import CONSENT_PURPOSES, Settings

START_S = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """What runs."""

    graph: Graph
    settings: Settings
    port: int
    neo4j_pid: int
    api_pid: int


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Served]:
    """Start both as long as the block; new users consent to everything.

    Raises:
        LocalServerError: Neo4j did not start.
        ValueError: the API did not start.
    """
    settings.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-served-", dir=settings.cache) as home:
        (api_port,) = process.free_ports(1)
        own = replace(
            neo4j.on_free_ports(replace(settings, home=Path(home), neo4j_uri="", neo4j_password="")),
            api_port=api_port,
            consent_default=CONSENT_PURPOSES,
            signing_key="k" * 40,
        )
        with serving(own) as served:
            yield served


@contextlib.contextmanager
def serving(own: Settings) -> Iterator[Served]:
    """Start both on the store of these settings' home as long as the block, and apply the schema.

    Raises:
        LocalServerError: Neo4j did not start.
        ValueError: the API did not start.
    """
    child = process.start(own, neo4j.prepare(own, show=False))
    try:
        process.wait_until_ready(own, child)
        neo4j.first_query(own)
        with connect(own) as graph:
            schema.apply(graph)
            with beside(own, server.command(own)) as api_pid:
                wait(own)
                yield Served(graph, own, own.api_port, child.pid, api_pid)
    finally:
        process.stop(child)


@contextlib.contextmanager
def beside(settings: Settings, command: tuple[str, ...]) -> Iterator[int]:
    """Run one of Kith's processes as long as the block; yield its process id."""
    (settings.home / "run").mkdir(exist_ok=True)
    with (settings.home / "bench.log").open("ab") as log:
        child = subprocess.Popen(command, env=settings.environment(), stdout=log, stderr=log)
        try:
            yield child.pid
        finally:
            child.terminate()
            child.wait(30)


def wait(settings: Settings) -> None:
    """Wait for the API to answer.

    Raises:
        ValueError: it did not start.
    """
    deadline = time.monotonic() + START_S
    while not _lives(settings.api_port):
        if time.monotonic() > deadline:
            raise ValueError("the API did not start: " + (settings.home / "bench.log").read_text()[-500:])
        time.sleep(0.1)


def _lives(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/live")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
