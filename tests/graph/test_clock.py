"""The server's clock in a process: asked once in a while, carried on in between."""

from __future__ import annotations

import time

import pytest

from graph.clock import ServerClock
from graph.connection import Graph


def test_it_is_asked_once_and_goes_on() -> None:
    asked = []

    def ask() -> int:
        asked.append(1)
        return 1_000_000

    clock = ServerClock()
    first = clock.ms(ask)
    time.sleep(0.2)
    assert clock.ms(ask) - first == pytest.approx(200, abs=100)
    assert first == pytest.approx(1_000_000, abs=50)
    assert asked == [1]


def test_it_is_the_servers(graph: Graph) -> None:
    here_ms = graph.now_ms()
    server_s = graph.read("monitor.state")[0]["serverTimeS"]
    assert 0 <= server_s * 1000 - here_ms < 10_000
    assert graph.until(time.monotonic() + 60).now_ms() >= here_ms
