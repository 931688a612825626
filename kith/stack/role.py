"""`python -m kith.stack.role NAME`: become one process of the table, in the foreground, as a container does.

The table of processes stays the one place that knows their commands; `--check` asks whether the process is well.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from graph.errors import GraphError, SettingsError
from graph.settings import Settings
from kith.stack import checks, table
from kith.stack.table import Process
from kith.terminal import fail

NAMES = ("schema", "worker-train", "worker-default", "worker-plan", "worker-cascades", "worker-stream", "beat", "api")


def main(arguments: Sequence[str] | None = None) -> int:
    """Become the named process; with `--check` return 0 when it is well, 1 when not. 2: a setting is wrong."""
    parser = argparse.ArgumentParser(prog="kith.stack.role", description="Run one process of Kith in the foreground.")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--check", action="store_true", help="ask whether it is well, instead of running it")
    chosen = parser.parse_args(arguments)
    try:
        settings = Settings.load()
        process = find(settings, chosen.name)
        if chosen.check:
            return 0 if is_well(settings, process) else 1
        _make_folders(settings)
    except (GraphError, OSError) as error:
        fail(str(error))
        return 2
    return _become(settings, process)


def find(settings: Settings, name: str) -> Process:
    """Return the named process of the table.

    Raises:
        SettingsError: Neo4j and the broker are not named, for a single process starts neither; or the event stream.
    """
    if settings.is_local_neo4j or settings.is_local_broker:
        raise SettingsError(f"set NEO4J_URI and KITH_BROKER_URL: {name} alone starts no Neo4j and no broker")
    if name == "worker-stream" and not settings.event_stream:
        raise SettingsError("set KITH_EVENT_STREAM to the name of the stream on the broker")
    return next(process for process in table.processes(settings, []) if process.name == name)


def is_well(settings: Settings, process: Process) -> bool:
    """Whether the process does its work; one that cannot be told now (the broker is away) counts as well."""
    if process.name == "beat":
        return checks.schedule(settings.home / "run")
    return checks.CHECKS[process.check](process.target) is not False


def _become(settings: Settings, process: Process) -> NoReturn:
    """Replace this process, so that the signals of whoever runs the container reach the process itself."""
    os.execve(process.command[0], process.command, settings.environment() | process.environment)  # noqa: S606


def _make_folders(settings: Settings) -> None:
    for folder in (settings.home / "run", settings.logs, settings.artifacts, settings.snapshots):
        folder.mkdir(parents=True, exist_ok=True)


if __name__ == "__main__":
    sys.exit(main())
