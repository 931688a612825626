"""R1, R9 and S8 on the whole stack: workers killed while they publish, a job that always dies, a damaged artifact."""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from graph import jobs
from graph.connection import Graph
from graph.publication import published
from graph.settings import Settings
from kith import stack
from tests.faults import marked
from tests.faults.conftest import FULL, Report
from tests.faults.marked import SEED, Tally, read_on
from tests.workers.processes import until, whole_stack
from workers import queue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3_600 if FULL else 280)]

USERS = 20_000 if FULL else 2_000
CHILD_KILLS, TREE_KILLS = (30, 10) if FULL else (1, 1)
TAKEN_UP_S, TREE_TAKEN_UP_S = 5.0, 60.0
"""A killed child's job is taken up by its pool, a killed tree's by the sweeper, long before the visibility timeout."""
CHILDREN, REPLACED_S = 2, 2.5
"""Of the default worker. Celery by itself would look after the eldest every five seconds."""
ROUNDS, ROUND_JOBS = (5, 20) if FULL else (1, 3)
JOB_S = 180.0
ENDED = ("done", "held", "failed", "cancelled")


@pytest.fixture(scope="module")
def running(
    settings: Settings, graph: Graph, cypher: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """The stack, with a first version published."""
    marked.create_nodes(cypher, USERS)
    with whole_stack(settings, tmp_path_factory.mktemp("stack"), read_timeout_s=1.0) as chosen:
        assert publish(graph, chosen, 1)["state"] == "done"
        yield chosen


def begin(graph: Graph, settings: Settings, number: int) -> str:
    """Enqueue the publication of version `m<number>`."""
    if not (settings.artifacts / f"m{number}").is_dir():
        marked.write(settings.artifacts, number, USERS)
    job_id = jobs.create(graph, "publish", {"modelVersion": f"m{number}"})["jobId"]
    queue.enqueue_publication(settings, job_id)
    return job_id


def publish(graph: Graph, settings: Settings, number: int) -> dict[str, Any]:
    return ended(graph, begin(graph, settings, number))


def ended(graph: Graph, job_id: str) -> dict[str, Any]:
    until(lambda: jobs.get(graph, job_id)["state"] in ENDED, JOB_S)
    return jobs.get(graph, job_id)


def kill_child(graph: Graph, settings: Settings, job_id: str) -> None:
    """Kill the pool's child that has the job; its record names the process."""
    os.kill(int(jobs.get(graph, job_id)["worker"].split("#")[1]), signal.SIGKILL)


def kill_tree(graph: Graph, settings: Settings, job_id: str) -> None:
    """Kill the worker and all its children."""
    worker = next(process for process in stack.status(settings).processes if process.name == "worker-default")
    os.killpg(worker.pid, signal.SIGKILL)


def is_writing(cypher: Any) -> bool:
    return bool(cypher("MATCH (w:KithPublication) WHERE w.writerUntil > datetime.realtime() RETURN w"))


def test_r1_a_worker_killed_while_publishing(graph: Graph, running: Settings, cypher: Any, report: Report) -> None:
    generator, stop, tally = np.random.default_rng(SEED), threading.Event(), Tally()
    report.seed = SEED
    reader = threading.Thread(target=read_on, args=(running, USERS, stop, tally, 0))
    reader.start()
    waits: dict[Callable[..., None], list[float]] = {kill_child: [], kill_tree: []}
    try:
        number = 2
        for kill, kills in ((kill_child, CHILD_KILLS), (kill_tree, TREE_KILLS)):
            while len(waits[kill]) < kills:
                before = published(graph)
                assert before is not None
                job_id = begin(graph, running, number)
                until(lambda: is_writing(cypher), JOB_S)
                time.sleep(float(generator.uniform(0, 4.0 + USERS / 5_000)))
                if jobs.get(graph, job_id)["state"] == "running":
                    report.attempted += 1
                    waits[kill].append(seconds_until_taken_up(graph, running, job_id, kill))
                judge(graph, cypher, report, ended(graph, job_id), before["publicationSeq"], number)
                number += 1
    finally:
        stop.set()
        reader.join()
    report.unexpected += len(tally.mixed) + len(tally.backwards)
    print(f"R1 taken up: child {summary(waits[kill_child])}, tree {summary(waits[kill_tree])}, reads {tally.reads}")
    assert (report.lost, report.duplicated, report.unexpected) == (0, 0, 0), (tally.mixed[:3], tally.backwards[:3])
    assert max(waits[kill_child]) <= TAKEN_UP_S
    assert max(waits[kill_tree]) <= TREE_TAKEN_UP_S


def test_a_dead_child_is_replaced_at_once_and_not_the_youngest_alone(running: Settings) -> None:
    worker = next(process for process in stack.status(running).processes if process.name == "worker-default")
    waits = [seconds_until_the_eldest_is_replaced(worker.pid) for _ in range(4)]
    assert max(waits) <= REPLACED_S


def seconds_until_the_eldest_is_replaced(worker: int) -> float:
    until(lambda: len(children(worker)) == CHILDREN, JOB_S)
    eldest = min(children(worker), key=lambda child: (child.create_time(), child.pid))
    eldest.kill()
    began = time.monotonic()
    until(lambda: len(set(children(worker)) - {eldest}) == CHILDREN, JOB_S)
    return time.monotonic() - began


def children(worker: int) -> list[psutil.Process]:
    """Return those that live."""
    return [child for child in psutil.Process(worker).children() if child.status() != psutil.STATUS_ZOMBIE]


def seconds_until_taken_up(graph: Graph, settings: Settings, job_id: str, kill: Callable[..., None]) -> float:
    kill(graph, settings, job_id)
    began = time.monotonic()
    until(lambda: jobs.get(graph, job_id)["attempts"] == 2 or jobs.get(graph, job_id)["state"] in ENDED, JOB_S)
    return time.monotonic() - began


def judge(graph: Graph, cypher: Any, report: Report, job: dict[str, Any], seq_before: int, number: int) -> None:
    """Count what the publication left wrong: rows lost, flips too many, versions mixed."""
    now = published(graph)
    assert now is not None
    lost, mixed = marked.faults_of_live(cypher, number, USERS)
    report.acknowledged += job["state"] == "done"
    report.recovered += job["attempts"] > 1
    report.lost += lost + (now["modelVersion"] != f"m{number}")
    report.duplicated += now["publicationSeq"] - seq_before - 1
    report.unexpected += mixed + (job["state"] != "done")


def summary(waits: list[float]) -> str:
    return f"median {statistics.median(waits):.1f} s, longest {max(waits):.1f} s of {len(waits)}"


def test_r9_a_job_that_always_dies(graph: Graph, running: Settings, cypher: Any, report: Report) -> None:
    live = published(graph)
    assert live is not None
    number = int(live["modelVersion"][1:])
    alone, beside = [], []
    for _ in range(ROUNDS):
        alone.append(jobs_per_s(graph, running, number))
        stop = threading.Event()
        killer = threading.Thread(target=keep_dying, args=(graph, running, stop, report))
        killer.start()
        try:
            beside.append(jobs_per_s(graph, running, number))
        finally:
            stop.set()
            killer.join()
    ratio = statistics.median(beside) / statistics.median(alone)
    print(f"R9 other queue: {statistics.median(alone):.2f} jobs/s alone, {ratio:.2f} of it beside dying jobs")
    assert published(graph) == live
    assert report.attempted == 3 * report.acknowledged
    assert report.acknowledged == ROUNDS
    assert report.unexpected == 0
    if FULL:
        assert ratio >= 0.9


def jobs_per_s(graph: Graph, settings: Settings, number: int) -> float:
    """Time jobs of the other queue that have nothing left to do."""
    began = time.monotonic()
    for _ in range(ROUND_JOBS):
        assert publish(graph, settings, number)["state"] == "done"
    return ROUND_JOBS / (time.monotonic() - began)


def keep_dying(graph: Graph, settings: Settings, stop: threading.Event, report: Report) -> None:
    """Enqueue one training and kill each child that takes it until it is given up; count takes and dead letters."""
    job_id = jobs.create(graph, "train", {"seed": 1})["jobId"]
    queue.enqueue_training(settings, job_id)
    killed: set[str] = set()
    deadline = time.monotonic() + JOB_S
    while (job := jobs.get(graph, job_id))["state"] not in ENDED and time.monotonic() < deadline:
        if job["state"] == "running" and job["worker"] not in killed:
            killed.add(job["worker"])
            os.kill(int(job["worker"].split("#")[1]), signal.SIGKILL)
        time.sleep(0.05)
    report.attempted += len(killed)
    given_up = job["state"] == "failed" and "given up" in job["error"] and job["attempts"] == jobs.MAX_ATTEMPTS
    report.acknowledged += given_up
    report.unexpected += not given_up


@pytest.mark.parametrize("damage", ["a flipped byte", "a pickle in disguise", "a missing file", "a foreign file"])
def test_s8_a_damaged_artifact_is_refused(
    graph: Graph, running: Settings, cypher: Any, report: Report, damage: str
) -> None:
    before = published(graph)
    marked.write(running.artifacts, 900, USERS)
    try:
        spoil(running.artifacts / "m900", damage)
        job = publish(graph, running, 900)
    finally:
        shutil.rmtree(running.artifacts / "m900")
    report.attempted, report.recovered = 1, int(job["state"] == "failed")
    assert job["state"] == "failed"
    assert job["error"]
    assert "\n" not in job["error"]
    assert published(graph) == before


def spoil(folder: Path, damage: str) -> None:
    tables = folder / "tables.safetensors"
    if damage == "a flipped byte":
        content = bytearray(tables.read_bytes())
        content[len(content) // 2] ^= 1
        tables.write_bytes(content)
    elif damage == "a pickle in disguise":
        (folder / "weights.safetensors").write_bytes(b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01x\x94.")
    elif damage == "a missing file":
        (folder / "ids.parquet").unlink()
    else:
        (folder / "model.pkl").write_bytes(b"\x80\x04.")
