"""The effects of events inside one transaction: rows per statement, sorted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import orjson

from graph.event_nodes import Nodes
from graph.event_shapes import FORGED, INTERACTIONS, Event, properties
from graph.pending import keep
from graph.share_effects import Shares

Row = list[Any]

KEPT: Final = (
    "channel", "platform", "recommendationId", FORGED, "campaignId", "valueMinor", "currency", "rating", "shareId",
)  # fmt: skip
"""Fields of an interaction that become properties of its relationship."""


def tie_key(kind: str, user_id: str, friend_id: str) -> str:
    """Return the key under which the end of a tie is remembered."""
    return orjson.dumps([kind, user_id, friend_id]).decode()


def ordered_pair(user_id: str, friend_id: str) -> tuple[str, str]:
    """Return two ids, the smaller first, as FRIEND is stored."""
    return (user_id, friend_id) if user_id < friend_id else (friend_id, user_id)


class Effects:
    """Writes the effects of new events; their ledger entries, shares' nodes, users and items are there already."""

    def __init__(self, nodes: Nodes, shares: Shares) -> None:
        self._nodes, self._shares, self._tx = nodes, shares, nodes.tx

    def write(self, events: list[Event], waiting: list[Event]) -> None:
        """Write the effect of every event, and of those that were waiting for one of them."""
        by_type: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            by_type[event["type"]].append(event)
        self._write_views(by_type["view"])
        self._write_interactions(by_type)
        self._write_ties(by_type)
        self._shares.write()
        waited: dict[str, list[Event]] = defaultdict(list)
        for event in waiting:
            waited[event["type"]].append(event)
        self._shares.attach(waited["share"])
        self._shares.write_opens(by_type["open"] + waited["open"])
        refunds = self._write_refunds(by_type["refund"] + waited["refund"])
        self._touch(self._credited(by_type["purchase"] + waited["purchase"]) | refunds)

    def _write_views(self, views: list[Event]) -> None:
        users, items = self._nodes.users, self._nodes.items
        rows = [[users[user], items[item], *rest] for user, item, *rest in folded(views)]
        if rows:
            known = self._tx.run("events.add_views", rows=[[*row, n] for n, row in enumerate(rows)])[0]["added"]
            new = set(range(len(rows))).difference(known)
            self._tx.run("events.write_views", rows=[rows[n] for n in sorted(new)])

    def _write_interactions(self, by_type: dict[str, list[Event]]) -> None:
        users, items = self._nodes.users, self._nodes.items
        acts = [(e["userId"], e["itemId"], kind, e) for kind in INTERACTIONS for e in by_type[kind]]
        rows = [
            [users[user], items[item], INTERACTIONS[kind], e["eventId"], e.get("occurredAt"), properties(e, KEPT)]
            for user, item, kind, e in sorted(acts, key=lambda act: act[:3])
        ]
        if rows:
            self._tx.run("events.write_interactions", rows=rows)

    def _write_ties(self, by_type: dict[str, list[Event]]) -> None:
        self._run_sorted("events.start_friends", [_friend_row(e) for e in by_type["friend"]])
        self._run_sorted("events.end_friends", [_friend_row(e)[:4] for e in by_type["unfriend"]])
        self._run_sorted("events.start_follows", [_follow_row(e) for e in by_type["follow"]])
        self._run_sorted("events.end_follows", [_follow_row(e) for e in by_type["unfollow"]])
        blocks = [[e["userId"], e["friendId"], e.get("occurredAt")] for e in by_type["block"]]
        self._run_sorted("events.write_blocks", blocks)

    def _run_sorted(self, name: str, rows: list[Row]) -> None:
        if rows:
            self._tx.run(name, rows=sorted(rows, key=lambda row: row[:2]))

    def _write_refunds(self, refunds: list[Event]) -> set[str]:
        """Write what was paid back; return the purchases. A refund whose purchase is not there waits."""
        if not refunds:
            return set()
        ids = sorted({e["purchaseEventId"] for e in refunds})
        missing = {row["eventId"] for row in self._tx.run("events.missing_purchases", ids=ids)}
        keep(
            self._tx,
            [(e["eventId"], f"purchase:{e['purchaseEventId']}", e) for e in refunds if e["purchaseEventId"] in missing],
        )
        rows = [[e["purchaseEventId"], e["valueMinor"]] for e in refunds if e["purchaseEventId"] not in missing]
        self._run_sorted("events.write_refunds", rows)
        return {purchase_id for purchase_id, _ in rows}

    def _credited(self, purchases: list[Event]) -> set[str]:
        """Return the purchases that a share brought; those whose share is not there wait for it."""
        brought = [e for e in purchases if "shareId" in e]
        late = [e for e in brought if e["shareId"] not in self._nodes.shares]
        keep(self._tx, [(f"credit:{e['eventId']}", f"share:{e['shareId']}", e) for e in late])
        return {e["eventId"] for e in brought if e["shareId"] in self._nodes.shares}

    def _touch(self, purchases: set[str]) -> None:
        if (touched := self._shares.touched) or purchases:
            at = {"shareIds": list(touched), "lastMs": list(touched.values())}
            self._tx.run("events.write_touch", **at, purchaseIds=sorted(purchases))


def folded(views: Iterable[Event]) -> list[Row]:
    """Return one row per user and item: `[userId, itemId, count, firstMs, lastMs]`, sorted; times may be None."""
    fold: dict[tuple[str, str], Row] = {}
    for event in views:
        at = event.get("occurredAt")
        row = fold.setdefault((event["userId"], event["itemId"]), [event["userId"], event["itemId"], 0, at, at])
        row[2] += 1
        if at is not None:
            row[3] = at if row[3] is None else min(row[3], at)
            row[4] = at if row[4] is None else max(row[4], at)
    return [fold[pair] for pair in sorted(fold)]


def _friend_row(event: Event) -> Row:
    first, second = ordered_pair(event["userId"], event["friendId"])
    return [first, second, tie_key("FRIEND", first, second), event.get("occurredAt"), float(event.get("strength", 1))]


def _follow_row(event: Event) -> Row:
    user_id, friend_id = event["userId"], event["friendId"]
    return [user_id, friend_id, tie_key("FOLLOWS", user_id, friend_id), event.get("occurredAt")]
