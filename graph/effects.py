"""The effects of events inside one transaction: rows per statement, sorted so that writers rarely wait in a circle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from graph.connection import Transaction
from graph.event_shapes import INTERACTIONS, Event, Problem

Row = list[Any]
Owners = dict[str, tuple[str, str]]
"""Share id -> (user id, item id)."""
Places = dict[str, tuple[str, int]]
"""Share id -> (root share id, depth)."""

MAX_SETTLE_ROUNDS: Final = 1_000
KEPT: Final = (
    "channel", "platform", "recommendationId", "campaignId", "valueMinor", "currency", "rating", "shareId",
)  # fmt: skip
"""Fields of an interaction that become properties of its relationship."""
KEPT_WITH_NODE: Final = KEPT[:4]
"""Fields of a share or an open that become properties."""


def tie_key(kind: str, user_id: str, friend_id: str) -> str:
    """Return the key under which the end of a tie is remembered."""
    return orjson.dumps([kind, user_id, friend_id]).decode()


def ordered_pair(user_id: str, friend_id: str) -> tuple[str, str]:
    """Return two ids, the smaller first, as FRIEND is stored."""
    return (user_id, friend_id) if user_id < friend_id else (friend_id, user_id)


def properties(event: Event, names: Sequence[str]) -> dict[str, Any]:
    """Return the fields of the event that are stored as they are, with its free attributes."""
    kept = {name: event[name] for name in names if name in event}
    if "rating" in kept:
        kept["rating"] = float(kept["rating"])  # one type for analysts, though 4 and 4.0 are one body
    return {**event["properties"], **kept} if "properties" in event else kept


class Effects:
    """Writes the effects of new events; the caller has written their ledger entries in the same transaction."""

    def __init__(self, tx: Transaction, known_shares: Places) -> None:
        self._tx = tx
        self._known_shares = known_shares

    @staticmethod
    def named(events: Iterable[Event]) -> dict[str, list[str]]:
        """Return the users, items and shares that the events name, each sorted."""
        users: set[str] = set()
        items: set[str] = set()
        shares: set[str] = set()
        for event in events:
            users.update(_users(event))
            if "itemId" in event:
                items.add(event["itemId"])
            if event["type"] in ("share", "open"):
                shares.update(event[name] for name in ("shareId", "parentShareId") if name in event)
        return {"userIds": sorted(users), "itemIds": sorted(items), "shareIds": sorted(shares)}

    @staticmethod
    def clashes(event: Event, shares: Owners, missing: dict[str, set[str]] | None) -> tuple[int, Problem] | None:
        """Say why the event contradicts the graph: a status and the problem.

        Args:
            event: in canonical form.
            shares: the shares that exist; a new share is entered.
            missing: ids of users and items that are not there and may not be created; None: they may.
        """
        if missing is not None:
            for name in ("userId", "friendId", "itemId"):
                if name in event and event[name] in missing["item" if name == "itemId" else "user"]:
                    return 422, (f"/{name}", "is not known")
            if missing["user"].intersection(event.get("recipientIds", ())):
                return 422, ("/recipientIds", "holds an id that is not known")
        if event["type"] == "share":
            owner = (event["userId"], event["itemId"])
            if shares.setdefault(event["shareId"], owner) != owner:
                return 409, ("/shareId", "is already there with another user or item")
        return None

    def create_missing(self, missing: dict[str, set[str]], events: list[Event], consent: list[str]) -> None:
        """Create stubs of the users and items that only these events know."""
        named = Effects.named(events) if missing["user"] or missing["item"] else {}
        if users := sorted(missing["user"].intersection(named.get("userIds", ()))):
            self._tx.run("events.create_users", ids=users, consent=consent)
        if items := sorted(missing["item"].intersection(named.get("itemIds", ()))):
            self._tx.run("events.create_items", ids=items)

    def write(self, events: list[Event]) -> None:
        """Write the effect of every event."""
        by_type: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            by_type[event["type"]].append(event)
        self._write_interactions(by_type)
        self._write_ties(by_type)
        arrived = self._write_shares(by_type["share"])
        arrived += [f"purchase:{event['eventId']}" for event in by_type["purchase"]]
        opens, refunds = by_type["open"], by_type["refund"]
        late: list[Event] = []
        if arrived:
            waiting = [orjson.loads(row["body"]) for row in self._tx.run("events.take_pending", keys=sorted(arrived))]
            opens = opens + [event for event in waiting if event["type"] == "open"]
            refunds = refunds + [event for event in waiting if event["type"] == "refund"]
            late = [event for event in waiting if event["type"] == "share"]
        self._attach(late)
        self._write_opens(opens, {key.removeprefix("share:") for key in arrived})
        self._write_refunds(refunds)

    def _write_interactions(self, by_type: dict[str, list[Event]]) -> None:
        if views := by_type["view"]:
            self._tx.run("events.write_views", rows=folded(views))
        rows = [
            [e["userId"], e["itemId"], relationship, e["eventId"], e.get("occurredAt"), properties(e, KEPT)]
            for kind, relationship in INTERACTIONS.items()
            for e in by_type[kind]
        ]
        if rows:
            rows.sort(key=lambda row: row[:4])
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

    def _write_shares(self, shares: list[Event]) -> list[str]:
        """Write new shares, add recipients to old ones; return the keys that others may have waited for."""
        if not shares:
            return []
        new: dict[str, Event] = {}
        for event in sorted(shares, key=lambda e: e["eventId"]):
            if event["shareId"] not in self._known_shares:
                new.setdefault(event["shareId"], event)
        places, pending = self._places(new)
        rows = [
            [e["userId"], e["itemId"], share_id, e.get("occurredAt"), *places[share_id], properties(e, KEPT_WITH_NODE)]
            for share_id, e in new.items()
        ]
        self._run_sorted("events.write_shares", rows)
        children = [e for e in new.values() if "parentShareId" in e]
        links = [[e["shareId"], e["parentShareId"]] for e in children if e["shareId"] not in pending]
        self._run_sorted("events.write_reshares", links)
        self._keep([(f"reshare:{share}", f"share:{new[share]['parentShareId']}", new[share]) for share in pending])
        recipients = {(user, e["shareId"]) for e in shares for user in e.get("recipientIds", ())}
        self._run_sorted("events.write_recipients", [[user, share] for user, share in recipients if share in new])
        self._run_sorted("events.add_recipients", [[user, share] for user, share in recipients if share not in new])
        return [f"share:{share_id}" for share_id in new]

    def _hold(self, share_ids: set[str]) -> set[str]:
        """Return those of the shares that are not there; nobody else can create them before this transaction ends."""
        if unknown := share_ids - self._known_shares.keys():
            for row in self._tx.run("events.hold_shares", ids=sorted(unknown)):
                if not row["missing"]:  # another writer was faster since the first look
                    self._known_shares[row["shareId"]] = (row["rootShareId"], row["depth"])
        return unknown - self._known_shares.keys()

    def _places(self, new: dict[str, Event]) -> tuple[Places, set[str]]:
        """Return root and depth of each new share, and the shares whose parent is not there yet."""
        self._hold({e["parentShareId"] for e in new.values() if "parentShareId" in e} - new.keys())
        places = dict(self._known_shares)
        places |= {e["shareId"]: (e["rootShareId"], 1) for e in new.values() if "rootShareId" in e}  # cascade data
        pending: set[str] = set()
        for start in new:
            path: list[str] = []
            at: str | None = start
            while at is not None and at in new and at not in places and at not in path:
                path.append(at)
                at = new[at].get("parentShareId")
            if at is not None and at not in places:  # the parent is missing, or the shares run in a circle
                pending.add(path[-1])
                at = None
            for share_id in reversed(path):
                places[share_id] = (share_id, 0) if at is None else (places[at][0], places[at][1] + 1)
                at = share_id
        return places, pending

    def _attach(self, late: list[Event]) -> None:
        """Hang shares below parents that came after them, and settle root and depth of all below."""
        self._run_sorted("events.attach_reshares", rows := [[e["shareId"], e["parentShareId"]] for e in late])
        ids = sorted(row[0] for row in rows)
        for _ in range(MAX_SETTLE_ROUNDS if ids else 0):
            if not self._tx.run("events.settle_roots", ids=ids)[0]["changed"]:
                return

    def _write_opens(self, opens: list[Event], arrived: set[str]) -> None:
        missing = self._hold({e["shareId"] for e in opens} - arrived)
        self._keep([(e["eventId"], f"share:{e['shareId']}", e) for e in opens if e["shareId"] in missing])
        self._run_sorted(
            "events.write_opens",
            [
                [e["userId"], e["shareId"], e["eventId"], e.get("occurredAt"), properties(e, KEPT_WITH_NODE)]
                for e in opens
                if e["shareId"] not in missing
            ],
        )

    def _write_refunds(self, refunds: list[Event]) -> None:
        if not refunds:
            return
        ids = sorted({e["purchaseEventId"] for e in refunds})
        missing = {row["eventId"] for row in self._tx.run("events.hold_purchases", ids=ids)}
        self._keep(
            [(e["eventId"], f"purchase:{e['purchaseEventId']}", e) for e in refunds if e["purchaseEventId"] in missing]
        )
        rows = [[e["purchaseEventId"], e["valueMinor"]] for e in refunds if e["purchaseEventId"] not in missing]
        self._run_sorted("events.write_refunds", rows)

    def _keep(self, waiting: list[tuple[str, str, Event]]) -> None:
        rows = [[key, waits_for, orjson.dumps(event).decode()] for key, waits_for, event in waiting]
        self._run_sorted("events.write_pending", rows)


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


def _users(event: Event) -> Iterable[str]:
    yield from (event[name] for name in ("userId", "friendId") if name in event)
    yield from event.get("recipientIds", ())


def _friend_row(event: Event) -> Row:
    first, second = ordered_pair(event["userId"], event["friendId"])
    return [first, second, tie_key("FRIEND", first, second), event.get("occurredAt"), float(event.get("strength", 1))]


def _follow_row(event: Event) -> Row:
    user_id, friend_id = event["userId"], event["friendId"]
    return [user_id, friend_id, tie_key("FOLLOWS", user_id, friend_id), event.get("occurredAt")]
