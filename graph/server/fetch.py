"""Fetch the jars of the lock: in parallel, each checked, kept in the user's cache; `python -m graph.server.fetch`.

Repositories are those of the user's jgo configuration (else jgo's default); what `mvn` has already downloaded into
the user's local Maven repository is copied, not fetched again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.constants import default_maven_repo
from jgo.maven import MavenContext
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from graph.errors import GraphError, LocalServerError
from graph.server import lock as locks
from graph.server.lock import Jar, Lock
from graph.settings import Settings

THREADS = 16
ATTEMPTS = 3
TIMEOUT_S = 30
BACKOFF_S = 2.0

Advance = Callable[[int], None]


def folder(settings: Settings, lock: Lock) -> Path:
    """Return the folder of this lock's jars in the user's cache."""
    return settings.cache / "neo4j" / f"{lock.version}-{lock.digest}"


def missing(settings: Settings, lock: Lock, *, thorough: bool = False) -> list[Jar]:
    """Return the jars that the cache lacks or holds with another size (thorough: another sha256)."""
    lib = folder(settings, lock)
    return [jar for jar in lock.jars if not _is_good(lib / jar.file_name, jar, thorough=thorough)]


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
    wanted = missing(settings, lock, thorough=thorough)
    if wanted:
        _fetch_all(folder(settings, lock), wanted, show=show)
    return [folder(settings, lock) / jar.file_name for jar in lock.jars]


def _fetch_all(lib: Path, wanted: list[Jar], *, show: bool) -> None:
    lib.mkdir(parents=True, exist_ok=True)
    repositories = GlobalSettings.load().repositories or None
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    # The staging folder is on the same file system, so that the last step is a rename.
    with (
        tempfile.TemporaryDirectory(dir=lib.parent, prefix="fetch-") as staging,
        Progress(*columns, disable=not show, refresh_per_second=4) as progress,
        ThreadPoolExecutor(THREADS, thread_name_prefix="fetch") as pool,
    ):
        task = progress.add_task(f"Neo4j: {len(wanted)} jars", total=sum(jar.size_bytes for jar in wanted))
        results = [
            pool.submit(_fetch_one, jar, lib, Path(staging), repositories)
            for jar in sorted(wanted, key=lambda jar: -jar.size_bytes)
        ]
        try:
            for jar, result in zip(sorted(wanted, key=lambda jar: -jar.size_bytes), results, strict=True):
                result.result()
                progress.advance(task, jar.size_bytes)
        except GraphError:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _fetch_one(jar: Jar, lib: Path, staging: Path, repositories: dict[str, str] | None) -> None:
    """Fetch one jar into `staging`, check it, rename it into `lib`."""
    problem = ""
    for attempt in range(ATTEMPTS):
        # A bad copy in the local Maven repository must not be read again: only the first attempt looks there.
        local = [default_maven_repo()] if attempt == 0 else []
        place = staging / f"{jar.sha256}-{attempt}"
        context = MavenContext(
            repo_cache=place, local_repos=local, remote_repos=repositories, timeout=TIMEOUT_S
        )
        artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact(jar.classifier)
        try:
            found = artifact.resolve()
            if _is_good(found, jar, thorough=True):
                _install(found, lib / jar.file_name, staging)
                return
            problem = "its sha256 is not the one in the lock"
        except (OSError, RuntimeError, AssertionError) as error:
            problem = str(error) or type(error).__name__
        time.sleep(BACKOFF_S * attempt)
    raise LocalServerError(
        f"{jar.group}:{jar.artifact}:{jar.version} was refused or not found ({problem.splitlines()[0]}); "
        "check the network and the repositories in your jgo configuration, then run `kith up` again"
    )


def _install(found: Path, target: Path, staging: Path) -> None:
    if staging not in found.parents:
        copy = staging / target.name
        shutil.copyfile(found, copy)
        found = copy
    os.replace(found, target)


def _is_good(file: Path, jar: Jar, *, thorough: bool) -> bool:
    try:
        if file.stat().st_size != jar.size_bytes:
            return False
        if not thorough:
            return True
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def main() -> int:
    """Fill the cache; print what is there."""
    lock = locks.read()
    settings = Settings.load()
    try:
        fetch(settings, lock, show=sys.stderr.isatty(), thorough=True)
    except GraphError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Neo4j {lock.version}: {len(lock.jars)} jars, {lock.size_bytes / 1e6:.0f} MB in {folder(settings, lock)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
