"""Fetch the jars of the lock through jgo: in parallel, each checked, each renamed into the cache when it is good.

Repositories are those of the user's jgo configuration (else jgo's default); what `mvn` has already downloaded into
the user's local Maven repository is copied, not fetched again.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from jgo.config import GlobalSettings
from jgo.constants import default_maven_repo
from jgo.maven import MavenContext
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from graph.errors import LocalServerError
from graph.server.jars import is_good
from graph.server.lock import Jar

THREADS = 16
ATTEMPTS = 3
TIMEOUT_S = 30
BACKOFF_S = 2.0


def download(wanted: list[Jar], lib: Path, *, show: bool) -> None:
    """Fetch the jars into the folder `lib`; what is there already stays, so an interrupted run can be repeated.

    Args:
        wanted: what to fetch.
        lib: the folder of the class path.
        show: draw a progress bar on standard error.

    Raises:
        LocalServerError: a jar is not to be had, or what the repository serves has another checksum.
    """
    lib.mkdir(parents=True, exist_ok=True)
    repositories = GlobalSettings.load().repositories or None
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    # The staging folder is on the same file system, so that the last step is a rename.
    with (
        tempfile.TemporaryDirectory(dir=lib.parent, prefix="fetch-") as staging,
        Progress(*columns, console=Console(stderr=True), disable=not show, refresh_per_second=4) as progress,
        ThreadPoolExecutor(THREADS, thread_name_prefix="fetch") as pool,
    ):
        task = progress.add_task(f"Neo4j: {len(wanted)} jars", total=sum(jar.size_bytes for jar in wanted))
        # The largest first, so that none of them is left over at the end.
        fetching = {
            pool.submit(_fetch_one, jar, lib, Path(staging), repositories): jar
            for jar in sorted(wanted, key=lambda jar: -jar.size_bytes)
        }
        try:
            for done in as_completed(fetching):
                done.result()
                progress.advance(task, fetching[done].size_bytes)
        except LocalServerError:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch_one(jar: Jar, lib: Path, staging: Path, repositories: dict[str, str] | None) -> None:
    """Fetch one jar into `staging`, check it, rename it into `lib`."""
    problem = ""
    for attempt in range(ATTEMPTS):
        # A bad copy in the local Maven repository must not be read again: only the first attempt looks there.
        local = [default_maven_repo()] if attempt == 0 else []
        time.sleep(BACKOFF_S * attempt)
        place = staging / f"{jar.sha256}-{attempt}"
        context = MavenContext(repo_cache=place, local_repos=local, remote_repos=repositories, timeout=TIMEOUT_S)
        artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact(jar.classifier)
        try:
            found = artifact.resolve()
            if is_good(found, jar, thorough=True):
                _install(found, lib / jar.file_name, staging)
                return
            problem = "its sha256 is not the one in the lock"
        except (OSError, RuntimeError, AssertionError) as error:
            problem = str(error) or type(error).__name__
    raise LocalServerError(
        f"{jar.group}:{jar.artifact}:{jar.version} was refused or not found ({problem.splitlines()[0]}); "
        "check the network and the repositories in your jgo configuration, then run `kith up` again"
    )


def _install(found: Path, target: Path, staging: Path) -> None:
    if staging not in found.parents:
        copy = staging / target.name
        shutil.copyfile(found, copy)
        found = copy
    found.replace(target)
