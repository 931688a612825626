"""F1: nothing before the fork. The parents of the API server and of Celery hold no connection to Neo4j, no thread of
ours and no torch, also after their children have worked.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from graph import jobs, keys
from graph.connection import Graph
from graph.server.process import free_ports
from graph.settings import Settings
from tests.workers.processes import answers, api_command, process, until, worker_command
from workers import queue

pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads /proc")

ESTABLISHED = "01"


def connections_to(pid: int, port: int) -> int:
    """Return how many established TCP connections of the process lead to the port."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = str(link.readlink()) if link.is_symlink() else ""
        if match := re.fullmatch(r"socket:\[(\d+)\]", target):
            inodes.add(match[1])
    found = 0
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            remote = int(fields[2].rsplit(":", 1)[1], 16)
            found += fields[9] in inodes and remote == port and fields[3] == ESTABLISHED
    return found


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def python_threads(pid: int) -> set[str]:
    return {
        Path(f"/proc/{pid}/task/{each.name}/comm").read_text().strip() for each in Path(f"/proc/{pid}/task").iterdir()
    }


def has_torch(pid: int) -> bool:
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()


def test_the_parent_of_the_api_server_is_bare(
    settings: Settings, graph: Graph, broker_url: str, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    given = dataclasses.replace(settings, broker_url=broker_url, signing_key="k" * 32)
    keys.create(graph, ["read"])
    with process(api_command(port, workers=2), given, tmp_path / "api.log") as parent:
        until(lambda: answers(f"http://127.0.0.1:{port}/ready"))
        working = children_of(parent.pid)
        assert any(connections_to(child, settings.bolt_port) for child in working)
        assert connections_to(parent.pid, settings.bolt_port) == 0
        assert not has_torch(parent.pid)
        assert not any(has_torch(child) for child in working)
        assert not {name for name in python_threads(parent.pid) if "kith" in name or "heartbeat" in name}


def test_the_parent_of_celery_is_bare(settings: Settings, graph: Graph, broker_url: str, tmp_path: Path) -> None:
    given = dataclasses.replace(settings, broker_url=broker_url)
    log = tmp_path / "worker.log"
    with process(worker_command("default"), given, log) as parent:
        job = jobs.create(graph, "publish", {"modelVersion": "not-there"})
        queue.enqueue_publication(given, job["jobId"])
        until(lambda: jobs.get(graph, job["jobId"])["state"] == "failed")
        working = children_of(parent.pid)
        assert any(connections_to(child, settings.bolt_port) for child in working)
        assert connections_to(parent.pid, settings.bolt_port) == 0
        assert not has_torch(parent.pid)
        assert not any(has_torch(child) for child in working)
        # Arrow, which the driver imports, brings an allocator with a thread of its own; it is safe across a fork.
        assert python_threads(parent.pid) - {"jemalloc_bg_thd"} == {"python"}
