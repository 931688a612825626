"""Served lists from a process of the API over the broker into files, with the broker or the worker away meanwhile."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from api import served as sending
from api.metrics import RequestMetrics
from api.served import Served
from graph import served
from graph.server.process import free_ports
from graph.settings import Settings
from tests.workers.processes import until
from workers import queue, served_stream
from workers.queue import QueueUnavailableError
from workers.served import keep

NOW_MS = int(time.time() * 1000)


def answer(name: str, items: int = 3) -> bytes:
    rows = [{"rank": n + 1, "itemId": f"i{n}", "score": 1.0, "reasons": []} for n in range(items)]
    rows[-1]["propensity"] = 0.04
    told = {"recommendationId": name, "modelVersion": "v1", "strategy": "published", "filled": 0, "items": rows}
    return orjson.dumps(told)


@pytest.fixture
def chosen(broker: redis.Redis, broker_url: str, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, broker_url=broker_url)


@pytest.fixture
def metrics(tmp_path: Path) -> RequestMetrics:
    return RequestMetrics(tmp_path / "metrics")


@pytest.fixture
def lists(chosen: Settings, metrics: RequestMetrics) -> Iterator[Served]:
    made = Served(chosen, lambda: metrics, threading.Event())
    yield made
    made.close()


def counted(metrics: RequestMetrics, outcome: str) -> float:
    name = f'kith_served_lists_total{{outcome="{outcome}"}}'
    lines = metrics.render().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def kept(settings: Settings) -> list[dict[str, Any]]:
    return [row for table in served.read(settings.served) for row in table.to_pylist()]


def test_lists_reach_files_with_rank_and_propensity(lists: Served, chosen: Settings, metrics: RequestMetrics) -> None:
    lists.record(answer("r1"), "ann", NOW_MS, "web")
    lists.record(answer("r2", 1), None, NOW_MS, None)
    until(lambda: queue.served(chosen).entries == 1, 10)
    assert keep(chosen) == 2
    rows = kept(chosen)
    assert [(row["recommendationId"], row["rank"], row["itemId"]) for row in rows] == [
        ("r1", 1, "i0"), ("r1", 2, "i1"), ("r1", 3, "i2"), ("r2", 1, "i0"),
    ]  # fmt: skip
    assert [row["userId"] for row in rows] == ["ann", "ann", "ann", None]
    assert [round(row["propensity"], 3) for row in rows] == [1.0, 1.0, 0.04, 0.04]
    assert {row["channel"] for row in rows} == {"web", None}
    assert queue.served(chosen) == served_stream.ServedState(entries=0, trimmed=0)
    assert counted(metrics, "sent") == 2
    assert keep(chosen) == 0


def test_a_worker_that_died_before_it_acknowledged_loses_and_doubles_nothing(chosen: Settings) -> None:
    queue.record_served(chosen, [sending.told(answer("r1"), "ann", NOW_MS, None)])
    with served_stream.opened(chosen) as client:
        (taken,) = served_stream.take(client, "dead", 10)
        served.write(chosen.served, taken.entry_id, taken.lists)
        assert served_stream.take(client, "other", 10) == []
        client.xclaim(served_stream.NAME, served_stream.GROUP, "dead", 0, [taken.entry_id], idle=served_stream.LEFT_MS)
    assert keep(chosen) == 1
    assert [row["recommendationId"] for row in kept(chosen)] == ["r1"] * 3
    assert queue.served(chosen) == served_stream.ServedState(entries=0, trimmed=0)


def test_what_the_broker_drops_is_counted(chosen: Settings, broker: redis.Redis) -> None:
    for n in range(3):
        queue.record_served(chosen, [sending.told(answer(f"r{n}"), "ann", NOW_MS, None)])
    assert keep(chosen) == 3
    for n in range(4):
        queue.record_served(chosen, [sending.told(answer(f"s{n}"), "ann", NOW_MS, None)])
    broker.xtrim(served_stream.NAME, maxlen=1, approximate=False)
    assert queue.served(chosen) == served_stream.ServedState(entries=1, trimmed=3)
    assert keep(chosen) == 1


def test_foreign_entries_are_passed_over(chosen: Settings, broker: redis.Redis) -> None:
    for body in (b"no zlib", b"x\x9c\x03\x00\x00\x00\x00\x01"):
        broker.xadd(served_stream.NAME, {served_stream.FIELD: body})
    broker.xadd(served_stream.NAME, {"other": b"field"})
    queue.record_served(chosen, [{"recommendationId": 7}, sending.told(answer("r1"), "ann", NOW_MS, None)])
    assert keep(chosen) == 1
    assert queue.served(chosen).entries == 0


def test_without_a_broker_no_read_waits_and_what_is_too_much_is_counted(
    tmp_path: Path, metrics: RequestMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setattr(sending, "MOST_WAITING", 5)
    away = Served(Settings(home=tmp_path, broker_port=port), lambda: metrics, threading.Event())
    began = time.monotonic()
    for n in range(8):
        away.record(answer(f"r{n}"), "ann", 1, None)
    assert time.monotonic() - began < 0.2
    assert counted(metrics, "dropped") == 3
    away.close()
    with pytest.raises(QueueUnavailableError):
        queue.served(Settings(home=tmp_path, broker_port=port))


def test_what_waits_is_sent_once_the_broker_is_back(
    chosen: Settings, metrics: RequestMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "RETRY_S", 0.1)
    sends = {"left": 2}
    send = queue.record_served

    def refused_twice(settings: Settings, lists: list[dict[str, Any]]) -> None:
        if sends["left"]:
            sends["left"] -= 1
            (port,) = free_ports(1)
            send(dataclasses.replace(settings, broker_url="", broker_port=port), lists)
        send(settings, lists)

    monkeypatch.setattr(queue, "record_served", refused_twice)
    lists = Served(chosen, lambda: metrics, threading.Event())
    lists.record(answer("r1"), "ann", NOW_MS, None)
    until(lambda: queue.served(chosen).entries == 1, 10)
    lists.close()
    assert keep(chosen) == 1


def test_lists_are_not_recorded_where_none_shall_be_kept(chosen: Settings, metrics: RequestMetrics) -> None:
    lists = Served(dataclasses.replace(chosen, served_days=0), lambda: metrics, threading.Event())
    lists.record(answer("r1"), "ann", 1, None)
    lists.close()
    assert queue.served(chosen).entries == 0
