"""What the numbers of cascades cost, for cascades of any size, and how late they reach who watches.

Cost: cascades of several sizes, as random trees (each share passes on one of those before it, all alike likely) and as
stars, get further reshares in turn; writing and counting are timed apart. Lag: a share is posted to the API, and the
time until a watcher's stream tells of it is taken, at rest and while clients post as fast as they can.
"""

from __future__ import annotations

import http.client
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any

import numpy as np
import orjson

from benchmarks import fresh
from benchmarks.event_mix import Mix
from benchmarks.store import create_nodes
from graph import cascades, keys
from graph.connection import Graph
from graph.events import ingest
from graph.settings import Settings

SIZES = {"small": ((10, 1_000, 10_000), 5, 20, 10.0), "full": ((10, 1_000, 100_000), 20, 100, 60.0)}
"""Shares of the cascades, measured rounds, posts at rest, seconds under load."""
SHAPES = ("tree", "star")
USERS, ITEMS = 10_000, 1_000
BATCH = 50
"""Reshares that one round adds to each cascade."""
LOADED_BY = 2
"""Clients that post batches of 1,000 events meanwhile."""
PATIENCE_S = 60.0


@dataclass(slots=True)
class Grown:
    """A cascade that gets more and more shares."""

    shape: str
    name: str
    rng: np.random.Generator
    depths: list[int] = field(default_factory=list)
    """Of each share, by its number."""

    def more(self, count: int) -> list[dict[str, Any]]:
        """Return the events of further shares, parents before children."""
        return [self._share() for _ in range(count)]

    def _share(self) -> dict[str, Any]:
        number = len(self.depths)
        event = {
            "eventId": f"{self.name}-{number}",
            "type": "share",
            "userId": f"user{int(self.rng.integers(USERS))}",
            "itemId": "item0",
            "occurredAt": datetime.now(UTC).isoformat(),
        }
        parent = 0 if self.shape == "star" else int(self.rng.integers(max(number, 1)))
        self.depths.append(self.depths[parent] + 1 if number else 0)
        return event if not number else {**event, "parentShareId": f"{self.name}-{parent}"}


def run(settings: Settings, size: str = "small") -> dict[str, Any]:
    """Measure on a Neo4j, an API server and a counting process of its own and return the figures.

    Args:
        settings: `cache` is where the store lies meanwhile.
        size: `small` (cascades up to 10,000 shares) or `full` (up to 100,000).

    Returns:
        `cost`: for each shape and size `shares`, `mean_depth` of the added ones, `write_ms` and `count_ms` per added
        share (medians over rounds). `at_rest` and `under_load`: `p50_ms`, `p99_ms`, `most_ms` from before a post to its
        share on the stream, `posts`; under load also `events_per_s`.

    Raises:
        ValueError: there is no such size, or a share did not reach the stream.
    """
    if size not in SIZES:
        raise ValueError(f"size is {size!r}; choose {', '.join(SIZES)}")
    shares, rounds, posts, load_s = SIZES[size]
    with fresh.running(settings) as served:
        create_nodes(served.graph, USERS, ITEMS)
        cost = _cost(served.graph, served.settings, shares, rounds)
        key = keys.create(served.graph, ["ingest", "read"])
        with fresh.beside(served.settings, (sys.executable, "-m", "workers.cascades")):
            with watching(served.port, key) as probe:
                at_rest = told(probe.post() for _ in range(posts))
            with _loaded(served.port, key) as events, watching(served.port, key) as probe:
                before, began = len(events), time.monotonic()
                under_load = told(probe.posts_for(load_s))
                under_load["events_per_s"] = round((len(events) - before) * 1_000 / (time.monotonic() - began))
    return {"cost": cost, "at_rest": at_rest, "under_load": under_load}


def _cost(graph: Graph, settings: Settings, shares: tuple[int, ...], rounds: int) -> list[dict[str, Any]]:
    grown: dict[tuple[str, int], Grown] = {}
    for shape in SHAPES:
        for count in shares:
            name = f"{shape}{count}"
            grown[shape, count] = one = Grown(shape, name, np.random.default_rng(zlib.crc32(name.encode())))
            while len(one.depths) < count:
                write(graph, settings, one.more(min(1_000, count - len(one.depths))))
                count_all(graph, settings)
    write_s: dict[tuple[str, int], list[float]] = {which: [] for which in grown}
    count_s: dict[tuple[str, int], list[float]] = {which: [] for which in grown}
    for turn in range(-1, rounds):
        for which, one in grown.items():
            events = one.more(BATCH)
            began = time.perf_counter()
            write(graph, settings, events)
            written = time.perf_counter()
            count_all(graph, settings)
            if turn >= 0:
                write_s[which].append(written - began)
                count_s[which].append(time.perf_counter() - written)
    return [
        {
            "shape": shape,
            "shares": count,
            "mean_depth": round(float(np.mean(grown[shape, count].depths[count:])), 1),
            "write_ms": round(1_000 * median(write_s[shape, count]) / BATCH, 3),
            "count_ms": round(1_000 * median(count_s[shape, count]) / BATCH, 3),
        }
        for shape, count in grown
    ]


