"""What must be so before the stack is started; each failure is one line that says what to do."""

from __future__ import annotations

import importlib.util
import secrets
import socket
from dataclasses import dataclass

import psutil

from graph.errors import LocalServerError
from graph.server.process import write_secret
from graph.settings import Settings

JAVA_OVERHEAD_MB = 350
BROKER_MB = 30
PYTHON_MB = 110
"""What one worker or API process takes with its driver loaded, measured as PSS."""
PYTHON_PROCESSES = 8

NEEDED_PACKAGES = {"celery": "celery[redis]", "redis": "celery[redis]", "granian": "granian", "neo4j": "neo4j"}
TRAIN_PACKAGES = {"torch": "kithgraph[train]", "torch_geometric": "kithgraph[train]"}


@dataclass(frozen=True, slots=True)
class Port:
    """A port that the stack needs and the setting that moves it."""

    number: int
    use: str
    variable: str


def ports(settings: Settings) -> list[Port]:
    """Return the ports of the processes that run here."""
    wanted = [Port(settings.api_port, "the API", "KITH_API_PORT")]
    if settings.is_local_neo4j:
        wanted.append(Port(settings.bolt_port, "Neo4j's Bolt", "KITH_BOLT_PORT"))
        wanted.append(Port(settings.browser_port, "Neo4j Browser", "KITH_BROWSER_PORT"))
    if settings.is_local_broker:
        wanted.append(Port(settings.broker_port, "the broker", "KITH_BROKER_PORT"))
    return wanted


def check(settings: Settings) -> None:
    """Make sure that the stack can start.

    Raises:
        LocalServerError: a missing package, a taken port, too little memory.
    """
    if missing := missing_packages(NEEDED_PACKAGES):
        raise LocalServerError(f"missing package {missing[0]}: pip install {NEEDED_PACKAGES[missing[0]]}")
    for port in ports(settings):
        if is_taken(port.number):
            raise LocalServerError(taken(port))
    needed, available = needed_mb(settings), available_mb()
    if available < needed:
        raise LocalServerError(
            f"too little memory: the stack takes about {needed:,} MB, {available:,} MB are free; close something, "
            "or set KITH_NEO4J_HEAP_MB (now "
            f"{settings.neo4j_heap_mb}), KITH_NEO4J_PAGE_CACHE_MB or KITH_API_WORKERS lower"
        )


def missing_packages(packages: dict[str, str]) -> list[str]:
    """Return the modules that cannot be imported, without importing any."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def is_taken(port: int) -> bool:
    """Whether something listens on this port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def taken(port: Port) -> str:
    """Return the line that says who holds the port, as far as it can be told, and what to do."""
    holder = ""
    try:
        for connection in psutil.net_connections("tcp"):
            is_it = connection.status == psutil.CONN_LISTEN and connection.laddr.port == port.number
            if is_it and connection.pid:
                holder = f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
                break
    except psutil.Error:
        pass
    return f"port {port.number} for {port.use} is taken{holder}: stop that, or set {port.variable} to a free port"


def needed_mb(settings: Settings) -> int:
    """Estimate the memory of the idle stack, MB: heap and page cache in full, the rest as measured."""
    total = PYTHON_MB * (PYTHON_PROCESSES + settings.api_workers + bool(settings.event_stream))
    if settings.is_local_neo4j:
        total += settings.neo4j_heap_mb + settings.neo4j_page_cache_mb + JAVA_OVERHEAD_MB
    if settings.is_local_broker:
        total += BROKER_MB
    return total


def available_mb() -> int:
    """Return the memory that can be had without swapping, MB."""
    return psutil.virtual_memory().available // 2**20


def make_secrets(settings: Settings) -> None:
    """Generate the signing key of this home once, mode 0600."""
    if not settings.signing_key and not settings.signing_key_file.exists():
        write_secret(settings.signing_key_file, secrets.token_urlsafe(32))
