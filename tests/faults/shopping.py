"""Events as clients of a shop send them: in any order, twice, said otherwise, contradicting, broken."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from tests.faults.shop_model import Event, Model, share_id

Batch = list[tuple[Event, bool]]
"""Events, and whether the contract allows each."""

USERS, ITEMS = 12, 8
DAYS = 10


class Shopping:
    """Draws the events of a shop; `times` is how many instants they take at most."""

    def __init__(self, chance: random.Random, model: Model, times: int) -> None:
        self._chance, self._model = chance, model
        self._start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=DAYS)
        self._times = chance.sample(range(1, (DAYS - 1) * 86_400_000), times)
        self._count = 0
        self._early: list[Event] = []

    def time(self) -> str:
        """Return an instant that no other event has, as a client in some zone says it."""
        zone = timezone(timedelta(hours=self._chance.randrange(-11, 13)))
        return (self._start + timedelta(milliseconds=self._times.pop())).astimezone(zone).isoformat()

    def users(self) -> tuple[str, str]:
        first, second = self._chance.sample(range(USERS), 2)
        return f"u{first}", f"u{second}"

    def batch(self) -> Batch:
        """Return new events, some late ones, duplicates, other bodies and invalid ones."""
        chance = self._chance
        found: Batch = [(self.new(), True) for _ in range(chance.choice((1, 1, 2, 4, 8)))]
        if self._early and chance.random() < 0.6:
            found.append((self._early.pop(chance.randrange(len(self._early))), True))
        if chance.random() < 0.3:
            found.append((self.same(chance.choice(found)[0]), True))
        if chance.random() < 0.2:
            found.append((self.broken(self.new()), False))
        chance.shuffle(found)
        return found

    def again(self) -> Batch:
        """Return events that were taken, said in another way, or with another body under their id."""
        chance = self._chance
        known = chance.choices(self._model.taken, k=chance.randrange(1, 5))
        return [(self.same(one) if chance.random() < 0.6 else self.other(one), True) for one in known]

    def new(self) -> Event:
        """Return an event; what it names may come later, then its turn is noted."""
        chance = self._chance
        self._count += 1
        user, friend = self.users()
        kind = chance.choice(
            ("view", "view", "like", "comment", "save", "addToCart", "hide", "rate", "click", "purchase", "purchase",
             "share", "share", "share", "open", "refund", "friend", "unfriend", "follow", "unfollow", "block")
        )  # fmt: skip
        one: Event = {"eventId": f"e{self._count}", "type": kind, "occurredAt": self.time()}
        if kind == "refund":
            return one | {"purchaseEventId": self._named("purchase"), "valueMinor": chance.randrange(1, 400)}
        one["userId"] = user
        if kind in ("friend", "unfriend", "follow", "unfollow", "block"):
            strength = {"strength": chance.choice((0.5, 2, 3))} if kind == "friend" and chance.random() < 0.5 else {}
            return one | {"friendId": friend} | strength
        if kind == "open":
            return one | {"shareId": self._named("share")}
        one["itemId"] = f"i{chance.randrange(ITEMS)}"
        more: dict[str, Callable[[], Event]] = {
            "rate": lambda: {"rating": chance.choice((0, 1, 2.5, 5))},
            "click": lambda: {"recommendationId": "r"},
            "purchase": self._paid,
            "share": lambda: self._shared(one, friend),
        }
        return one | more.get(kind, dict)()

    def _paid(self) -> Event:
        brought = {"shareId": self._named("share")} if self._chance.random() < 0.6 else {}
        return {"valueMinor": self._chance.randrange(1_000), "currency": "EUR", **brought}

    def _shared(self, one: Event, friend: str) -> Event:
        """Say whose share it passes on, or tell more recipients of a known one, or claim somebody else's."""
        chance = self._chance
        old = self._model.of("share")
        if old and chance.random() < 0.15:
            known = chance.choice(old)
            users = [f"u{k}" for k in range(USERS) if f"u{k}" != known["userId"]]
            other = {"userId": chance.choice(users)} if chance.random() < 0.3 else {}
            kept = {name: known[name] for name in known if name not in ("eventId", "recipientIds")}
            return {**kept, "shareId": share_id(known), "recipientIds": [chance.choice(users)], **other}
        above = {"parentShareId": self._named("share")} if chance.random() < 0.7 else {}
        told = {"recipientIds": [friend]} if chance.random() < 0.5 else {}
        return above | told | ({"channel": "mail"} if chance.random() < 0.3 else {})

    def _named(self, kind: str) -> str:
        """Return the id of a share or purchase: one that is there, or one that comes later or never."""
        chance = self._chance
        known = self._model.of(kind)
        if known and chance.random() < 0.7:
            return share_id(chance.choice(known)) if kind == "share" else chance.choice(known)["eventId"]
        self._count += 1
        late: Event = {"eventId": f"late{self._count}", "type": kind, "occurredAt": self.time()}
        late |= {"userId": self.users()[0], "itemId": f"i{chance.randrange(ITEMS)}"}
        if kind == "purchase":
            late |= {"valueMinor": chance.randrange(1_000), "currency": "EUR"}
        elif known and chance.random() < 0.7:
            late["parentShareId"] = share_id(chance.choice(known))
        if chance.random() < 0.9:
            self._early.append(late)
        return late["eventId"]

    def same(self, one: Event) -> Event:
        """Return the same body said otherwise: fields in another order, another zone, 4.0 for 4, nulls."""
        moved = {name: one[name] for name in self._chance.sample(list(one), len(one))}
        zone = timezone(timedelta(hours=self._chance.randrange(-11, 13)))
        moved["occurredAt"] = datetime.fromisoformat(one["occurredAt"]).astimezone(zone).isoformat()
        if "rating" in moved:
            moved["rating"] = float(moved["rating"])
        return moved | {"platform": None}

    def other(self, one: Event) -> Event:
        """Return another body under the same id."""
        changes: list[Event] = [{"platform": "web"}, {"occurredAt": self.time()}, {"campaignId": "c"}]
        if "userId" in one:
            changes.append({"userId": "somebody"})
        return {**one, **self._chance.choice(changes)}

    def broken(self, one: Event) -> Event:
        """Return an event that breaks the contract."""
        changes: tuple[Event, ...] = (
            {"type": "dance"}, {"occurredAt": "then"}, {"occurredAt": "1999-01-01T00:00:00Z"}, {"eventId": ""},
            {"more": 1}, {"properties": {"a": {}}}, {"channel": "x" * 65}, {"userId": 7},
        )  # fmt: skip
        return {**one, **self._chance.choice(changes)}
