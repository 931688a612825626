"""Twenty faults, planted one at a time on a real stack or machine: the doctor names each and says its cure, and finds
nothing once it is mended. docs/operating.md lists them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from engine.artifact import read_artifact
from graph import jobs, pending, schema, slots
from graph.connection import Graph
from graph.publication import publish
from graph.server import jars, lock
from graph.server.process import write_secret
from graph.settings import Settings
from kith import doctor, stack
from kith.doctor import Finding, parts
from tests.faults import marked
from tests.workers.processes import until
from workers.event_stream import GROUP

pytestmark = pytest.mark.slow
Cypher = Callable[..., list[dict[str, Any]]]
USERS = 6


def faults(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding for finding in doctor.doctor(settings) if not finding.ok}


def is_found(settings: Settings, name: str, detail: str, cure: str) -> None:
    found = faults(settings)
    assert name in found, found
    assert detail in found[name].detail
    assert cure in found[name].cure
    assert "\n" not in found[name].detail + found[name].cure


def tree(settings: Settings, name: str) -> list[psutil.Process]:
    process = next(each for each in stack.status(settings).processes if each.name == name)
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


@contextlib.contextmanager
def frozen(settings: Settings, name: str) -> Iterator[None]:
    processes = tree(settings, name)
    for each in processes:
        each.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for each in processes:
            each.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def well(running: Settings, graph: Graph, cypher: Cypher) -> Settings:
    """The running stack with a published model, in which the doctor finds no fault."""
    marked.create_nodes(cypher, USERS)
    marked.write(running.artifacts, 1, USERS)
    publish(graph, running, read_artifact(running.artifacts / "m1"))
    assert faults(running) == {}
    return running


@pytest.fixture(autouse=True)
def mended(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every plant on the stack, and after its cure, nothing is wrong any more."""
    yield
    if "well" in request.fixturenames:
        settings = request.getfixturevalue("well")
        until(lambda: faults(settings) == {})


def test_a_wrong_password(well: Settings) -> None:
    is_found(replace(well, neo4j_password="not-it"), "Neo4j", "refused the user name or password", "NEO4J_PASSWORD")


def test_a_neo4j_that_is_not_there(well: Settings) -> None:
    is_found(replace(well, neo4j_uri="bolt://127.0.0.1:1"), "Neo4j", "cannot be reached", "NEO4J_URI")


def test_a_newer_schema(well: Settings, cypher: Cypher) -> None:
    cypher("MATCH (s:KithSchema) SET s.version = 99")
    is_found(well, "schema", "99", "pip install -U kithgraph")
    cypher("MATCH (s:KithSchema) SET s.version = $version", version=schema.VERSION)


def test_a_missing_constraint(well: Settings, graph: Graph, cypher: Cypher) -> None:
    cypher("DROP CONSTRAINT purchase_event")
    is_found(well, "schema", "purchase_event", "kith down, then kith up")
    schema.apply(graph)


def test_a_frozen_worker(well: Settings) -> None:
    with frozen(well, "worker-default"):
        is_found(well, "worker default", "does not answer", "see its log")
        is_found(well, "process worker-default", "frozen", "kill -CONT")


def test_a_silent_broker(well: Settings) -> None:
    with frozen(well, "valkey"):
        is_found(well, "broker", "does not answer", "kith up")


def test_a_silent_api(well: Settings) -> None:
    with frozen(well, "api"):
        is_found(well, "API", "does not answer", "see its log")


