"""What learning how cascades grow costs, and a forecast of a running one; and how little it delays the counting.

The past is made up: sizes have a heavy tail, each share passes on one of those before it, delays are long-tailed too.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from itertools import islice
from statistics import median
from typing import Any

import numpy as np
import orjson

from benchmarks import fresh
from benchmarks.cascades import count_all, told, watching, write
from benchmarks.store import create_nodes
from engine.propagation.size import fit_sizes
from graph import cascade_history, keys
from graph.connection import Graph, connect
from graph.events import MAX_EVENTS
from graph.settings import Settings
from workers import forecasting

SIZES = {"small": (2_000, (10, 1_000, 5_000), 3, 20.0), "full": (20_000, (10, 1_000, 30_000), 5, 45.0)}
"""Past cascades, shares of the running ones, measured rounds, seconds of each phase of the lag."""
USERS, ITEMS = 20_000, 1_000
DAY_S = 86_400.0
AGE_S = 22 * 3_600.0
"""Of a running cascade: old enough that time alone makes no forecast due while the benchmark lasts."""
GROWTH = 0.06
"""What a running cascade gains between two forecasts: a little more than makes one due."""
PHASES = (False, True, False, True)
"""Lag without and with forecasts, in turn."""
TRICKLE, TRICKLE_S, TRICKLED = 50, 0.25, 300
"""Shares at a time, seconds between, and running cascades that get them."""
EVERY_S = 10.0
"""As the scheduler does it."""


def run(settings: Settings, size: str = "small") -> dict[str, Any]:
    """Measure on a Neo4j, an API server, a counting and a forecasting process of its own and return the figures.

    Args:
        settings: `cache` is where the store lies meanwhile.
        size: `small` (2,000 past cascades, running ones up to 5,000 shares) or `full` (20,000, up to 30,000).

    Returns:
        `learning`: `cascades`, `shares`, and seconds to `read_s` them, to `fit_s` a model, and for the `whole_s`
        (medians), `grew_mb`: what this process needed besides at most. `rounds`: for each running cascade `shares` and
        the `round_ms` of forecasting it alone (median). `lag`: `p50_ms`, `p99_ms`, `most_ms`, `posts` from a post to
        its share on the stream, for each phase, `forecasts` or not.

    Raises:
        ValueError: there is no such size, or something was not forecast or not told.
    """
    if size not in SIZES:
        raise ValueError(f"size is {size!r}; choose {', '.join(SIZES)}")
    past, running, rounds, phase_s = SIZES[size]
    rng = np.random.default_rng(7)
    with fresh.running(settings) as served:
        create_nodes(served.graph, USERS, ITEMS)
        _share(served.graph, served.settings, _past(rng, past))
        learning = _learning(served.graph, rounds)
        costs = [_round(served.graph, served.settings, rng, shares, rounds) for shares in running]
        lag = _lag(served, phase_s)
    return {"learning": learning, "rounds": costs, "lag": lag}


def _past(rng: np.random.Generator, cascades: int) -> Iterator[dict[str, Any]]:
    """Yield cascades of the last month but two days, each of 1 to 2,000 shares."""
    now_s = time.time()
    for number, size in enumerate(np.minimum(2_000, 3 * rng.pareto(1.2, cascades) + 1).astype(int).tolist()):
        start_s = now_s - 30 * DAY_S + 25 * DAY_S * number / cascades
        yield from _cascade(rng, f"past{number}", start_s, size, longest_s=2 * DAY_S)


def _cascade(
    rng: np.random.Generator, name: str, start_s: float, size: int, longest_s: float
) -> Iterator[dict[str, Any]]:
    seconds = np.minimum(np.sort(rng.lognormal(8.0, 2.0, size)), longest_s)
    seconds[0] = 0.0
    for number, after_s in enumerate(seconds.tolist()):
        yield _event(rng, name, number, start_s + after_s, parent=int(rng.integers(max(number, 1))))


def _event(rng: np.random.Generator, name: str, number: int, at_s: float, parent: int) -> dict[str, Any]:
    event = {
        "eventId": f"{name}-{number}",
        "type": "share",
        "userId": f"user{rng.integers(USERS)}",
        "itemId": "item0",
        "occurredAt": datetime.fromtimestamp(at_s, UTC).isoformat(),
    }
    return {**event, "parentShareId": f"{name}-{parent}"} if number else event


def _share(graph: Graph, settings: Settings, events: Iterator[dict[str, Any]]) -> None:
    while some := list(islice(events, MAX_EVENTS)):
        write(graph, settings, some, imported=True)
        count_all(graph, settings)


def _learning(graph: Graph, rounds: int) -> dict[str, Any]:
    read_s, fit_s, whole_s = [], [], []
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(rounds):
        began = time.perf_counter()
        past = cascade_history.history(graph, graph.now_ms())
        read_s.append(time.perf_counter() - began)
        began = time.perf_counter()
        if fit_sizes(past, time.time()) is None:
            raise ValueError("there was too little to learn from")
        fit_s.append(time.perf_counter() - began)
        del past
        began = time.perf_counter()
        learned = forecasting.learn(graph)
        whole_s.append(time.perf_counter() - began)
    return {
        "cascades": learned.cascades,
        "shares": learned.shares,
        "read_s": round(median(read_s), 2),
        "fit_s": round(median(fit_s), 2),
        "whole_s": round(median(whole_s), 2),
        "grew_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1_024),
    }


def _round(graph: Graph, settings: Settings, rng: np.random.Generator, shares: int, rounds: int) -> dict[str, Any]:
    name = f"running{shares}"
    _share(graph, settings, _cascade(rng, name, time.time() - AGE_S, shares, longest_s=AGE_S))
    there = shares
    took_s: list[float] = []
    for turn in range(-1, rounds):
        more = max(1, round(GROWTH * there))
        now_s = time.time()
        _share(graph, settings, (_event(rng, name, there + k, now_s, parent=0) for k in range(more)))
        there += more
        began = time.perf_counter()
        done = forecasting.forecast_due(graph)
        if done.forecast != 1:
            raise ValueError(f"{done.forecast} cascades were forecast, not 1")
        if turn >= 0:
            took_s.append(time.perf_counter() - began)
    return {"shares": shares, "round_ms": round(1_000 * median(took_s), 1)}


def _lag(served: fresh.Served, phase_s: float) -> list[dict[str, Any]]:
    key = keys.create(served.graph, ["ingest", "read"])
    found = []
    with fresh.beside(served.settings, (sys.executable, "-m", "workers.cascades")), _trickling(served):
        for forecasts in PHASES:
            command = (sys.executable, "-m", "benchmarks.forecasts", "rounds")
            beside = fresh.beside(served.settings, command) if forecasts else nullcontext()
            with beside, watching(served.port, key) as probe:
                found.append({"forecasts": forecasts, **told(probe.posts_for(phase_s))})
    return found


@contextmanager
def _trickling(served: fresh.Served) -> Iterator[None]:
    """Let hundreds of running cascades grow meanwhile."""
    ended = threading.Event()
    rng = np.random.default_rng(8)

    def grow() -> None:
        number = 0
        while not ended.is_set():
            began, events = time.monotonic(), []
            for _ in range(TRICKLE):
                name, turn = f"trickle{number % TRICKLED}", number // TRICKLED
                events.append(_event(rng, name, turn, time.time(), parent=int(rng.integers(max(turn, 1)))))
                number += 1
            write(served.graph, served.settings, events)
            ended.wait(TRICKLE_S - (time.monotonic() - began))

    with ThreadPoolExecutor(1) as pool:
        growing = pool.submit(grow)
        try:
            yield
        finally:
            ended.set()
            growing.result()


def _rounds(settings: Settings) -> None:
    """Forecast what is due as the scheduler has it done, until ended."""
    with connect(settings) as graph:
        while True:
            began = time.monotonic()
            forecasting.forecast_due(graph)
            time.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["rounds"]:
        _rounds(Settings.load())
    else:
        sys.stdout.write(orjson.dumps(run(Settings.load(), *sys.argv[1:2])).decode() + "\n")
