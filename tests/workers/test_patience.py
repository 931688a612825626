from __future__ import annotations

import logging
import threading
import time

import pytest
import redis

from workers import patience
from workers.patience import Patience, Stopped


def test_it_says_so_once_and_that_it_is_over_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "FIRST_S", 0.001)
    caplog.set_level(logging.INFO, "kith.workers")
    waiting = Patience("Neo4j", threading.Event())
    for _ in range(3):
        waiting.wait(ValueError("what somebody sent"))
    waiting.well()
    waiting.well()
    waiting.wait(redis.ResponseError("WRONGTYPE"))
    assert [record.getMessage() for record in caplog.records] == [
        "waiting for Neo4j: ValueError",
        "Neo4j is there again",
        "waiting for Neo4j: ResponseError WRONGTYPE",
    ]


def test_the_wish_to_stop_ends_a_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_S", 60.0)
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        Patience("Neo4j", stop).wait(ValueError())
    assert time.monotonic() - began < 10
    with pytest.raises(Stopped):
        Patience("Neo4j", stop).check()
