"""How many events per second get into the graph: the API, exactly once, beside the bare driver without a ledger.

Both write the same mix (`benchmarks.event_mix`) in batches from as many clients into the same Neo4j, in turn. API: a
real server, whose answer is awaited before the next batch is sent. Driver: rows ready in memory, one transaction per
batch, one plain statement per type; no judging, no ledger, no late parents.
"""

from __future__ import annotations

import contextlib
import http.client
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
import orjson
import psutil

from benchmarks import fresh
from benchmarks.event_mix import Batch, Mix
from benchmarks.store import create_nodes
from graph import keys
from graph.connection import Graph
from graph.settings import Settings

SIZES = {"small": (10_000, 1_000, 3, 5), "full": (100_000, 10_000, 5, 10)}
"""Users, items, measured rounds, batches per client and round."""
BATCH, CLIENTS = 1_000, 4
WARM_ROUNDS = 3
CURVE_BATCHES, CURVE_CLIENTS, CURVE_S = (1, 10, 100, 1_000), (1, 2, 4, 8), 4.0
"""`full` also measures every pair of these, each for about so long."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where both ways write to."""

    graph: Graph
    port: int
    key: str
    neo4j_pid: int
    api_pid: int
    users: int
    items: int
    refused: list[float] = field(default_factory=list)
    """When the API sent a client away for a moment."""


def run(settings: Settings, size: str = "small") -> dict[str, Any]:
    """Measure on a Neo4j and an API server of its own and return the figures.

    Args:
        settings: `cache` is where the store lies meanwhile.
        size: `small` (10^4 users) or `full` (10^5 users and 10^4 items, with the curve).

    Returns:
        `events_per_s`, `driver_events_per_s` (medians over rounds), `ratio`, `p50_ms` and `p99_ms` of one batch,
        `single_p50_ms` and `single_p99_ms` of a request with one event from one client, `cpu_ms_per_1000_events` of
        API and Neo4j (and of Neo4j and driver for the other way), `batch`, `writers`, with `full` also `curve`.

    Raises:
        ValueError: there is no such size.
    """
    if size not in SIZES:
        raise ValueError(f"size is {size!r}; choose {', '.join(SIZES)}")
    users, items, rounds, batches = SIZES[size]
    with _running(settings, users, items) as place:
        found = _side_by_side(place, rounds, batches)
        single = _post(place, _made(place, "single", 1, 300, 1))
        found |= {"single_p50_ms": _ms(single, 50), "single_p99_ms": _ms(single, 99)}
        if size == "full":
            found["curve"] = [_point(place, batch, clients) for batch in CURVE_BATCHES for clients in CURVE_CLIENTS]
    return found


def _side_by_side(place: Place, rounds: int, batches: int) -> dict[str, Any]:
    rates: dict[str, list[float]] = {"api": [], "driver": []}
    cpu: dict[str, list[float]] = {"api_api": [], "api_neo4j": [], "driver_driver": [], "driver_neo4j": []}
    waits: list[float] = []
    ways: dict[str, Callable[[list[list[Batch]]], list[float]]] = {
        "api": lambda made: _post(place, made),
        "driver": lambda made: _write(place, made),
    }
    for turn in range(-WARM_ROUNDS, rounds):
        for name, way in ways.items():
            made = _made(place, f"{name}{turn}", CLIENTS, batches, BATCH)
            before = _cpu_s(place)
            began = time.perf_counter()
            seconds = way(made)
            taken, after = time.perf_counter() - began, _cpu_s(place)
            if turn < 0:
                continue
            thousands = CLIENTS * batches * BATCH / 1000
            rates[name].append(thousands * 1000 / taken)
            cpu[f"{name}_neo4j"].append((after["neo4j"] - before["neo4j"]) / thousands)
            mine = "api" if name == "api" else "driver"
            cpu[f"{name}_{mine}"].append((after[mine] - before[mine]) / thousands)
            waits += seconds if name == "api" else []
    return {
        "events_per_s": round(median(rates["api"])),
        "driver_events_per_s": round(median(rates["driver"])),
        "ratio": round(median(rates["api"]) / median(rates["driver"]), 3),
        "p50_ms": _ms(waits, 50),
        "p99_ms": _ms(waits, 99),
        "cpu_ms_per_1000_events": {name: round(median(each) * 1000) for name, each in cpu.items()},
        "refused": len(place.refused),
        "batch": BATCH,
        "writers": CLIENTS,
        "rounds": rounds,
    }


