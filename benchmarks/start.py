"""How long the local Neo4j takes from its start to its first answers: an empty store, then the same store again."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from graph.server import neo4j, process
from graph.settings import Settings

ROUNDS = 5


def run(settings: Settings, size: str = "small") -> dict[str, Any]:
    """Start and stop a Neo4j of its own and return medians in seconds.

    Args:
        settings: `cache` is where the jars and the start-up archive lie.
        size: not used; every benchmark has this signature.

    Returns:
        `empty_to_bolt_s empty_to_query_s again_to_bolt_s again_to_query_s stop_s rounds`.
    """
    seconds: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="kith-start-") as home:
            own = neo4j.on_free_ports(replace(settings, home=Path(home), neo4j_uri="", neo4j_password=""))
            for store in ("empty", "again"):
                for name, value in _start(own).items():
                    seconds.setdefault(f"{store}_{name}", []).append(value)
    medians = {name: round(statistics.median(values), 2) for name, values in seconds.items() if "stop" not in name}
    stops = seconds["empty_stop_s"] + seconds["again_stop_s"]
    return {**medians, "stop_s": round(statistics.median(stops), 2), "rounds": ROUNDS}


def _start(settings: Settings) -> dict[str, float]:
    command = neo4j.prepare(settings, show=False)
    begun = time.perf_counter()
    child = process.start(settings, command)
    try:
        process.wait_until_ready(settings, child)
        bolt_s = time.perf_counter() - begun
        neo4j.first_query(settings)
        query_s = time.perf_counter() - begun
    finally:
        stopping = time.perf_counter()
        process.stop(child)
    return {"to_bolt_s": bolt_s, "to_query_s": query_s, "stop_s": time.perf_counter() - stopping}


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(run(Settings.load())).decode() + "\n")