def write(graph: Graph, settings: Settings, events: list[dict[str, Any]], imported: bool = False) -> None:
    """Write events; `imported`: old ones too.

    Raises:
        ValueError: one was refused.
    """
    outcome = ingest(graph, settings, events, imported=imported)
    if outcome.accepted != len(events):
        raise ValueError(f"shares were refused: {outcome.rejected[:1]}")


def count_all(graph: Graph, settings: Settings) -> None:
    """Count until there is nothing left to count."""
    while cascades.count(graph, settings):
        pass


class Probe:
    """Posts shares to one cascade and waits until its stream tells of them."""

    def __init__(self, port: int, key: str, name: str) -> None:
        self._name = name
        self._posts = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._shares = 0
        self._told = threading.Condition()
        self._size = 0
        self.post_only()
        self._stream = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._stream.request("GET", f"/v1/cascades/{name}-0/stream", headers=self._headers)
        self._answer = self._stream.getresponse()
        if self._answer.status != 200:
            raise ValueError(f"the stream answered {self._answer.status}")
        threading.Thread(target=self._read, daemon=True).start()
        self._wait()

    def post_only(self) -> None:
        """Post one more share."""
        number = self._shares
        event = {"eventId": f"{self._name}-{number}", "type": "share", "userId": f"user{number}", "itemId": "item1"}
        event |= {"parentShareId": f"{self._name}-0"} if number else {}
        event["occurredAt"] = datetime.now(UTC).isoformat()
        while True:  # a client that is told to come back does, and that is part of the time
            self._posts.request("POST", "/v1/events", orjson.dumps(event), self._headers)
            response = self._posts.getresponse()
            response.read()
            if response.status != 503:
                break
            time.sleep(float(response.headers["Retry-After"]))
        if response.status != 202:
            raise ValueError(f"the API answered {response.status}")
        self._shares += 1

    def post(self) -> float:
        """Post one more share and return the seconds until the stream has told of it."""
        began = time.perf_counter()
        self.post_only()
        self._wait()
        return time.perf_counter() - began

    def posts_for(self, seconds: float) -> Iterator[float]:
        """Post one share after the other, with a short pause, for so long."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            yield self.post()
            time.sleep(0.1)

    def close(self) -> None:
        """Stop listening."""
        self._posts.close()
        self._stream.close()

    def _wait(self) -> None:
        with self._told:
            if not self._told.wait_for(lambda: self._size >= self._shares, PATIENCE_S):
                raise ValueError(f"no share on the stream within {PATIENCE_S:g} s")

    def _read(self) -> None:
        try:
            for line in self._answer:
                if line.startswith(b"data: "):
                    size = orjson.loads(line[6:])["cascadeSize"] or 0
                    with self._told:
                        self._size = size
                        self._told.notify_all()
        except (OSError, ValueError, AttributeError):
            return  # closed


@contextmanager
def watching(port: int, key: str) -> Iterator[Probe]:
    """Begin a cascade and watch it."""
    probe = Probe(port, key, f"probe{time.monotonic_ns()}")
    try:
        yield probe
    finally:
        probe.close()


@contextmanager
def _loaded(port: int, key: str) -> Iterator[list[int]]:
    """Post the mix of `kith bench ingest` as fast as the API takes it; yield a list that has one entry per batch."""
    ended = threading.Event()
    taken: list[int] = []

    def client(number: int) -> None:
        mix = Mix(f"load{number}", USERS, ITEMS, seed=number)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        while not ended.is_set():
            for batch in mix.batches(5, 1_000):
                connection.request("POST", "/v1/events", batch.body, headers)
                response = connection.getresponse()
                response.read()
                if response.status == 202:
                    taken.append(batch.size)
                elif response.status == 503:
                    time.sleep(float(response.headers["Retry-After"]))
                else:
                    raise ValueError(f"the API answered {response.status}")

    with ThreadPoolExecutor(LOADED_BY) as pool:
        clients = [pool.submit(client, number) for number in range(LOADED_BY)]
        try:
            yield taken
        finally:
            ended.set()
            for each in clients:
                each.result()


def told(seconds: Iterator[float]) -> dict[str, Any]:
    """Return how long it took until what was posted was told."""
    found = np.array(list(seconds)) * 1_000
    p50, p99, most = (round(float(np.percentile(found, part)), 1) for part in (50, 99, 100))
    return {"p50_ms": p50, "p99_ms": p99, "most_ms": most, "posts": len(found)}


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(run(Settings.load(), *sys.argv[1:2])).decode() + "\n")
