"""One hash of the whole graph: equal for graphs that say the same, whatever order it was said in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import orjson

from graph.connection import Graph
from graph.trees import FORECAST_PROPERTIES

CLOCKS: Final = frozenset(
    {"firstIngestedAt", "ingestedAt", "receivedAt", "appliedAt", "ix", "imported", "growth", *FORECAST_PROPERTIES}
)
"""Properties that tell when or how something was written, not what; sums of floats depend on their order."""
TIMEOUT_S: Final = 3_600.0
MASK: Final = 2**256 - 1


def digest(graph: Graph, *, timeout_s: float = TIMEOUT_S) -> str:
    """Return 64 hexadecimal digits that do not depend on internal ids, order, or the server's clock.

    Jobs, keys, sessions, forecasts, alerts and the schema record are left out. The hashes of all nodes and
    relationships are added modulo 2^256, so memory does not grow with the graph.

    Raises:
        UnavailableError: Neo4j does not answer within `timeout_s`.
    """
    total = _sum(graph.stream("digest.nodes", timeout_s=timeout_s))
    total += _sum(graph.stream("digest.relationships", timeout_s=timeout_s))
    return f"{total & MASK:064x}"


def _sum(rows: Iterable[dict[str, Any]]) -> int:
    total = 0
    for row in rows:
        row["properties"] = {name: value for name, value in row["properties"].items() if name not in CLOCKS}
        for labels in ("labels", "startLabels", "endLabels"):
            if labels in row:
                row[labels] = sorted(row[labels])
        text = orjson.dumps(row, option=orjson.OPT_SORT_KEYS, default=_text)
        total += int.from_bytes(hashlib.sha256(text).digest(), "big")
    return total & MASK


def _text(value: object) -> str:
    """Say a time as ISO 8601; Neo4j's own classes and Python's name the method differently."""
    spell = getattr(value, "iso_format", None)
    return str(spell() if spell else value)
