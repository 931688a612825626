"""The jars of the local Neo4j in the user's cache: where they lie, which of them are missing."""

from __future__ import annotations

import hashlib
from pathlib import Path

from graph.server.lock import Jar, Lock
from graph.settings import Settings


def folder(settings: Settings, lock: Lock) -> Path:
    """Return the folder of this lock's jars in the user's cache."""
    return settings.cache / "neo4j" / f"{lock.version}-{lock.digest}"


def missing(settings: Settings, lock: Lock, *, thorough: bool = False) -> list[Jar]:
    """Return the jars that the cache lacks or holds with another size (thorough: another sha256)."""
    lib = folder(settings, lock)
    return [jar for jar in lock.jars if not is_good(lib / jar.file_name, jar, thorough=thorough)]


def class_path(settings: Settings, lock: Lock) -> list[Path]:
    """Return the files of the class path in the lock's order, whether or not they are there."""
    return [folder(settings, lock) / jar.file_name for jar in lock.jars]


def is_good(file: Path, jar: Jar, *, thorough: bool) -> bool:
    """Whether the file is the locked jar: its size, and if `thorough` its sha256."""
    try:
        if file.stat().st_size != jar.size_bytes:
            return False
        if not thorough:
            return True
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False
