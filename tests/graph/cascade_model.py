"""What cascades should say, from a plain list of events: dictionaries, breadth-first search, nothing incremental."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any

Event = dict[str, Any]


def expected(events: Iterable[Event], model: str = "last", look_back_ms: int = 30 * 86_400_000) -> dict[str, Any]:
    """Return the numbers of every root share by its id, and under `credits` the credits by (purchase, share)."""
    by_type: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_type[event["type"]].append(event)
    shares = {event.get("shareId", event["eventId"]): event for event in by_type["share"]}
    parent = {one: e["parentShareId"] for one, e in shares.items() if e.get("parentShareId") in shares}
    links: dict[str, list[str]] = defaultdict(list)
    for one, above in parent.items():
        links[one].append(above)
        links[above].append(one)
    chains = {one: _chain(one, parent) for one in shares}
    given = _credits(by_type, shares, chains, model, look_back_ms)
    found: dict[str, Any] = {}
    for root in set(shares) - parent.keys():
        members = [one for one in shares if chains[one][-1] == root]
        distances = [_distances(one, links) for one in members]
        pairs = len(members) * (len(members) - 1)
        levels = Counter(distances[members.index(root)].values())
        bought = {buy["eventId"]: buy for buy in by_type["purchase"] if buy.get("shareId") in members}
        earned = {key: amount for key, amount in given.items() if key[0] in bought}
        times = [shares[one]["occurredAt"] for one in members]
        times += [e["occurredAt"] for e in by_type["open"] if e["shareId"] in members]
        times += [buy["occurredAt"] for buy in bought.values()]
        found[root] = {
            "cascadeSize": len(members),
            "cascadeDepth": max(levels),
            "cascadeWidth": max(levels.values()),
            "levelSizes": [levels[depth] for depth in range(max(levels) + 1)],
            "structuralVirality": sum(sum(each.values()) for each in distances) / pairs if pairs else 0.0,
            "uniqueUsers": len({shares[one]["userId"] for one in members}),
            "opens": sum(e["shareId"] in members for e in by_type["open"]),
            "conversions": len({buy for buy, _ in earned}),
            "revenueMinor": sum(earned.values()),
            "lastActivityAt": max(map(_ms, times)),
        }
    return {"roots": found, "credits": given}


def _credits(
    by_type: dict[str, list[Event]],
    shares: dict[str, Event],
    chains: dict[str, list[str]],
    model: str,
    look_back_ms: int,
) -> dict[tuple[str, str], int]:
    refunds: Counter[str] = Counter()
    for event in by_type["refund"]:
        refunds[event["purchaseEventId"]] += event["valueMinor"]
    found: dict[tuple[str, str], int] = {}
    for buy in by_type["purchase"]:
        if buy.get("shareId") not in shares:
            continue
        at = _ms(buy["occurredAt"])
        near = [one for one in chains[buy["shareId"]] if 0 <= at - _ms(shares[one]["occurredAt"]) <= look_back_ms]
        left = buy["valueMinor"] - refunds[buy["eventId"]]
        if not near or (refunds[buy["eventId"]] and left <= 0):
            continue
        chosen = {"last": near[:1], "first": near[-1:], "linear": near}[model]
        amounts = [left // len(chosen)] * len(chosen)
        for cent in range(left - sum(amounts)):
            amounts[cent] += 1
        found |= {(buy["eventId"], one): amount for one, amount in zip(chosen, amounts, strict=True)}
    return found


def _chain(one: str, parent: dict[str, str]) -> list[str]:
    chain = [one]
    while chain[-1] in parent:
        chain.append(parent[chain[-1]])
    return chain


def _distances(start: str, links: dict[str, list[str]]) -> dict[str, int]:
    seen, waiting = {start: 0}, deque([start])
    while waiting:
        at = waiting.popleft()
        for other in links[at]:
            if other not in seen:
                seen[other] = seen[at] + 1
                waiting.append(other)
    return seen


def _ms(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
