"""What a shop's graph should say, from the contract of events alone: a list of what was taken, and dictionaries.

Nothing is kept up step by step: everything is worked out anew from the events that were taken, whatever their order.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Event = dict[str, Any]
Tie = tuple[str, int, float]
"""`start`, `end` or `put`; time in ms; strength."""

ACTS = {
    "like": "LIKED", "comment": "COMMENTED", "save": "SAVED", "addToCart": "ADDED_TO_CART", "hide": "HIDDEN",
    "rate": "RATED", "click": "CLICKED", "purchase": "PURCHASED",
}  # fmt: skip


def ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def pair(event: Event) -> tuple[str, str]:
    """Return the two users of a friendship, the smaller id first."""
    first, second = sorted((event["userId"], event["friendId"]))
    return first, second


def meaning(event: Event) -> Event:
    """Return what a body says: null says nothing, 4.0 is 4, a time is an instant."""
    said = {name: value for name, value in event.items() if value is not None}
    return {name: ms(value) if name == "occurredAt" else value for name, value in said.items()}


@dataclass
class Told:
    """What the answer to a request should say."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[tuple[int, int]] = field(default_factory=list)
    """Position and status."""


@dataclass
class Model:
    """The shop as it should be."""

    ledger: dict[str, Event] = field(default_factory=dict)
    taken: list[Event] = field(default_factory=list)
    ties: dict[tuple[str, str], list[Tie]] = field(default_factory=lambda: defaultdict(list))
    """What happened to friendships, in this order."""

    def take(self, batch: list[tuple[Event, bool]]) -> Told:
        """Judge each event alone, in order; those that are accepted happen. `False`: it breaks the contract."""
        told = Told()
        for index, (event, is_valid) in enumerate(batch):
            if not is_valid:
                told.rejected.append((index, 422))
                continue
            known = self.ledger.get(event["eventId"])
            if known is not None and known == meaning(event):
                told.duplicates += 1
            elif known is not None or self._is_foreign(event):
                told.rejected.append((index, 409))
            else:
                told.accepted += 1
                self._happen(event)
        return told

    def _happen(self, event: Event) -> None:
        self.ledger[event["eventId"]] = meaning(event)
        self.taken.append(event)
        if event["type"] == "friend":
            self.ties[pair(event)].append(("start", ms(event["occurredAt"]), float(event.get("strength") or 1)))
        if event["type"] == "unfriend":
            self.ties[pair(event)].append(("end", ms(event["occurredAt"]), 0.0))

    def _is_foreign(self, event: Event) -> bool:
        """Whether the event claims a share of another user or item."""
        if event["type"] != "share":
            return False
        known = self.shares().get(share_id(event))
        return known is not None and known[:2] != (event["userId"], event["itemId"])

    def of(self, *kinds: str) -> list[Event]:
        return [event for event in self.taken if event["type"] in kinds]

    def shares(self) -> dict[str, tuple[str, str, str | None, int, str | None]]:
        """Return user, item, parent as it was named, time and channel by share."""
        found: dict[str, tuple[str, str, str | None, int, str | None]] = {}
        for event in self.of("share"):
            at = (event.get("parentShareId"), ms(event["occurredAt"]), event.get("channel"))
            found.setdefault(share_id(event), (event["userId"], event["itemId"], *at))
        return found

    def friends(self) -> dict[tuple[str, str], tuple[int, float]]:
        """Return since and strength: the latest start counts, if no end came at or after it."""
        found: dict[tuple[str, str], tuple[int, float]] = {}
        for ends, history in self.ties.items():
            starts: list[tuple[int, float]] = []
            over = -1
            for kind, at, strength in history:
                if kind == "put":
                    starts, over = [], -1
                if kind == "end":
                    over = max(over, at)
                else:
                    starts.append((at, strength))
            if starts and max(starts)[0] > over:
                found[ends] = max(starts)
        return found

    def state(self) -> dict[str, Any]:
        """Return everything that the graph should say."""
        shares = self.shares()
        acts = {event["eventId"]: event for event in self.of(*ACTS)}
        opens = {event["eventId"]: event for event in self.of("open")}
        refunds: dict[str, int] = defaultdict(int)
        for event in self.of("refund"):
            refunds[event["purchaseEventId"]] += event["valueMinor"]
        views: dict[tuple[str, str], list[int]] = defaultdict(list)
        for event in self.of("view"):
            views[event["userId"], event["itemId"]].append(ms(event["occurredAt"]))
        sent = {(share_id(e), one) for e in self.of("share") for one in e.get("recipientIds") or ()}
        return {
            "ledger": set(self.ledger),
            "users": self._users(),
            "items": {event["itemId"] for event in self.taken if "itemId" in event},
            "views": {key: (len(times), min(times), max(times)) for key, times in views.items()},
            "acts": {
                one: (ACTS[e["type"]], e["userId"], e["itemId"], ms(e["occurredAt"]), e.get("valueMinor"),
                      e.get("rating"), refunds.get(one) if e["type"] == "purchase" else None)
                for one, e in acts.items()
            },
            "shares": {one: (*row[:2], self._parent(row, shares), *row[3:], *self._place(one, shares))
                       for one, row in shares.items()},
            "sent": sent,
            "opens": {one: (e["userId"], e["shareId"], ms(e["occurredAt"]))
                      for one, e in opens.items() if e["shareId"] in shares},
            "friends": self.friends(),
            "follows": self._follows(),
            "blocks": self._blocks(),
            "waiting": self._waiting(shares, acts),
        }  # fmt: skip

    def _users(self) -> set[str]:
        named = {event[name] for event in self.taken for name in ("userId", "friendId") if name in event}
        named |= {one for event in self.taken for one in event.get("recipientIds") or ()}
        return named | {user for ends in self.ties for user in ends}

    @staticmethod
    def _parent(row: Any, shares: dict[str, Any]) -> str | None:
        return row[2] if row[2] in shares else None

    def _place(self, one: str, shares: dict[str, Any]) -> tuple[str, int]:
        depth = 0
        while (above := self._parent(shares[one], shares)) is not None:
            one, depth = above, depth + 1
        return one, depth

    def _follows(self) -> dict[tuple[str, str], int]:
        last: dict[tuple[str, str], tuple[int, bool]] = {}
        for event in self.of("follow", "unfollow"):
            ends = (event["userId"], event["friendId"])
            this = (ms(event["occurredAt"]), event["type"] == "follow")
            last[ends] = max(last.get(ends, this), this)
        return {ends: at for ends, (at, is_on) in last.items() if is_on}

    def _blocks(self) -> dict[tuple[str, str], int]:
        first: dict[tuple[str, str], int] = {}
        for event in self.of("block"):
            ends, at = (event["userId"], event["friendId"]), ms(event["occurredAt"])
            first[ends] = min(first.get(ends, at), at)
        return first

    def _waiting(self, shares: dict[str, Any], acts: dict[str, Event]) -> int:
        """Return how many events name what is not there yet."""
        orphans = sum(row[2] is not None and row[2] not in shares for row in shares.values())
        opens = sum(event["shareId"] not in shares for event in self.of("open"))
        bought = sum(event.get("shareId", None) not in (None, *shares) for event in self.of("purchase"))
        return orphans + opens + bought + sum(event["purchaseEventId"] not in acts for event in self.of("refund"))


def share_id(event: Event) -> str:
    return event.get("shareId") or event["eventId"]
