"""Make the local Neo4j ready to start: its jars, then its start-up archive; `python -m graph.server.fetch`."""

from __future__ import annotations

import sys
from pathlib import Path

from graph.errors import GraphError
from graph.server import archive, jars
from graph.server import lock as locks
from graph.server.lock import Lock
from graph.settings import Settings


def fetch(settings: Settings, lock: Lock | None = None, *, show: bool = True, thorough: bool = False) -> list[Path]:
    """Fill the cache and return the class path, in the lock's order; a second call finds everything there.

    Args:
        settings: `cache` is the folder.
        lock: the checked-in lock unless given.
        show: draw a progress bar on standard error.
        thorough: check the sha256 of what is already there, not only its size.

    Raises:
        LocalServerError: a jar is not to be had, or what the repository serves has another checksum.
    """
    lock = lock or locks.read()
    if wanted := jars.missing(settings, lock, thorough=thorough):
        from graph.server.download import download  # noqa: PLC0415  only who downloads waits for the resolver to load

        download(wanted, jars.folder(settings, lock), show=show)
    return jars.class_path(settings, lock)


def install(settings: Settings, *, show: bool = True, thorough: bool = False) -> list[Path]:
    """Fetch the jars and, once per version of Neo4j and Java, make the archive that halves the time of a start.

    An archive that cannot be made is no error: Neo4j starts without it.

    Raises:
        LocalServerError: as for `fetch`.
    """
    class_path = fetch(settings, show=show, thorough=thorough)
    if archive.is_wanted(class_path):
        from graph.server.training import make  # noqa: PLC0415  only who makes it waits for the driver to load

        make(settings, class_path, show=show)
    return class_path


def main() -> int:
    """Fill the cache; print what is there."""
    lock = locks.read()
    settings = Settings.load()
    try:
        class_path = install(settings, show=True, thorough=True)
    except GraphError as error:
        print(error, file=sys.stderr)
        return 1
    made = archive.path(class_path)
    megabytes = (lock.size_bytes + (made.stat().st_size if made.exists() else 0)) / 1e6
    print(f"Neo4j {lock.version}: {len(lock.jars)} jars, {megabytes:.0f} MB in {jars.folder(settings, lock)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
