"""A shop's events of every type, and a plain model of what they leave in the graph when each has counted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from tests.faults.conftest import Report

Event = dict[str, Any]
Fact = tuple[str, ...]
Cypher = Callable[..., list[dict[str, Any]]]

USERS, ITEMS = 200, 100
PARTS: Final = {
    "view": 0.38, "like": 0.06, "comment": 0.03, "save": 0.02, "addToCart": 0.06, "hide": 0.02, "rate": 0.04,
    "click": 0.03, "purchase": 0.08, "refund": 0.04, "share": 0.10, "open": 0.05, "friend": 0.03, "unfriend": 0.01,
    "follow": 0.03, "unfollow": 0.01, "block": 0.01,
}  # fmt: skip
TYPES: Final = {
    "like": "LIKED", "comment": "COMMENTED", "save": "SAVED", "addToCart": "ADDED_TO_CART", "hide": "HIDDEN",
    "rate": "RATED", "click": "CLICKED", "purchase": "PURCHASED",
}  # fmt: skip
FIELDS: Final[dict[str, Event]] = {
    "rate": {"rating": 4},
    "click": {"recommendationId": "r"},
    "purchase": {"valueMinor": 1_999, "currency": "EUR"},
}
FOUND: Final = (
    "MATCH (e:Event) RETURN ['Event', e.eventId] AS fact, 1 AS n",
    "MATCH (w:KithPending) RETURN ['waits', w.pendingId] AS fact, 1 AS n",
    """MATCH (u:User)-[r]->(i:Item) WHERE r.eventId IS NOT NULL
       RETURN [type(r), r.eventId, u.userId, i.itemId] AS fact, 1 AS n""",
    "MATCH (u:User)-[v:VIEWED]->(i:Item) RETURN ['views', u.userId, i.itemId] AS fact, v.count AS n",
    "MATCH (u:User)-[v:VIEWED]->(i:Item) RETURN ['VIEWED', u.userId, i.itemId] AS fact, 1 AS n",
    "MATCH ()-[p:PURCHASED]->() WHERE p.refundedMinor > 0 RETURN ['refunds', p.eventId] AS fact, p.refundedMinor AS n",
    """MATCH (u:User)-[:SHARED]->(s:Share)-[:OF_ITEM]->(i:Item)
       RETURN ['SHARED', u.userId, s.shareId, i.itemId, s.rootShareId, toString(s.depth)] AS fact, 1 AS n""",
    "MATCH (s:Share)-[:RESHARE_OF]->(p:Share) RETURN ['RESHARE_OF', s.shareId, p.shareId] AS fact, 1 AS n",
    "MATCH (s:Share)-[:SENT_TO]->(u:User) RETURN ['SENT_TO', s.shareId, u.userId] AS fact, 1 AS n",
    "MATCH (u:User)-[o:OPENED]->(s:Share) RETURN ['OPENED', o.eventId, u.userId, s.shareId] AS fact, 1 AS n",
    "MATCH (a:User)-[t:FRIEND|FOLLOWS|BLOCKED]->(b:User) RETURN [type(t), a.userId, b.userId] AS fact, 1 AS n",
)
"""What the graph holds of events: facts, each with how often."""


@dataclass(slots=True)
class Stream:
    """One client's endless stream; ids of two clients' events never meet, their users and items do."""

    client: str
    random: np.random.Generator
    begun: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=12))
    count: int = 0
    shares: list[Event] = field(default_factory=list)
    purchases: list[str] = field(default_factory=list)
    ties: dict[str, list[Event]] = field(default_factory=lambda: {"friend": [], "follow": []})

    def batch(self, size: int) -> list[Event]:
        """Make the next events."""
        return [self._event(str(kind)) for kind in self.random.choice(list(PARTS), size, p=list(PARTS.values()))]

    def _event(self, kind: str) -> Event:
        self.count += 1
        at = self.begun + timedelta(milliseconds=self.count)
        event: Event = {"eventId": f"{self.client}:{self.count}", "type": kind, "occurredAt": at.isoformat()}
        match kind:
            case "refund" if self.purchases:
                return event | {"purchaseEventId": str(self.random.choice(self.purchases)), "valueMinor": 1}
            case "unfriend" | "unfollow" if self.ties[kind.removeprefix("un")]:
                tie = self.ties[kind.removeprefix("un")].pop()
                return event | {"userId": tie["userId"], "friendId": tie["friendId"]}
            case "friend" | "follow" | "block":
                event |= {"userId": self._user(), "friendId": f"{self.client}-{self.count}"}
                self.ties.setdefault(kind, []).append(event)
                return event
            case "open" if self.shares:
                return event | {"userId": self._user(), "shareId": self._share()["eventId"]}
            case "refund" | "unfriend" | "unfollow" | "open":  # there is nothing yet that it could name
                event["type"] = kind = "view"
        event |= {"userId": self._user(), "itemId": f"item{self.random.integers(ITEMS)}", **FIELDS.get(kind, {})}
        if kind == "purchase":
            self.purchases.append(event["eventId"])
            event |= {"shareId": self._share()["eventId"]} if self.shares else {}
        elif kind == "share":
            event["recipientIds"] = [f"user{k}" for k in self.random.choice(USERS, self.random.integers(4), False)]
            if self.shares and self.random.random() < 0.5:
                parent = self._share()
                event |= {"parentShareId": parent["eventId"], "itemId": parent["itemId"]}
            self.shares.append(event)
        return event

    def _user(self) -> str:
        return f"user{self.random.integers(USERS)}"

    def _share(self) -> Event:
        return self.shares[int(self.random.integers(len(self.shares)))]


def expected(events: Iterable[Event]) -> Counter[Fact]:
    """Return the facts that these events make, each taken once; each client's events in their order."""
    facts: Counter[Fact] = Counter()
    places: dict[str, tuple[str, int]] = {}
    for event in events:
        event_id, kind = event["eventId"], event["type"]
        facts["Event", event_id] += 1
        match kind:
            case "view":
                facts["views", event["userId"], event["itemId"]] += 1
                facts["VIEWED", event["userId"], event["itemId"]] = 1
            case "refund":
                facts["refunds", event["purchaseEventId"]] += event["valueMinor"]
            case "open":
                facts["OPENED", event_id, event["userId"], event["shareId"]] += 1
            case "share":
                parent = event.get("parentShareId")
                root, depth = places[event_id] = (places[parent][0], places[parent][1] + 1) if parent else (event_id, 0)
                facts["SHARED", event["userId"], event_id, event["itemId"], root, str(depth)] += 1
                facts.update(("SENT_TO", event_id, user) for user in {*event["recipientIds"]} - {event["userId"]})
                if parent:
                    facts["RESHARE_OF", event_id, parent] += 1
            case "friend" | "unfriend":
                facts["FRIEND", *sorted((event["userId"], event["friendId"]))] += 1 if kind == "friend" else -1
            case "follow" | "unfollow":
                facts["FOLLOWS", event["userId"], event["friendId"]] += 1 if kind == "follow" else -1
            case "block":
                facts["BLOCKED", event["userId"], event["friendId"]] += 1
            case _:
                facts[TYPES[kind], event_id, event["userId"], event["itemId"]] += 1
    return +facts


def found(cypher: Cypher) -> Counter[Fact]:
    """Return the facts that the graph holds."""
    facts: Counter[Fact] = Counter()
    for query in FOUND:
        for row in cypher(query):
            facts[tuple(row["fact"])] += row["n"]
    return facts


def judge(report: Report, cypher: Cypher, events: Iterable[Event]) -> None:
    """Count facts of these events that are missing or there too often, and facts that are nobody's."""
    wanted, there = expected(events), found(cypher)
    report.lost = (wanted - there).total()
    report.duplicated = sum(n for fact, n in (there - wanted).items() if fact in wanted)
    report.unexpected += sum(n for fact, n in there.items() if fact not in wanted)
