"""The real stack: up, killed in parts, up again, down. It has a home and ports of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import psutil
import pytest
import redis

from graph import connection
from graph.errors import LocalServerError
from graph.server.process import free_ports, write_secret
from graph.settings import Settings
from kith import doctor, stack
from kith.stack import checks
from kith.stack.state import ProcessStatus
from tests.workers.streams import NAME, add, is_done, likes
from workers import alive

pytestmark = pytest.mark.slow
WAIT_S = 120.0


@pytest.fixture(scope="module")
def own(neo4j: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a stack that is up."""
    bolt, browser, valkey, api = free_ports(4)
    settings = replace(
        neo4j,
        home=tmp_path_factory.mktemp("stack"),
        bolt_port=bolt,
        browser_port=browser,
        broker_port=valkey,
        api_port=api,
        event_stream=NAME,
        neo4j_heap_mb=384,
        neo4j_page_cache_mb=64,
    )
    try:
        assert stack.up(settings) is True
        yield settings
    finally:
        stack.down(settings)


def named(settings: Settings, name: str) -> ProcessStatus:
    return next(process for process in stack.status(settings).processes if process.name == name)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def test_everything_is_up_and_the_doctor_finds_no_fault(own: Settings) -> None:
    assert stack.status(own).healthy
    assert stack.up(own) is False
    assert [finding for finding in doctor.doctor(own) if not finding.ok] == []
    parts = {
        "neo4j",
        "valkey",
        "worker-train",
        "worker-default",
        "worker-plan",
        "worker-cascades",
        "worker-stream",
        "beat",
        "api",
        "sum",
    }
    assert set(stack.peak_memory(own)) >= parts


def test_what_is_added_to_the_event_stream_is_in_the_graph_soon(own: Settings) -> None:
    with redis.Redis.from_url(own.broker) as client, connection.connect(own) as graph:
        add(client, likes(10))
        wait_for(lambda: is_done(client))
        assert graph.read("monitor.state", timeout_s=60)[0]["ledgerEvents"] == 10


def test_a_killed_neo4j_comes_back_with_what_it_had(own: Settings) -> None:
    with connection.connect(own) as graph:
        before = graph.read("schema.read_version")
    os.kill(named(own, "neo4j").pid, signal.SIGKILL)
    wait_for(lambda: named(own, "neo4j").restarts == 1 and named(own, "neo4j").is_well)
    with connection.connect(own) as graph:
        assert graph.read("schema.read_version", timeout_s=60) == before


def living_group(leader: int) -> list[psutil.Process]:
    """The processes of a group, without those that are dead and only wait for the system to take note."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def test_a_killed_worker_comes_back_without_its_old_children(own: Settings) -> None:
    worker = named(own, "worker-default")
    os.kill(worker.pid, signal.SIGKILL)
    wait_for(lambda: named(own, "worker-default").restarts == 1 and named(own, "worker-default").is_well)
    assert living_group(worker.pid) == []
    assert checks.celery(f"default@{os.uname().nodename}", own)


def test_a_wrong_password_is_one_line_and_the_stack_stops_clean(own: Settings) -> None:
    pids = [process.pid for process in stack.status(own).processes if process.pid]
    assert stack.down(own) is True
    assert not any(alive.start_mark(pid) for pid in pids)
    right = own.password()
    write_secret(own.password_file, "not-the-password")
    with pytest.raises(LocalServerError, match="Neo4j refused the password") as caught:
        stack.up(own)
    assert "\n" not in str(caught.value)
    assert stack.status(own).processes == []
    write_secret(own.password_file, right)
