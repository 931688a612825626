"""What came of served lists: each listed item with its propensity and what its user did with it.

An act counts for the list that its event names (`recommendationId`), if that id was signed here, the list was served
to this user, and the item stood in it. Users who do not agree to personalisation (any more) are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from graph import served
from graph.connection import Graph

USERS_AT_ONCE: Final = 500
MOST_ACTS: Final = 5_000
"""Of one user that name lists, since the lists of the file."""
CLOCKS_S: Final = 300
"""An event's time may lie so much before its list's: its client's clock was behind."""
ADDED: Final = [("clicks", pa.int32()), ("carts", pa.int32()), ("purchases", pa.int32()), ("valueMinor", pa.int64()),
                ("currency", pa.string())]  # fmt: skip
COUNTED: Final = {"CLICKED": "clicks", "ADDED_TO_CART": "carts", "PURCHASED": "purchases"}

SCHEMA: Final = pa.schema([*served.SCHEMA, *ADDED])

Key = tuple[str, str, str]
"""recommendationId, userId, itemId."""


def rewards(
    graph: Graph, folder: Path, since: datetime | None = None, until: datetime | None = None
) -> Iterator[pa.Table]:
    """Yield the listed items of one file after the other with what came of them (`SCHEMA`).

    Args:
        graph: where the acts are.
        folder: of served lists.
        since: lists that were served at this time or later; None: all.
        until: lists that were served before this time; None: all.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    for rows in served.read(folder, since, until):
        users = sorted({user for user in rows["userId"].to_pylist() if user is not None})
        if not users:
            continue
        earliest: datetime = min(rows["servedAt"].to_pylist())
        agreed, counted = _acts(graph, users, earliest - timedelta(seconds=CLOCKS_S))
        mask = pa.array([user in agreed for user in rows["userId"].to_pylist()], pa.bool_())
        yield _joined(rows.filter(mask), counted)


def _acts(graph: Graph, users: list[str], since: datetime) -> tuple[set[str], dict[Key, dict[str, Any]]]:
    """Return who agrees, and what they did with listed items."""
    agreed: set[str] = set()
    counted: dict[Key, dict[str, Any]] = defaultdict(lambda: {"clicks": 0, "carts": 0, "purchases": 0, "valueMinor": 0})
    given = {"since_ms": int(since.timestamp() * 1000), "most_acts": MOST_ACTS}
    for start in range(0, len(users), USERS_AT_ONCE):
        found = graph.read("rewards.acts_on_lists", user_ids=users[start : start + USERS_AT_ONCE], **given)
        for row in found:
            agreed.add(row["userId"])
            for list_id, item, kind, value_minor, currency in row["acts"]:
                sums = counted[(list_id, row["userId"], item)]
                sums[COUNTED[kind]] += 1
                if kind == "PURCHASED":
                    sums["valueMinor"] += value_minor
                    sums["currency"] = currency
    return agreed, counted


def _joined(rows: pa.Table, counted: dict[Key, dict[str, Any]]) -> pa.Table:
    keys = zip(*(rows[name].to_pylist() for name in ("recommendationId", "userId", "itemId")), strict=True)
    sums = [counted.get(key, {}) for key in keys]
    for name, kind in ADDED:
        nothing = None if name == "currency" else 0
        rows = rows.append_column(name, pa.array([each.get(name, nothing) for each in sums], kind))
    return rows
