"""What a worker's child process holds: its settings and its connection to Neo4j, made after the fork."""

from __future__ import annotations

import os

from graph.connection import Graph, connect
from graph.settings import Settings

_held: dict[str, tuple[int, Settings, Graph]] = {}


def begin() -> None:
    """Read the settings and make the connection of this process; nothing is sent before the first query.

    Raises:
        SettingsError: a setting is unknown, malformed or missing.
    """
    settings = Settings.load()
    _held["mine"] = (os.getpid(), settings, connect(settings))


def end() -> None:
    """Close this process's connection."""
    held = _held.pop("mine", None)
    if held is not None and held[0] == os.getpid():
        held[2].close()


def mine() -> tuple[Settings, Graph]:
    """Return this process's settings and connection; a connection that came over a fork is left alone."""
    held = _held.get("mine")
    if held is None or held[0] != os.getpid():
        begin()
        held = _held["mine"]
    return held[1], held[2]
