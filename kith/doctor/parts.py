"""What can be wrong with the running parts: the stack's processes, Neo4j and what it holds, broker, workers, API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil

from engine.artifact import verify
from engine.errors import ArtifactError
from graph import monitor, pending
from graph.connection import Graph
from graph.errors import AuthenticationError, GraphError
from graph.settings import Settings
from kith.doctor.finding import Finding
from kith.stack import checks, control, table

QUERY_TIMEOUT_S = 10.0
WRITER_OVERDUE_S = 60.0
LEASE_OVERDUE_S = 60.0
"""A sweeper comes every 15 seconds, so what is overdue for longer is not being looked after."""
WAITED_S = 600.0
SWEEP_AGE_S = 120.0
STREAM_AGE_S = 120.0
CLOCK_SKEW_S = 5.0
DAY_S = 86_400.0
FULL = 0.8
"""Part of the events that may wait from which on somebody should look."""
LATE_DAYS = 1
"""A sweeper drops what has waited too long within minutes; a day later it is not doing it."""


def stack(settings: Settings) -> Iterator[Finding]:
    """Look at what the supervisor says of its processes, and at whether one of them was stopped by a signal."""
    found = control.status(settings)
    for process in found.processes:
        if process.pid and _is_frozen(process.pid):
            detail = f"process {process.pid} is frozen (it was sent SIGSTOP)"
            yield Finding(f"process {process.name}", False, detail, f"kill -CONT {process.pid}")
        elif not process.is_well or process.restarts:
            detail = f"{process.state}, {process.restarts} restarts {process.problem}".rstrip()
            yield Finding(f"process {process.name}", process.is_well, detail, f"see {process.log}")
    if found.phase == "down" and found.problem:
        yield Finding("last start", False, found.problem, "do as the line says, then kith up")


def neo4j(settings: Settings) -> Iterator[Finding]:
    """Look at Neo4j, its schema, and the state that Kith keeps in it."""
    from graph import connection, schema

    try:
        with connection.connect(settings, retry_s=QUERY_TIMEOUT_S) as graph:
            yield Finding("Neo4j", True, f"{graph.verify()} at {settings.bolt_uri}")
            yield _schema(lambda: schema.check(graph))
            yield _indexes(graph)
            yield from _state(graph, settings)
    except AuthenticationError as error:
        mine = f"put the store's password into {settings.password_file}"
        cure = mine if settings.is_local_neo4j else "correct NEO4J_USER and NEO4J_PASSWORD"
        yield Finding("Neo4j", False, str(error), cure)
    except GraphError as error:
        cure = "kith up" if settings.is_local_neo4j else "check NEO4J_URI and the network"
        yield Finding("Neo4j", False, str(error), cure)


def broker(settings: Settings) -> Iterator[Finding]:
    """Look at the broker, and ask each worker on it."""
    from workers import queue

    cure = "kith up" if settings.is_local_broker else "check KITH_BROKER_URL and the network"
    try:
        queue.ping(settings)
    except queue.QueueUnavailableError as error:
        yield Finding("broker", False, str(error), cure)
        return
    yield Finding("broker", True, "answers")
    for node in (table.TRAIN_WORKER, table.DEFAULT_WORKER, table.PLAN_WORKER):
        answers = bool(checks.celery(node, settings))
        detail = "takes messages" if answers else "does not answer"
        yield Finding(f"worker {node.partition('@')[0]}", answers, detail, "kith up; if it is up: see its log")


def event_stream(settings: Settings) -> Iterator[Finding]:
    """Look at the event stream: whether it is consumed, and whether something could not be."""
    from workers import queue

    if not settings.event_stream:
        return
    cure = f"kith up; if it is up: see {settings.logs / 'worker-stream.log'}"
    try:
        found = queue.event_stream(settings)
    except queue.QueueUnavailableError as error:
        yield Finding("event stream", False, str(error), "see the finding on the broker, or correct KITH_EVENT_STREAM")
        return
    if found is None:
        yield Finding("event stream", False, f"{settings.event_stream} has no consumer yet", cure)
        return
    late = found.oldest_s > STREAM_AGE_S
    detail = f"the oldest entry waits since {found.oldest_s:.0f} s" if late else "no entry waits for long"
    yield Finding("event stream", not late, detail, cure)
    detail = f"{found.dead_letters:,} dead letters" if found.dead_letters else "none"
    yield Finding("dead letters", True, detail, "kith stream dead", note=bool(found.dead_letters))


def api(settings: Settings) -> Iterator[Finding]:
    """Ask the API whether it lives."""
    answers = checks.http(f"{settings.api_port}/live")
    detail = f"{'answers' if answers else 'does not answer'} on port {settings.api_port}"
    yield Finding("API", answers, detail, "kith up; if it is up: see its log")


def clock(server_s: float, here_s: float) -> Finding:
    """Compare the clock of Neo4j's machine with this one's, both in seconds since 1970."""
    apart_s = abs(server_s - here_s)
    detail = f"{apart_s:.1f} s apart from Neo4j's"
    return Finding(
        "clock", apart_s < CLOCK_SKEW_S, detail, "set both machines' clocks by NTP: timedatectl set-ntp true"
    )


def _schema(check: Callable[[], None]) -> Finding:
    try:
        check()
    except GraphError as error:
        is_newer = "update Kith" in str(error)
        cure = "pip install -U kithgraph" if is_newer else "kith down, then kith up"
        return Finding("schema", False, str(error), cure)
    return Finding("schema", True, "the version that this Kith needs")


def _indexes(graph: Graph) -> Finding:
    off = [f"{row['name']} is {row['state']}" for row in graph.read("schema.list_indexes") if row["state"] != "ONLINE"]
    cure = "wait while it is POPULATING; else drop it in Neo4j Browser (DROP INDEX name), then kith down, kith up"
    return Finding("indexes", not off, ", ".join(off) or "all online", cure)


def _state(graph: Graph, settings: Settings) -> Iterator[Finding]:
    state = monitor.state(graph, timeout_s=QUERY_TIMEOUT_S)
    yield clock(state["serverTimeS"], time.time())
    overdue_s = state["writerOverdueS"] or 0.0
    detail = f"its writer has been silent for {overdue_s:.0f} s" if state["writing"] else "nobody writes"
    cure = "kith train, or kith models publish VERSION: the next publication takes the slot over"
    yield Finding("publication", overdue_s < WRITER_OVERDUE_S, detail, cure)
    if state["modelVersion"]:
        yield _artifact(settings, state["modelVersion"])
    yield from _jobs(graph)
    yield _waiting(state, settings)
    up_s = _uptime_s(settings)
    if up_s > SWEEP_AGE_S:
        age_s = up_s if state["sweptAgeS"] is None else min(state["sweptAgeS"], up_s)
        detail = f"the last one was {age_s:.0f} s ago"
        cure = f"see {settings.logs / 'beat.log'} and {settings.logs / 'worker-default.log'}, then kith down, kith up"
        yield Finding("sweeps", age_s < SWEEP_AGE_S, detail, cure)


def _artifact(settings: Settings, version: str) -> Finding:
    cure = "bring its folder back from a backup, or train again: kith train"
    try:
        verify(settings.artifacts / version)
    except ArtifactError as error:
        return Finding("published model", False, str(error), cure)
    return Finding("published model", True, f"{version} is here and whole")


def _jobs(graph: Graph) -> Iterator[Finding]:
    counts = monitor.job_counts(graph, timeout_s=QUERY_TIMEOUT_S)
    lost = [row for row in counts if row["state"] == "running" and (row["leaseOverdueS"] or 0.0) > LEASE_OVERDUE_S]
    detail = f"{lost[0]['expired']} {lost[0]['kind']} lost the worker and nobody took over" if lost else "none is lost"
    yield Finding("running jobs", not lost, detail, "see the findings on sweeps and workers: they hand lost jobs on")
    late = [row for row in counts if row["state"] == "queued" and row["oldestS"] > WAITED_S]
    detail = f"a {late[0]['kind']} job has waited for {late[0]['oldestS']:.0f} s" if late else "no job waits for long"
    yield Finding("waiting jobs", not late, detail, "wait for the job before it, or see the findings on workers")


def _waiting(state: dict[str, Any], settings: Settings) -> Finding:
    """Look at the events that wait for what they name: where too many do, new ones are refused."""
    days = (state["pendingS"] or 0.0) / DAY_S
    detail = f"{state['pendingEvents']:,}, the oldest for {days:.1f} days; {state['expiredEvents'] or 0:,} were dropped"
    cure = "look for the shares or purchases that never came, or let events wait for fewer days: KITH_WAIT_DAYS"
    is_well = state["pendingEvents"] < FULL * pending.MOST_WAITING and days < settings.wait_days + LATE_DAYS
    return Finding("waiting events", is_well, detail, cure)


def _uptime_s(settings: Settings) -> int:
    """Return how long the youngest of the parts that sweep has run, 0 when the stack is not up."""
    found = control.status(settings)
    sweeping = [process.uptime_s for process in found.processes if process.name in ("beat", "worker-default")]
    return min(sweeping, default=0) if found.phase == "up" else 0


def _is_frozen(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False
