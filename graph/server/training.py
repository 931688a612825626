"""Make the start-up archive: run a throw-away Neo4j once through what Kith does with it, and let Java take notes."""

from __future__ import annotations

import tempfile
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from graph import connection, schema
from graph.errors import GraphError
from graph.server import archive, process
from graph.settings import Settings

STOP_TIMEOUT_S = 180.0
TIMEOUT_S = 60.0
USERS = 200
ROUNDS = 5


def make(settings: Settings, class_path: Sequence[Path], *, show: bool) -> None:
    """Write the archive of this class path; a failure is noted beside it and not tried again by itself."""
    target = archive.path(class_path)
    console = Console(stderr=True, quiet=not show)
    console.print("Neo4j: making the archive for quick starts (once per version, about half a minute) ...")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="training-") as place:
        partial = Path(place) / target.name
        try:
            _record(settings, class_path, Path(place), partial)
            partial.replace(target)
        except (GraphError, OSError) as error:
            archive.failure(target).write_text(f"{error}\n", encoding="utf-8")
            console.print(f"Neo4j: no archive ({error}); it will start without, which takes a few seconds longer")
            return
    archive.prune(target.parent)


def _record(settings: Settings, class_path: Sequence[Path], place: Path, output: Path) -> None:
    bolt, browser = process.free_ports(2)
    local = replace(
        settings,
        home=place,
        neo4j_uri="",
        neo4j_user="neo4j",
        neo4j_password="",
        bolt_port=bolt,
        browser_port=browser,
        read_timeout_s=TIMEOUT_S,  # taking notes makes everything slow
        write_timeout_s=TIMEOUT_S,
    )
    command = process.command(local, class_path, [f"-XX:AOTCacheOutput={output}"])
    child = process.start(local, command)
    try:
        process.wait_until_ready(local, child)
        exercise(local)
    finally:
        # Java writes the archive when it stops, which takes longer than a stop otherwise does.
        process.stop(child, STOP_TIMEOUT_S)


def exercise(settings: Settings) -> None:
    """Do a little of everything that the first minute of a start does: schema, writes, reads, vectors, the Browser."""
    with connection.connect(settings) as graph:
        schema.apply(graph)
        graph.write("server.exercise_write", users=list(range(USERS)))
        for _ in range(ROUNDS):
            graph.read("server.exercise_columns")
            graph.read("server.exercise_nearest", vector=[1.0] * 64)
    for page in ("", "browser/"):
        address = f"http://127.0.0.1:{settings.browser_port}/{page}"
        urllib.request.urlopen(address, timeout=TIMEOUT_S).read()
