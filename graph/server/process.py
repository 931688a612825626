"""The process of the local Neo4j: its files, its command, its start, its stop."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from graph.errors import LocalServerError
from graph.server import config
from graph.server.java import java_home
from graph.settings import Settings

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 60.0
_POLL_S = 0.05
_HANDSHAKE_TIMEOUT_S = 2.0
# Bolt's magic, then four proposals of a protocol version; the server answers with the one it picks.
_HANDSHAKE = bytes.fromhex("6060b017" + "00000006" + "00080805" + "00000000" * 2)
_NO_VERSION = bytes(4)


def command(settings: Settings, class_path: Sequence[Path], options: Sequence[str] = ()) -> list[str]:
    """Write configuration and (the first time) the password; return the command that starts Neo4j.

    Args:
        settings: ports, memory, home.
        class_path: the jars, in the lock's order.
        options: further options of Java.

    Raises:
        LocalServerError: no Java, or a store without its password.
    """
    home = config.neo4j_home(settings)
    for name in ("conf", "import", "logs", "data/dbms"):
        (home / name).mkdir(parents=True, exist_ok=True)
    _ensure_password(settings)
    (home / "conf" / "neo4j.conf").write_text(config.neo4j_conf(settings), encoding="utf-8")
    arguments = home / "conf" / "java.arguments"
    arguments.write_text(config.java_arguments(settings, class_path, options), encoding="utf-8")
    return [str(java_home() / "bin" / "java"), f"@{arguments}"]


def _ensure_password(settings: Settings) -> None:
    """Generate the password once (mode 0600) and have the store born with it."""
    file = settings.password_file
    data = config.neo4j_home(settings) / "data"
    is_new = not (data / "databases" / "system").exists()
    if not file.exists():
        if not is_new:
            raise LocalServerError(
                f"the store in {data} has lost its password file {file}: put the file back, "
                "or move the store away to start with an empty one"
            )
        write_secret(file, settings.neo4j_password or secrets.token_urlsafe(24))
    if is_new:
        line = config.first_password_line(settings.password(), secrets.token_bytes(32))
        write_secret(data / "dbms" / "auth.ini", line)


def write_secret(file: Path, text: str) -> None:
    """Write a secret so that only its owner can read it, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    partial.replace(file)


def start(settings: Settings, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the command with its output in the log; the child ends with nobody but us."""
    settings.logs.mkdir(parents=True, exist_ok=True)
    with log_file(settings).open("ab") as stream:
        return subprocess.Popen(list(arguments), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)


def log_file(settings: Settings) -> Path:
    """Return the log of the process."""
    return settings.logs / "neo4j.log"


def answers(settings: Settings) -> bool:
    """Whether the local server completes a Bolt handshake."""
    return is_bolt(settings.bolt_port)


def is_bolt(port: int) -> bool:
    """Whether what listens on this port of loopback speaks Bolt."""
    try:
        with socket.create_connection(("127.0.0.1", port), _HANDSHAKE_TIMEOUT_S) as connection:
            connection.settimeout(_HANDSHAKE_TIMEOUT_S)
            connection.sendall(_HANDSHAKE)
            version = connection.recv(4)
            return len(version) == len(_NO_VERSION) and version != _NO_VERSION
    except OSError:
        return False


def wait_until_ready(settings: Settings, child: subprocess.Popen[bytes]) -> None:
    """Wait for the server to answer.

    Raises:
        LocalServerError: it ended, or did not answer within `START_TIMEOUT_S`; the message ends with its last words.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        # Another server may answer on this port: ours must be alive for the answer to be its own.
        if child.poll() is not None or time.monotonic() > deadline:
            log = log_file(settings)
            raise LocalServerError(f"Neo4j did not start; the end of {log}: {last_line(log)}")
        if answers(settings):
            return
        time.sleep(_POLL_S)


def stop(child: subprocess.Popen[bytes], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Ask the process to stop and give it time for a checkpoint; kill it when that is over."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def free_ports(count: int) -> list[int]:
    """Return ports that are free on loopback now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def last_line(log: Path) -> str:
    """Return the last line of a log that is not empty, at most 300 characters of it; of a line of JSON, its message."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "(no log)"
    last = next((line.strip() for line in reversed(lines) if line.strip()), "(empty)")
    if last.startswith("{"):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            last = str(json.loads(last)["message"])
    return last[:300]
