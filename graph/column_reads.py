"""Columns out of Neo4j: ranges of the dense index `ix`, two read sessions side by side, Bolt vectors into numpy.

docs/adr/0008 argues it. A range holds at most `RANGE_NODES` nodes, a vector at most 4,096 numbers, so neither side
ever holds more than a range per session beyond the finished columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.types import NO_TIME
from graph.connection import Graph
from graph.values import RESERVED_PREFIXES

RANGE_NODES = 2500
"""Nodes whose relationships one query reads."""
BLOCK = 4096
"""Numbers per vector: the most that Neo4j packs into one."""
SESSIONS = 2
"""Read sessions side by side: one more gained nothing on 2 cores."""
TIMEOUT_S = 120.0
ATTRIBUTES_LIMIT = 200
"""Free properties per label; the first ones by name are taken."""
NOT_ATTRIBUTES = (
    "userId", "itemId", "consent", "stub", "ix", "ingestedAt", "firstIngestedAt", "modelVersion", "tags",
)  # fmt: skip

Columns = dict[str, NDArray[Any]]

NUMBERS = frozenset({"INTEGER NOT NULL", "FLOAT NOT NULL"})
BOOLEANS = frozenset({"BOOLEAN NOT NULL"})
TIMES = frozenset({"ZONED DATETIME NOT NULL"})
TEXTS = frozenset({"STRING NOT NULL", "DATE NOT NULL", "LOCAL DATETIME NOT NULL", "LOCAL TIME NOT NULL",
                   "ZONED TIME NOT NULL", "DURATION NOT NULL"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cut:
    """What one export reads: up to which second, and up to which `ix`."""

    graph: Graph
    watermark_s: int
    """Rows ingested up to this second are in."""
    users: int
    """One more than the largest `ix` of a user; likewise below."""
    items: int
    shares: int
    tell: Callable[[], None] = lambda: None
    """Called once per range read."""


def in_ranges(cut: Cut, name: str, bound: int, **parameters: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of query `snapshot.<name>` for each range of `ix` below `bound`, in order.

    Two sessions work side by side, at most two ranges each ahead of the caller.
    """

    def read(low: int) -> list[dict[str, Any]]:
        return cut.graph.read(
            f"snapshot.{name}",
            timeout_s=TIMEOUT_S,
            low=low,
            high=min(low + RANGE_NODES, bound),
            watermark=datetime.fromtimestamp(cut.watermark_s, UTC),
            **parameters,
        )

    lows = range(0, bound, RANGE_NODES)
    with ThreadPoolExecutor(SESSIONS, thread_name_prefix="export") as pool:
        for start in range(0, len(lows), 2 * SESSIONS):
            for rows in pool.map(read, lows[start : start + 2 * SESSIONS]):
                cut.tell()
                yield rows


def vectors(cut: Cut, name: str, bound: int, **parameters: Any) -> Columns:
    """Return the columns of a query that answers with vectors (and lists of texts), each (E,).

    Raises:
        UnavailableError: Neo4j went away or a range took longer than two minutes.
    """
    parts: dict[str, list[NDArray[Any]]] = {}
    for rows in in_ranges(cut, name, bound, block=BLOCK, **parameters):
        for row in rows:
            for key, value in row.items():
                decoded = np.array(value, dtype=object) if isinstance(value, list) else value.to_numpy()
                parts.setdefault(key, []).append(decoded)
    return {key: np.concatenate(blocks) for key, blocks in parts.items()}


def node_columns(cut: Cut, label: str) -> tuple[Columns, Columns]:
    """Return the nodes of a label ("user" or "item") as (`ix ids sharing`, attributes by property key), each (N,)."""
    kinds = _attribute_kinds(cut.graph, label)
    bound = {"user": cut.users, "item": cut.items}[label]
    given = {kind: [key for key, its in kinds.items() if its == kind] for kind in ("values", "texts", "times")}
    heads: dict[str, list[NDArray[Any]]] = {"ix": [], "ids": [], "sharing": []}
    parts: dict[str, list[NDArray[Any]]] = {key: [] for key in kinds}
    for (row,) in in_ranges(cut, f"{label}s", bound, **given):
        heads["ix"].append(np.array(row["ix"], dtype=np.int64))
        heads["ids"].append(np.array(row["ids"], dtype=object))
        heads["sharing"].append(np.array(row.get("sharing", [True] * len(row["ix"])), dtype=bool))
        for kind, decode in (("values", _numbers), ("texts", _texts), ("times", _times)):
            for key, column in zip(given[kind], row[kind], strict=True):
                parts[key].append(decode(column))
    found: Columns = {
        "ix": np.concatenate([np.empty(0, dtype=np.int64), *heads["ix"]]),
        "ids": np.concatenate([np.empty(0, dtype=object), *heads["ids"]]),
        "sharing": np.concatenate([np.empty(0, dtype=bool), *heads["sharing"]]),
    }
    return found, {key: _joined(blocks) for key, blocks in parts.items() if blocks}


def _attribute_kinds(graph: Graph, label: str) -> dict[str, str]:
    """Return how each free property of a label is read: `values`, `texts` or `times`; lists and points are left out."""
    rows = graph.read(
        f"snapshot.{label}_attributes",
        timeout_s=TIMEOUT_S,
        names=list(NOT_ATTRIBUTES),
        prefixes=list(RESERVED_PREFIXES),
        limit=ATTRIBUTES_LIMIT,
    )
    kinds = {row["key"]: _kind(frozenset(row["types"])) for row in rows}
    return {key: kind for key, kind in kinds.items() if kind is not None}


def _kind(types: frozenset[str]) -> str | None:
    if types <= NUMBERS or types <= BOOLEANS:
        return "values"
    if types <= TIMES:
        return "times"
    return "texts" if types <= TEXTS | NUMBERS | BOOLEANS | TIMES else None


def _numbers(values: list[Any]) -> NDArray[Any]:
    """Return int64, bool or float64; a missing value makes it float64 with nan."""
    if None in values:
        return np.array(values, dtype=np.float64)
    return np.array(values) if values else np.empty(0, dtype=np.int64)


def _texts(values: list[str | None]) -> NDArray[np.object_]:
    return np.array(["" if value is None else value for value in values], dtype=object)


def _times(values: list[int | None]) -> NDArray[np.int64]:
    return np.array([NO_TIME if value is None else value for value in values], dtype=np.int64)


def _joined(blocks: list[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate; bool beside numbers (other parts had missing values) becomes a number."""
    filled = [block for block in blocks if len(block)] or blocks[:1]
    return np.concatenate(filled)
