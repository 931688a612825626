"""The local Neo4j as a whole: prepare it, run it for the length of a `with` block, ask whether it answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from graph import connection
from graph.server import archive, process
from graph.server.fetch import install
from graph.server.process import answers
from graph.settings import Settings

__all__ = ["answers", "first_query", "on_free_ports", "prepare", "running"]

FIRST_QUERY_TIMEOUT_S = 60.0


def prepare(settings: Settings, *, show: bool = True) -> list[str]:
    """Fetch what is missing, write the configuration and return the command that starts Neo4j.

    Raises:
        LocalServerError: no Java, no jars, or a store without its password.
    """
    class_path = install(settings, show=show)
    return process.command(settings, class_path, archive.options(class_path))


def on_free_ports(settings: Settings) -> Settings:
    """Return the settings with a free Bolt and HTTP port."""
    bolt, browser = process.free_ports(2)
    return replace(settings, bolt_port=bolt, browser_port=browser)


def first_query(settings: Settings) -> None:
    """Run one query with patience: the first loads the planner, which on a busy machine outlasts a read's timeout.

    Raises:
        AuthenticationError: the password is not the store's.
        UnavailableError: no answer.
    """
    with connection.connect(settings) as graph:
        graph.read("schema.read_version", timeout_s=FIRST_QUERY_TIMEOUT_S)


@contextlib.contextmanager
def running(settings: Settings, *, stop_timeout_s: float = process.STOP_TIMEOUT_S) -> Iterator[Settings]:
    """Run a local Neo4j for the length of a `with` block, for tests, loads and measurements; yields the settings.

    It is killed when it has not stopped in time; a store that was just filled needs longer for its last checkpoint.

    Raises:
        LocalServerError: it did not start; the message names the log.
    """
    child = process.start(settings, prepare(settings, show=False))
    try:
        process.wait_until_ready(settings, child)
        first_query(settings)
        yield settings
    finally:
        process.stop(child, stop_timeout_s)
