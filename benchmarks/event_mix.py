"""A shop's stream of events, made up: the mix of the ingest bench, as bodies for the API and as rows for a driver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

Row = list[Any]

KINDS: Final = ("view", "like", "addToCart", "purchase", "share", "open")
PARTS: Final = (0.60, 0.10, 0.05, 0.05, 0.15, 0.05)
RESHARES: Final = 0.5
"""Part of the shares that have a parent."""
REMEMBERED: Final = 1_000
"""A reshare's parent and an opened share are among so many of the same writer's latest shares."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The same events twice."""

    size: int
    body: bytes
    """Body of one `POST /v1/events`."""
    rows: dict[str, list[Row]]
    """Sorted rows by name of the statement in `benchmark.cypher`, in the order of writing."""


class Mix:
    """One writer's endless stream; ids of two writers never meet."""

    def __init__(self, writer: str, users: int, items: int, seed: int) -> None:
        self._writer = writer
        self._users, self._items = users, items
        self._random = np.random.default_rng(seed)
        self._shares: list[tuple[str, str, str, int]] = []
        self._count = 0

    def batches(self, number: int, size: int) -> Iterator[Batch]:
        """Make so many batches of so many events each."""
        for _ in range(number):
            events = [self._event(str(kind)) for kind in self._random.choice(KINDS, size, p=PARTS)]
            body = orjson.dumps([{k: v for k, v in event.items() if k not in ("at", "place")} for event in events])
            yield Batch(size, body, _rows(events))

    def _event(self, kind: str) -> dict[str, Any]:
        self._count += 1
        now_ms = int(time.time() * 1000)
        event: dict[str, Any] = {
            "eventId": f"{self._writer}:{self._count}",
            "type": kind if kind != "open" or self._shares else "view",
            "userId": f"user{self._random.integers(self._users)}",
            "occurredAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_ms / 1000)),
            "at": now_ms // 1000 * 1000,
        }
        if event["type"] == "open":
            event["shareId"] = self._recent()[0]
            return event
        event["itemId"] = f"item{int(self._random.random() ** 2 * self._items)}"
        if kind == "purchase":
            event |= {"valueMinor": 1_999, "currency": "EUR"}
        if kind == "share":
            self._share(event)
        return event

    def _share(self, event: dict[str, Any]) -> None:
        share_id = event["eventId"]
        place = (share_id, event["itemId"], share_id, 0)
        if self._shares and self._random.random() < RESHARES:
            parent, item_id, root, depth = self._recent()
            event |= {"parentShareId": parent, "itemId": item_id}
            place = (share_id, item_id, root, depth + 1)
        event["place"] = place[2:]
        self._shares = [*self._shares[1 - REMEMBERED :], place]

    def _recent(self) -> tuple[str, str, str, int]:
        return self._shares[int(self._random.integers(len(self._shares)))]


def _rows(events: list[dict[str, Any]]) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {f"benchmark.driver_{name}": [] for name in ("view", "like", "cart", "purchase")}
    rows |= {f"benchmark.driver_{name}": [] for name in ("share", "reshare", "open")}
    views: dict[tuple[str, str], Row] = {}
    for event in events:
        user, event_id, at = event["userId"], event["eventId"], event["at"]
        match event["type"]:
            case "view":
                row = views.setdefault((user, event["itemId"]), [user, event["itemId"], 0, at])
                row[2] += 1
            case "open":
                rows["benchmark.driver_open"].append([user, event["shareId"], event_id, at])
            case "share":
                rows["benchmark.driver_share"].append([user, event["itemId"], event_id, at, *event["place"]])
                if "parentShareId" in event:
                    rows["benchmark.driver_reshare"].append([event_id, event["parentShareId"]])
            case "purchase":
                paid = [event["valueMinor"], event["currency"]]
                rows["benchmark.driver_purchase"].append([user, event["itemId"], event_id, at, *paid])
            case kind:
                name = "benchmark.driver_like" if kind == "like" else "benchmark.driver_cart"
                rows[name].append([user, event["itemId"], event_id, at])
    rows["benchmark.driver_view"] = list(views.values())
    return {name: sorted(each) for name, each in rows.items() if each}
