"""R10: a task longer than the visibility timeout, and a worker that was away too long; each takes effect once."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from engine.world import WorldSettings, generate, write
from graph import jobs
from graph.connection import Graph
from graph.files import import_folder
from graph.publication import list_models, published
from graph.settings import Settings
from tests.faults.conftest import FULL, Report
from tests.faults.impatient import VISIBILITY_S
from tests.workers.processes import process, until
from workers import queue
from workers.watch import LEASE_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900 if FULL else 280)]

JOB_S = 200.0
EPOCHS = 40
"""So many that the task lasts longer than three visibility timeouts."""
TIMES = 5 if FULL else 1
ENDED = ("done", "held", "failed", "cancelled")


@pytest.fixture(scope="module")
def impatient(
    settings: Settings, graph: Graph, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """A small world and two training workers that are given a message again after five seconds."""
    home = tmp_path_factory.mktemp("home")
    given = Settings(
        **{name: getattr(settings, name) for name in ("cache", "bolt_port", "consent_default")},
        home=home,
        neo4j_uri=settings.bolt_uri,
        neo4j_password=settings.password(),
        broker_url=broker_url,
        train_timeout_s=JOB_S,
    )
    write(generate(WorldSettings(users=150, items=60, events=3_000, seed=3)), home / "world")
    import_folder(graph, given, home / "world")
    with (
        process(["tests.faults.impatient", "first"], given, given.logs / "first.log"),
        process(["tests.faults.impatient", "second"], given, given.logs / "second.log"),
    ):
        yield given


def train(graph: Graph, settings: Settings, seed: int) -> str:
    job_id = jobs.create(graph, "train", {"seed": seed, "epochs": EPOCHS})["jobId"]
    queue.enqueue_training(settings, job_id)
    return job_id


def deliveries(settings: Settings) -> int:
    """How many messages the workers have received so far, as they log it."""
    return sum((settings.logs / f"{name}.log").read_text().count("] received") for name in ("first", "second"))


def seq(graph: Graph) -> int:
    live = published(graph)
    return live["publicationSeq"] if live else 0


@pytest.mark.parametrize("frozen", [False, True] if FULL else [True])
def test_r10_what_is_delivered_again_takes_effect_once(
    graph: Graph, impatient: Settings, report: Report, frozen: bool
) -> None:
    """The task lasts longer than three visibility timeouts; a frozen worker's job is taken over, and it wakes up."""
    for turn in range(TIMES):
        before, received, began = seq(graph), deliveries(impatient), time.monotonic()
        job_id = train(graph, impatient, 10 * frozen + turn)
        until(lambda job_id=job_id: jobs.get(graph, job_id)["stage"] == "train", JOB_S)
        with asleep(jobs.get(graph, job_id)["worker"]) if frozen else contextlib.nullcontext():
            until(lambda job_id=job_id: jobs.get(graph, job_id)["state"] in ENDED, JOB_S)
            after = effects(graph, impatient)
        assert time.monotonic() - began > 3 * VISIBILITY_S
        time.sleep(LEASE_S / 2)
        report.attempted += 1
        report.acknowledged += jobs.get(graph, job_id)["state"] == "done"
        report.recovered += deliveries(impatient) - received > 1
        report.duplicated += seq(graph) - before - 1
        report.unexpected += effects(graph, impatient) != after
        assert jobs.get(graph, job_id)["attempts"] == (2 if frozen else 1)
        until(lambda: not list(impatient.artifacts.glob(".*")) and not list(impatient.snapshots.iterdir()), JOB_S)
    assert (report.acknowledged, report.recovered) == (TIMES, TIMES), jobs.get(graph, job_id)
    assert (report.duplicated, report.unexpected) == (0, 0)
    assert "Traceback" not in "".join(log.read_text() for log in impatient.logs.glob("*.log"))


@contextlib.contextmanager
def asleep(worker: str) -> Iterator[None]:
    """Freeze the process that a job's record names, for the length of the block."""
    pid = int(worker.split("#")[1])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def effects(graph: Graph, settings: Settings) -> tuple[Any, ...]:
    """What a job leaves behind: the live version, the models, the folders of artifacts (drafts begin with a dot)."""
    folders = sorted(each.name for each in settings.artifacts.iterdir() if not each.name.startswith("."))
    return published(graph), list_models(graph), folders
