"""Neo4j's own administration commands (import, dump, load, check) on a local store that no server has open."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from graph.errors import LocalServerError
from graph.server import archive, config
from graph.server.fetch import fetch
from graph.server.java import java_home
from graph.settings import Settings

MAIN_CLASS = "org.neo4j.cli.AdminTool"
"""What `neo4j-admin` starts in a child JVM of its own; started directly there is one process, which can be ended."""
TIMEOUT_S = 86_400.0
LOG = "neo4j-admin.log"
_REASON_CHARS = 300


def run_admin(settings: Settings, arguments: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> str:
    """Run one command as `neo4j-admin` would, on the store under `settings.home`, and return what it printed.

    The caller makes sure that no server has the store open. The output is kept in `logs/neo4j-admin.log`.

    Args:
        settings: `home` and `neo4j_heap_mb`; the configuration of the local server is written anew from them.
        arguments: for example `["database", "dump", "neo4j", "--to-path=/absolute"]`; file names are absolute.
        timeout_s: the command is killed after this.

    Raises:
        LocalServerError: no Java, no jars, or the command failed or took too long; one line with its reason.
    """
    command, environment = _command(settings, fetch(settings, show=False), arguments)
    settings.logs.mkdir(parents=True, exist_ok=True)
    log = settings.logs / LOG
    with log.open("wb") as stream:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment)
        try:
            code = child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            if child.poll() is None:  # too late, or the one who waits was interrupted
                child.kill()
                child.wait()
    said = log.read_text(encoding="utf-8", errors="replace")
    if code:
        raise LocalServerError(f"neo4j-admin {' '.join(arguments[:2])} ended with {code}: {_reason(said)}; see {log}")
    return said


def _command(
    settings: Settings, class_path: Sequence[Path], arguments: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    home = config.neo4j_home(settings)
    (home / "conf").mkdir(parents=True, exist_ok=True)
    (home / "conf" / "neo4j.conf").write_text(config.neo4j_conf(settings), encoding="utf-8")
    command = [
        str(java_home() / "bin" / "java"),
        f"-Xmx{settings.neo4j_heap_mb}m",
        *config.JAVA_OPTIONS,
        *archive.options(class_path),
        "-cp",
        ":".join(str(jar) for jar in class_path),
        MAIN_CLASS,
        *arguments,
    ]
    return command, {**os.environ, "NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")}


def _reason(said: str) -> str:
    """Return the last line that says something; frames of a stack trace and rulers do not."""
    lines = (line.strip() for line in reversed(said.splitlines()))
    return next(
        (line[:_REASON_CHARS] for line in lines if line.strip("- ") and not line.startswith("at ")), "(no word)"
    )
