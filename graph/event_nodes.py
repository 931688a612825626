"""The nodes that events name: found or created, and locked in one order, so that no two writers wait in a circle.

Every writer of events takes its locks in this order: ledger entries, shares, users, items, each by id. A relationship
on a node with few of them locks the node for itself, on a node with many it does not; so a busy item or share (`BUSY`
relationships or more) is left unlocked, and a viral cascade's writers do not queue at its root. Users are always
locked: the one who holds a user is alone in creating the user's VIEWED relationships.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from graph.connection import Transaction
from graph.errors import ConflictError
from graph.event_shapes import Event

MOST_LOOKS: Final = 20
BUSY: Final = 64
"""Neo4j keeps the relationships of a node in groups, and locks them apart, from 50 on; some room above that."""


@dataclass(frozen=True, slots=True)
class ShareNode:
    """Where a share is in the store and in its cascade."""

    node: str
    root_share_id: str
    depth: int
    can_move: bool = False
    """Whether its root waits for a parent, so that the whole tree may get another root."""


@dataclass(slots=True)
class Nodes:
    """Element ids of what is bound in this transaction."""

    tx: Transaction
    may_create: bool
    """Whether users and items that are not there become stubs."""
    consent: list[str]
    """Purposes of users that are created."""
    users: dict[str, str] = field(default_factory=dict)
    items: dict[str, str] = field(default_factory=dict)
    shares: dict[str, ShareNode] = field(default_factory=dict)

    def find_shares(self, share_ids: Iterable[str]) -> None:
        """Bind those of the shares that are there."""
        if ids := sorted(set(share_ids) - self.shares.keys()):
            found = self.tx.run("events.find_shares", ids=ids, busy=BUSY)[0]["found"]
            self.shares |= {share_id: ShareNode(*where) for share_id, *where in found}

    def movable(self, arriving: set[str], parents: set[str]) -> set[str]:
        """Return the shares that are hung elsewhere when `arriving` come, and the roots above `parents` that may be."""
        if not arriving:
            return set()
        rows = self.tx.run("events.read_movable", arriving=sorted(arriving), parents=sorted(parents))
        return {row["shareId"] for row in rows}

    def hold_shares(self, share_ids: Iterable[str]) -> None:
        """Keep others from creating those of the shares that are not there, before this transaction ends."""
        if ids := sorted(set(share_ids) - self.shares.keys()):
            held = self.tx.run("events.hold_shares", ids=ids)
            self.find_shares(row["shareId"] for row in held if not row["missing"])  # another writer was faster

    def hold_roots(self, share_ids: Iterable[str]) -> None:
        """Keep others from hanging the trees of these shares elsewhere, before this transaction ends.

        Only a tree whose root waits for its parent can move, and whoever moves it writes to that root: so such a root
        is locked, and its shares are read again, until none has moved meanwhile. Other roots are never locked.

        Raises:
            ConflictError: they moved each time.
        """
        held: set[str] = set()
        for _ in range(MOST_LOOKS):
            moving = [one for one in share_ids if one in self.shares and self.shares[one].can_move]
            roots = {self.shares[one].root_share_id for one in moving} - held
            if not roots:
                return
            self.tx.run("events.lock_shares", ids=sorted(roots))
            held |= roots
            for one in moving:
                del self.shares[one]
            self.find_shares(moving)
        raise ConflictError("the shares above were hung elsewhere each time")

    def bind(self, events: Iterable[Event], waited: Iterable[Event]) -> None:
        """Bind users and items of the events; those that are not there stay unbound or become stubs.

        Users who opened shares before these came are bound with them, in one order; who was deleted meanwhile stays
        unbound.
        """
        users: set[str] = set()
        items: set[str] = set()
        for event in events:
            users.update(event[name] for name in ("userId", "friendId") if name in event)
            users.update(event.get("recipientIds", ()))
            if "itemId" in event:
                items.add(event["itemId"])
        if late := {event["userId"] for event in waited if event["type"] == "open"} - users:
            self.users |= dict(self.tx.run("events.find_users", ids=sorted(users | late))[0]["found"])
        verb = "bind" if self.may_create else "find"
        if ids := sorted(users - self.users.keys()):
            given = {"consent": self.consent} if self.may_create else {}
            self.users |= dict(self.tx.run(f"events.{verb}_users", ids=ids, **given)[0]["found"])
        if ids := sorted(items - self.items.keys()):
            self.items |= dict(self.tx.run(f"events.{verb}_items", ids=ids, busy=BUSY)[0]["found"])

    def missing(self, event: Event) -> str | None:
        """Return the field that names a user or item which is not bound."""
        for name in ("userId", "friendId"):
            if name in event and event[name] not in self.users:
                return name
        if "itemId" in event and event["itemId"] not in self.items:
            return "itemId"
        return None if self.users.keys() >= set(event.get("recipientIds", ())) else "recipientIds"