def _point(place: Place, batch: int, clients: int) -> dict[str, Any]:
    """Measure the API with one size of batch and one number of clients."""
    trial = _made(place, f"trial{batch}.{clients}", clients, 3, batch)
    began = time.perf_counter()
    _post(place, trial)
    number = max(3, int(CURVE_S / ((time.perf_counter() - began) / 3)))
    made = _made(place, f"curve{batch}.{clients}", clients, min(number, 1_000), batch)
    began = time.perf_counter()
    waits = _post(place, made)
    rate = len(waits) * batch / (time.perf_counter() - began)
    return {
        "batch": batch,
        "writers": clients,
        "events_per_s": round(rate),
        "p50_ms": _ms(waits, 50),
        "p99_ms": _ms(waits, 99),
    }


def _made(place: Place, name: str, clients: int, batches: int, size: int) -> list[list[Batch]]:
    """Make every client's batches; the time this takes is not measured."""
    names = [f"{name}.{n}" for n in range(clients)]
    mixes = [Mix(each, place.users, place.items, seed=zlib.crc32(each.encode())) for each in names]
    return [list(mix.batches(batches, size)) for mix in mixes]


def _post(place: Place, made: list[list[Batch]]) -> list[float]:
    """Send every client's batches one after the other and return each request's seconds."""

    def client(batches: list[Batch]) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=120)
        headers = {"Authorization": f"Bearer {place.key}", "Content-Type": "application/json"}
        seconds: list[float] = []
        for batch in batches:
            began = time.perf_counter()
            while True:  # a client that is told to come back does
                connection.request("POST", "/v1/events", batch.body, headers)
                response = connection.getresponse()
                told = orjson.loads(response.read())
                if response.status != 503:
                    break
                place.refused.append(time.perf_counter())
                time.sleep(float(response.headers["Retry-After"]))
            seconds.append(time.perf_counter() - began)
            if response.status != 202 or told["accepted"] != batch.size:
                raise ValueError(f"the API answered {response.status}: {str(told)[:300]}")
        connection.close()
        return seconds

    return _in_parallel(client, made)


def _write(place: Place, made: list[list[Batch]]) -> list[float]:
    """Write every client's batches with the driver alone and return each transaction's seconds."""

    def client(batches: list[Batch]) -> list[float]:
        seconds: list[float] = []
        for batch in batches:
            began = time.perf_counter()
            place.graph.write_many([(name, {"rows": rows}) for name, rows in batch.rows.items()])
            seconds.append(time.perf_counter() - began)
        return seconds

    return _in_parallel(client, made)


def _in_parallel(client: Callable[[list[Batch]], list[float]], made: list[list[Batch]]) -> list[float]:
    with ThreadPoolExecutor(len(made)) as pool:
        return [seconds for each in pool.map(client, made) for seconds in each]


def _ms(seconds: list[float], percentile: int) -> float:
    return round(float(np.percentile(seconds, percentile)) * 1000, 1)


def _cpu_s(place: Place) -> dict[str, float]:
    """Return the processor seconds so far of Neo4j, of the API with its children, and of this process."""
    api = psutil.Process(place.api_pid)
    trees = {"neo4j": [psutil.Process(place.neo4j_pid)], "api": [api, *api.children()], "driver": [psutil.Process()]}
    return {name: sum(sum(one.cpu_times()[:2]) for one in tree) for name, tree in trees.items()}


@contextlib.contextmanager
def _running(settings: Settings, users: int, items: int) -> Iterator[Place]:
    """Start Neo4j with users and items, and an API server beside it."""
    with fresh.running(settings) as served:
        create_nodes(served.graph, users, items)
        key = keys.create(served.graph, ["ingest"])
        yield Place(served.graph, served.port, key, served.neo4j_pid, served.api_pid, users, items)


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(run(Settings.load(), *sys.argv[1:2])).decode() + "\n")