def test_a_dead_scheduler(well: Settings, cypher: Cypher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SWEEP_AGE_S", 20.0)  # the stack of this test is younger than the real figure

    def youngest() -> int:
        return min(each.uptime_s for each in stack.status(well).processes if each.name in ("beat", "worker-default"))

    until(lambda: youngest() > parts.SWEEP_AGE_S, 2 * parts.SWEEP_AGE_S)
    with frozen(well, "beat"):
        # Sweeps that are under way end first; then time passes.
        cypher("MATCH (s:KithSchema) SET s.sweptAt = datetime.realtime() - duration('PT10M')")
        is_found(well, "process beat", "frozen", "kill -CONT")
        is_found(well, "sweeps", "s ago", "beat.log")
    cypher("MATCH (s:KithSchema) SET s.sweptAt = datetime.realtime()")


def test_a_model_that_is_gone_or_damaged(well: Settings) -> None:
    folder, aside = well.artifacts / "m1", well.artifacts / ".aside"
    folder.rename(aside)
    is_found(well, "published model", "m1", "kith train")
    aside.rename(folder)
    tables = folder / "tables.safetensors"
    whole = tables.read_bytes()
    tables.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    is_found(well, "published model", "damaged", "backup")
    tables.write_bytes(whole)


def test_a_publication_that_died(well: Settings, graph: Graph, cypher: Cypher) -> None:
    writer = slots.begin(graph, well, None, 1.0)
    cypher("MATCH (w:KithPublication) SET w.writerUntil = datetime.realtime() - duration('PT5M')")
    is_found(well, "publication", "silent", "kith models publish")
    slots.abandon(graph, writer)


def test_a_job_whose_worker_is_lost_and_one_that_waits(well: Settings, graph: Graph, cypher: Cypher) -> None:
    lost, late = (jobs.create(graph, "publish", {"modelVersion": "m1"})["jobId"] for _ in range(2))
    with frozen(well, "worker-default"):
        jobs.claim(graph, lost, "elsewhere", 1.0)
        cypher(
            "MATCH (j:KithJob {jobId: $id}) SET j.leaseUntil = datetime.realtime() - duration('PT5M'), j.attempts = 3",
            id=lost,
        )
        cypher("MATCH (j:KithJob {jobId: $id}) SET j.createdAt = datetime.realtime() - duration('PT1H')", id=late)
        is_found(well, "running jobs", "publish lost the worker", "workers")
        is_found(well, "waiting jobs", "publish job has waited", "workers")
    cypher("MATCH (j:KithJob) DETACH DELETE j")


def test_too_many_events_that_wait(well: Settings, cypher: Cypher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MOST_WAITING", 1)
    cypher(
        "CREATE (:KithPending {pendingId: 'o1', waitsFor: 'share:gone', body: '{}', createdAt: datetime.realtime()})"
    )
    is_found(well, "waiting events", "1, the oldest for 0.0 days", "KITH_WAIT_DAYS")
    cypher("MATCH (p:KithPending) DELETE p")


def test_an_event_stream_that_nobody_reads(well: Settings) -> None:
    unread = replace(well, event_stream="unread")
    is_found(unread, "event stream", "unread has no consumer yet", "worker-stream.log")
    with redis.Redis.from_url(well.broker) as client:
        client.xadd("unread", {"event": "{}"}, id="1-1")
        client.xgroup_create("unread", GROUP, id="0")
        is_found(unread, "event stream", "the oldest entry waits since", "worker-stream.log")
        client.delete("unread")


def test_a_foreign_process_on_a_port(tmp_path: Path, free: Settings) -> None:
    with socket.create_server(("127.0.0.1", free.api_port)):
        is_found(free, f"port {free.api_port}", str(os.getpid()), "KITH_API_PORT")


def test_a_secret_that_others_may_read(free: Settings) -> None:
    write_secret(free.signing_key_file, "key")
    free.signing_key_file.chmod(0o644)
    is_found(free, "secret signing-key", "0644", "chmod 600")


def test_an_unknown_variable(free: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITH_HOEM", "/x")
    is_found(free, "unknown setting", "KITH_HOEM", "KITH_HOME")


def test_a_home_that_cannot_be_written(free: Settings) -> None:
    is_found(replace(free, home=Path("/proc/kith")), "home", "cannot be written", "KITH_HOME")


def test_a_damaged_jar(free: Settings, settings: Settings) -> None:
    locked = lock.read()
    ours, theirs = jars.folder(free, locked), jars.folder(settings, locked)
    ours.mkdir(parents=True)
    for jar in locked.jars:
        (ours / jar.file_name).symlink_to(theirs / jar.file_name)
    assert "Neo4j's jars" not in faults(free)
    victim = ours / min(locked.jars, key=lambda jar: jar.size_bytes).file_name
    whole = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    count = len(locked.jars)
    is_found(free, "Neo4j's jars", f"{count - 1} of {count} good", "python -m graph.server.fetch")


def test_too_little_memory(free: Settings) -> None:
    is_found(replace(free, neo4j_heap_mb=10**9), "memory", "the stack takes about", "KITH_NEO4J_HEAP_MB")


def test_a_clock_that_is_off() -> None:
    finding = parts.clock(1_000_000.0, 1_000_060.0)
    assert (finding.ok, finding.detail) == (False, "60.0 s apart from Neo4j's")
    assert "set-ntp" in finding.cure
    assert parts.clock(1_000_000.0, 1_000_001.0).ok


def test_optional_programs_are_notes_with_their_debian_packages(
    free: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    notes = {finding.name: finding for finding in doctor.doctor(free) if finding.note}
    assert {name: finding.cure for name, finding in notes.items()} == {
        "optional wrk": "apt-get install wrk",
        "optional chromium": "apt-get install chromium",
        "optional chromium-driver": "apt-get install chromium-driver",
    }
    assert all(finding.ok for finding in notes.values())


@pytest.fixture
def free(tmp_path: Path, settings: Settings) -> Iterator[Settings]:
    """Settings of a machine on which nothing runs yet."""
    from graph.server.process import free_ports

    bolt, browser, valkey, api = free_ports(4)
    yield Settings(
        home=tmp_path / "home",
        cache=tmp_path / "cache",
        bolt_port=bolt,
        browser_port=browser,
        broker_port=valkey,
        api_port=api,
    )
    shutil.rmtree(tmp_path, ignore_errors=True)
