"""What the spread report should say, from a plain list of events: dictionaries and loops, no graph."""

from __future__ import annotations

import random
from collections import defaultdict
from statistics import mean, median
from typing import Any

Event = dict[str, Any]

MINUTE_MS = 60_000
CHANNELS = ("app", "mail", None)


def made_up(seed: int, start_ms: int, shares: int = 60) -> list[Event]:
    """Return shares and opens of a few users within `shares` minutes; times in ms, no two shares at one time."""
    generator = random.Random(seed)
    told: list[Event] = []
    for number in range(shares):
        parent = generator.randrange(-1, number) if number else -1
        told.append(
            {
                "shareId": f"s{generator.randrange(10**6)}-{number}",
                "parent": told[parent]["shareId"] if parent >= 0 else None,
                "user": f"u{generator.randrange(12)}",
                "item": f"i{generator.randrange(3)}",
                "channel": generator.choice(CHANNELS),
                "ms": start_ms + number * MINUTE_MS,
                "to": {f"u{generator.randrange(12)}" for _ in range(generator.randrange(4))},
                "opens": [
                    (f"u{generator.randrange(12)}", start_ms + (number + generator.randrange(30)) * MINUTE_MS + 1)
                    for _ in range(generator.randrange(6))
                ],
            }
        )
    return told


def expected(told: list[Event], by: str, completed_ms: int) -> dict[str | None, dict[str, Any]]:
    """Return the numbers of every group that needs no purchases."""
    known = {one["shareId"]: one for one in told}
    first: dict[tuple[str, str], str] = {}
    for one in sorted(told, key=lambda each: each["ms"]):
        first.setdefault((_root(one, known), one["user"]), one["shareId"])
    groups: dict[str | None, list[Event]] = defaultdict(list)
    for one in told:
        groups[one[by]].append(one)
    return {key: _numbers(cohort, told, known, set(first.values()), completed_ms) for key, cohort in groups.items()}


def _root(one: Event, known: dict[str, Event]) -> str:
    while one["parent"] is not None:
        one = known[one["parent"]]
    return one["shareId"]


def _numbers(
    cohort: list[Event], told: list[Event], known: dict[str, Event], first: set[str], completed_ms: int
) -> dict[str, Any]:
    links = [(parent, child) for parent in cohort for child in told if child["parent"] == parent["shareId"]]
    offspring = [sum(p is one for p, _ in links) for one in cohort if one["ms"] <= completed_ms]
    sizes = [sum(_root(one, known) == root["shareId"] for one in told) for root in cohort if root["parent"] is None]
    delays = [delay for parent, child in links if (delay := _delay_s(parent, child)) is not None]
    sharers = {one["user"] for one in cohort}
    joined = {child["user"] for _, child in links if child["shareId"] in first}
    return {
        "shares": len(cohort),
        "roots": len(sizes),
        "sharers": len(sharers),
        "reshares": len(links),
        "newSharers": len(joined),
        "kFactor": len(joined) / len(sharers),
        "opens": sum(len(one["opens"]) for one in cohort),
        "completedParents": len(offspring),
        "reproductionNumber": mean(offspring) if offspring else None,
        "timedReshares": len(delays),
        "cycleTimeS": median(delays) if delays else None,
        "amplification": mean(sizes) if sizes else None,
    }


def _delay_s(parent: Event, child: Event) -> float | None:
    if parent["user"] == child["user"]:
        return None
    opened = [ms for user, ms in parent["opens"] if user == child["user"] and ms <= child["ms"]]
    received = parent["ms"] if child["user"] in parent["to"] or not opened else min(opened)
    return (child["ms"] - received) / 1000
