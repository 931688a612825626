"""How fast the graph is read: the product's columns against one row per relationship and the server's own scan.

All three read every `(:User)-[:PURCHASED]->(:Item)` with both ends and the time. Rows: `RETURN userId, itemId,
occurredAt`, decoded by the driver to Python values. Columns: the reads of `graph.snapshot` for that pattern, consent
and watermark checked, times as seconds, decoded to numpy. Scan: the server touches the same values and sends a count.
"""

from __future__ import annotations

import sys
from typing import Any

import orjson

from benchmarks.store import alternate, prepared
from engine.types import Edges
from graph import snapshot
from graph.column_reads import Cut
from graph.connection import Graph
from graph.settings import Settings

ROUNDS = 3
MEASURED_AT_MOST = 1_000_000
"""One row each, more take a quarter of an hour a round."""
TIMEOUT_S = 600.0


def run(settings: Settings, size: str = "small") -> dict[str, Any]:
    """Measure on the benchmarks' own Neo4j and return the figures.

    Args:
        settings: `cache` is where the prepared graph lies.
        size: `tiny` (10^5 relationships), `small` (2x10^5), `full` (10^6) or `huge` (10^7).

    Returns:
        `rows_per_s columns_per_s scan_per_s` (relationships per second, medians), `ratio` (columns to rows),
        `ratio_to_rows_of_numbers` (the same where rows carry the time as a number, not as a DateTime, whose decoding
        takes most of the usual way's time), `of_scan` (columns to scan), `relationships`, `rows_relationships` (what
        rows were measured on: their rate is carried over where that is less), and `bytes_per_edge` of a finished
        snapshot's interactions.
    """
    with prepared(settings, size) as (own, own_settings, chosen):
        cut = snapshot.prepare(own)
        count = chosen.users * chosen.purchases_each
        rows = min(count, MEASURED_AT_MOST)
        seconds = alternate(
            {
                "rows": lambda: _rows(own, "rows", rows),
                "rows_of_numbers": lambda: _rows(own, "rows_of_numbers", rows),
                "columns": lambda: _columns(cut, count),
                "scan": lambda: own.read("benchmark.scan", timeout_s=TIMEOUT_S),
            },
            ROUNDS,
        )
        edges = snapshot.export(own, own_settings).interactions
    columns_per_s = count / seconds["columns"]
    return {
        "rows_per_s": round(rows / seconds["rows"]),
        "columns_per_s": round(columns_per_s),
        "scan_per_s": round(count / seconds["scan"]),
        "ratio": round(columns_per_s / (rows / seconds["rows"]), 2),
        "ratio_to_rows_of_numbers": round(columns_per_s / (rows / seconds["rows_of_numbers"]), 2),
        "of_scan": round(seconds["scan"] / seconds["columns"], 2),
        "relationships": count,
        "rows_relationships": rows,
        "bytes_per_edge": round(_size_bytes(edges) / len(edges), 1),
    }


def _rows(graph: Graph, name: str, count: int) -> None:
    found = sum(1 for _ in graph.stream(f"benchmark.{name}", timeout_s=TIMEOUT_S, limit=count))
    if found != count:
        raise ValueError(f"row-wise reading found {found} of {count} relationships")


def _columns(cut: Cut, count: int) -> None:
    found = len(snapshot.interaction_columns(cut, "interactions")["source"])
    if found != count:
        raise ValueError(f"column-wise reading found {found} of {count} relationships")


def _size_bytes(edges: Edges) -> int:
    return edges.source.nbytes + edges.target.nbytes + sum(column.nbytes for column in edges.columns.values())


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(run(Settings.load(), *sys.argv[1:2])).decode() + "\n")
