"""The table of processes: what the supervisor starts, in which stage, and how it knows that each is well."""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass, field

from api import server
from graph.settings import Settings
from kith.stack import broker

TRAIN_WORKER = f"train@{socket.gethostname()}"
DEFAULT_WORKER = f"default@{socket.gethostname()}"
PLAN_WORKER = f"plan@{socket.gethostname()}"
DEFAULT_CONCURRENCY = 2

_STORES, _SERVICES = 0, 1
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of the stack.

    `check` names a function of `kith.stack.checks` and `target` is what it is asked about. A process `runs_once` when
    it does one thing and ends; the next stage waits until every process of this stage is well or has ended with 0.
    """

    name: str
    command: tuple[str, ...]
    stage: int = _SERVICES
    check: str = "alive"
    target: str = ""
    port: int | None = None
    runs_once: bool = False
    start_timeout_s: float = 120.0
    unwell_for_s: float = 30.0
    check_every_s: float = 5.0
    stop_signals: tuple[tuple[str, float], ...] = (("SIGTERM", 15.0),)
    environment: dict[str, str] = field(default_factory=dict)


def processes(settings: Settings, neo4j_command: list[str]) -> list[Process]:
    """Return the table for these settings.

    Args:
        settings: an operator's own Neo4j or broker takes the place of ours.
        neo4j_command: what `graph.server.neo4j.prepare` returned; unused with the operator's own Neo4j.
    """
    table = [_schema(), _worker("train", TRAIN_WORKER, 1), _worker("default", DEFAULT_WORKER, DEFAULT_CONCURRENCY)]
    table += [_worker("plan", PLAN_WORKER, 1), _cascades(settings), _beat(), _api(settings)]
    if settings.event_stream:
        table.append(_stream())
    if settings.is_local_broker:
        table.insert(0, _broker(settings))
    if settings.is_local_neo4j:
        table.insert(0, _neo4j(settings, neo4j_command))
    return table


def _neo4j(settings: Settings, command: list[str]) -> Process:
    return Process(
        name="neo4j",
        command=tuple(command),
        stage=_STORES,
        check="bolt",
        target=str(settings.bolt_port),
        port=settings.bolt_port,
        start_timeout_s=180.0,
        unwell_for_s=60.0,
        stop_signals=(("SIGTERM", 60.0),),
    )


def _broker(settings: Settings) -> Process:
    return Process(
        name="valkey",
        command=tuple(broker.command(settings)),
        stage=_STORES,
        check="ping",
        target=str(settings.broker_port),
        port=settings.broker_port,
        start_timeout_s=60.0,
    )


def _schema() -> Process:
    # It starts beside Neo4j, so that loading the driver and starting Java overlap.
    return Process(name="schema", command=(sys.executable, "-m", "kith.stack.prepare"), stage=_STORES, runs_once=True)


def _worker(queue: str, node: str, concurrency: int) -> Process:
    arguments = ("worker", "-Q", queue, "-n", node, "--pool=prefork", "-c", str(concurrency))
    return Process(
        name=f"worker-{queue}",
        command=(
            sys.executable,
            *("-m", "celery", "--quiet", "-A", "workers.app:app"),
            *arguments,
            *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
        ),
        check="celery",
        target=node,
        check_every_s=20.0,
        unwell_for_s=60.0,
        # A warm stop would wait for a training of hours; the job is taken up again by its lease.
        stop_signals=(("SIGTERM", 10.0), ("SIGQUIT", 10.0)),
        environment=dict(_ONE_THREAD),
    )


def _beat() -> Process:
    return Process(
        name="beat",
        command=(
            sys.executable,
            *("-m", "celery", "--quiet", "-A", "workers.app:app", "beat", "--loglevel", "INFO", "--pidfile="),
        ),
        environment=dict(_ONE_THREAD),
    )


def _cascades(settings: Settings) -> Process:
    return Process(
        name="worker-cascades",
        command=(sys.executable, "-m", "workers.cascades"),
        check="marked",
        target=str(settings.home / "run" / "cascades.mark"),
        unwell_for_s=60.0,
        environment=dict(_ONE_THREAD),
    )


def _stream() -> Process:
    return Process(
        name="worker-stream",
        command=(sys.executable, "-m", "workers.stream"),
        check="stream",
        # A batch may take as long as a write may, and be tried again; in between the broker hears nothing of it.
        unwell_for_s=180.0,
        environment=dict(_ONE_THREAD),
    )


def _api(settings: Settings) -> Process:
    return Process(
        name="api",
        command=server.command(settings),
        check="http",
        target=f"{settings.api_port}/live",
        port=settings.api_port,
        environment=dict(_ONE_THREAD),
    )
