"""The start-up archive (Java's ahead-of-time cache): loaded and linked classes, so that a start takes half the time.

Java ignores an archive that does not fit; its name carries everything that it depends on, so that after an update of
Neo4j or Java another one is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from graph.server import config
from graph.server.java import java_home

KEPT = 4
"""Of about 200 MB each; checkouts that share a cache have one each, as their Javas lie in different places."""


def path(class_path: Sequence[Path]) -> Path:
    """Return where the archive of this class path, this Java and these options lies or would lie."""
    key = hashlib.sha256("\n".join(config.JAVA_OPTIONS).encode())
    for file in (java_home() / "lib" / "modules", *class_path):
        status = file.stat()
        key.update(f"{file} {status.st_size} {status.st_mtime_ns}\n".encode())
    return class_path[0].parent / f"start-{key.hexdigest()[:16]}.aot"


def is_wanted(class_path: Sequence[Path]) -> bool:
    """Whether there is none yet and none was tried in vain."""
    archive = path(class_path)
    return not archive.exists() and not failure(archive).exists()


def failure(archive: Path) -> Path:
    """Return the file that says why the archive could not be made."""
    return archive.with_suffix(".failed")


def options(class_path: Sequence[Path]) -> list[str]:
    """Return the options that make Java use the archive; none where there is no archive."""
    archive = path(class_path)
    return [f"-XX:AOTCache={archive}", "-Xlog:aot*=off", "-Xlog:cds=off"] if archive.exists() else []


def prune(folder: Path) -> None:
    """Delete all but the newest archives of a folder: others belong to a Java that is gone."""
    archives = sorted(folder.glob("start-*.aot"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in archives[KEPT:]:
        old.unlink(missing_ok=True)
