"""The effects of shares and opens inside one transaction: the trees come out right in whatever order events come."""

from __future__ import annotations

from typing import Any, Final

from graph.event_nodes import Nodes, ShareNode
from graph.event_shapes import FORGED, Event, properties
from graph.pending import keep

Row = list[Any]
Places = dict[str, tuple[str, int]]
"""Share id -> (root share id, depth)."""

DEEPEST: Final = 1_000
"""Reshares between a share and its root, at most."""
KEPT_WITH_NODE: Final = ("channel", "platform", "recommendationId", FORGED, "campaignId")
"""Fields of a share or an open that become properties."""


class Shares:
    """The shares that the events of one transaction name."""

    def __init__(self, nodes: Nodes, events: list[Event]) -> None:
        self._nodes, self._tx = nodes, nodes.tx
        self._told = [event for event in events if event["type"] == "share"]
        claimed = {event["shareId"] for event in self._told}
        parents = {event["parentShareId"] for event in self._told if "parentShareId" in event}
        named = parents.union(event["shareId"] for event in events if "shareId" in event)
        nodes.find_shares(named | nodes.movable(claimed, parents))
        if named - claimed - nodes.shares.keys():
            nodes.hold_shares(named)  # with those that will be created, so that all are locked in one order
        self._new: dict[str, Event] = {}
        for event in sorted(self._told, key=lambda one: one["eventId"]):
            if event["shareId"] not in nodes.shares:
                self._new.setdefault(event["shareId"], event)
        nodes.hold_roots(sorted({e["parentShareId"] for e in self._new.values() if "parentShareId" in e}))
        self._places, self._orphans = self._placed()
        self._waiting = {one for one in self._orphans if self._new[one]["parentShareId"] not in self._new}
        """Those whose parent may come; the others begin a circle and stay roots."""
        self.touched: dict[str, int] = {}
        """Shares whose cascades have other numbers now, with the latest time (ms) of what happened to them, or -1."""

    @property
    def arrived(self) -> list[str]:
        """The keys that others may have waited for."""
        return [f"share:{share_id}" for share_id in self._new]

    def foreign(self) -> list[Event]:
        """Return the events that claim a share of another user or item."""
        old = sorted({event["shareId"] for event in self._told} - self._new.keys())
        owners = dict.fromkeys(old, ("", ""))
        rows = self._tx.run("events.read_owners", ids=old) if old else []
        owners |= {row["shareId"]: (row["userId"], row["itemId"]) for row in rows}
        found: list[Event] = []
        for event in self._told:
            owner = (event["userId"], event["itemId"])
            if owners.setdefault(event["shareId"], owner) != owner:
                found.append(event)
        return found

    def create(self) -> None:
        """Create the nodes of new shares."""
        if not self._new:
            return
        rows: list[Row] = []
        for share_id, event in sorted(self._new.items()):
            kept = properties(event, KEPT_WITH_NODE)
            if share_id in self._waiting:
                kept["waitsFor"] = event["parentShareId"]
            rows.append([share_id, event.get("occurredAt"), *self._places[share_id], kept])
        for share_id, node in self._tx.run("events.create_shares", rows=rows)[0]["found"]:
            self._nodes.shares[share_id] = ShareNode(node, *self._places[share_id])
        for share_id, event in self._new.items():
            self._touch(share_id, event.get("occurredAt"))

    def too_deep(self) -> list[Event]:
        """Return the events whose share would stand deeper than `DEEPEST`."""
        return [event for share_id, event in self._new.items() if self._places[share_id][1] > DEEPEST]

    def _placed(self) -> tuple[Places, set[str]]:
        """Return root and depth of each new share, and the shares whose parent is not there yet."""
        new = self._new
        places: Places = {share_id: (at.root_share_id, at.depth) for share_id, at in self._nodes.shares.items()}
        places |= {e["shareId"]: (e["rootShareId"], 1) for e in new.values() if "rootShareId" in e}  # cascade data
        orphans: set[str] = set()
        for start in new:
            path: list[str] = []
            at: str | None = start
            while at is not None and at in new and at not in places and at not in path:
                path.append(at)
                at = new[at].get("parentShareId")
            if at is not None and at not in places:  # the parent is missing, or the shares run in a circle
                orphans.add(path[-1])
                at = None
            for share_id in reversed(path):
                places[share_id] = (share_id, 0) if at is None else (places[at][0], places[at][1] + 1)
                at = share_id
        return places, orphans

    def write(self) -> None:
        """Write the relationships of new shares, and the recipients of old ones."""
        if not self._told:
            return
        shares, users, items = self._nodes.shares, self._nodes.users, self._nodes.items
        rows = [[users[e["userId"]], items[e["itemId"]], shares[one].node] for one, e in sorted(self._new.items())]
        if rows:
            self._tx.run("events.write_shares", rows=rows)
        children = [e for one, e in self._new.items() if "parentShareId" in e and one not in self._orphans]
        if rows := [[shares[e["shareId"]].node, shares[e["parentShareId"]].node] for e in children]:
            self._tx.run("events.write_reshares", rows=rows)
        orphans = [self._new[one] for one in self._waiting]
        keep(self._tx, [(f"reshare:{e['shareId']}", f"share:{e['parentShareId']}", e) for e in orphans])
        sent = sorted({(user, e["shareId"]) for e in self._told for user in e.get("recipientIds", ())})
        for name, is_new in (("events.write_recipients", True), ("events.add_recipients", False)):
            if rows := [[users[user], shares[one].node] for user, one in sent if (one in self._new) == is_new]:
                self._tx.run(name, rows=rows)

    def attach(self, late: list[Event]) -> None:
        """Hang shares below parents that came after them; all that stand below get their root and depth."""
        for event in sorted(late, key=lambda one: one["shareId"]):
            ends = {"shareId": event["shareId"], "parentShareId": event["parentShareId"]}
            self._tx.run("events.attach_reshare", **ends, deepest=DEEPEST)
            self._touch(event["shareId"], None)

    def write_opens(self, opens: list[Event]) -> None:
        """Write opens; those of shares that are not there wait."""
        late = [e for e in opens if e["shareId"] not in self._nodes.shares]
        keep(self._tx, [(e["eventId"], f"share:{e['shareId']}", e) for e in late])
        here = [e for e in opens if e["shareId"] in self._nodes.shares and e["userId"] in self._nodes.users]
        rows = [
            [
                self._nodes.users[e["userId"]],
                self._nodes.shares[e["shareId"]].node,
                e["eventId"],
                e.get("occurredAt"),
                properties(e, KEPT_WITH_NODE),
            ]
            for e in sorted(here, key=lambda one: (one["userId"], one["shareId"]))
        ]
        if rows:
            self._tx.run("events.write_opens", rows=rows)
        for event in here:
            self._touch(event["shareId"], event.get("occurredAt"))

    def _touch(self, share_id: str, ms: int | None) -> None:
        self.touched[share_id] = max(self.touched.get(share_id, -1), -1 if ms is None else ms)
