"""The sweeper's messages: for what the queue has lost, and for nothing else."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
import redis

from graph import jobs
from graph.connection import Graph
from graph.settings import Settings
from workers import queue, tasks

pytestmark = pytest.mark.usefixtures("empty")


def test_a_queue_that_has_lost_nothing_gets_no_second_messages(
    settings: Settings, graph: Graph, cypher: Any, broker_url: str, broker: redis.Redis
) -> None:
    chosen = dataclasses.replace(settings, broker_url=broker_url)

    def sweep_late() -> tuple[int, int]:
        cypher("MATCH (j:KithJob) SET j.enqueuedAt = j.enqueuedAt - $wait", wait=timedelta(seconds=tasks.WAITED_S + 1))
        tasks._send_again(graph, chosen)
        found, _ = queue.lengths(chosen)
        return found[queue.TRAIN_QUEUE], found[queue.DEFAULT_QUEUE]

    for kind in ("train", "publish", "publish"):
        queue.enqueue(chosen, kind, jobs.create(graph, kind, {})["jobId"])
    assert sweep_late() == (1, 2)
    broker.delete(queue.DEFAULT_QUEUE)
    assert sweep_late() == (1, 2)
    broker.flushall()
    assert sweep_late() == (1, 2)
