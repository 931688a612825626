"""A shop small enough to know by heart: 40 items in 4 categories, 6 users, one published version."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.types import Artifact, RankedLists
from graph import entities
from graph.connection import Graph
from graph.publication import publish
from graph.settings import Settings

ITEMS = [f"i{n:02}" for n in range(40)]
USERS = ["ann", "ben", "cat", "dan", "eve", "fay"]
CATEGORIES = ("books", "games", "music", "shoes")
EVERYTHING = ["personalisation", "sharing", "analytics"]
VERSION = "v1"


def category(item: str) -> str:
    """Items go round through the categories."""
    return CATEGORIES[int(item[1:]) % 4]


def fill(graph: Graph, settings: Settings, model_version: str = VERSION) -> None:
    """Write users, items and friendships, and publish a version that knows `ann` to `eve`, not `fay`."""
    entities.upsert_users(graph, settings, [{"userId": user, "consent": EVERYTHING} for user in USERS])
    entities.upsert_items(
        graph,
        [
            {"itemId": item, "title": f"thing {item}", "category": category(item), "brand": "acme", "stock": 5}
            for item in ITEMS
        ],
    )
    ties = [("ann", "ben", 1.0), ("ann", "cat", 3.0), ("ben", "cat", 1.0), ("dan", "ann", 1.0)]
    friends = [{"userId": one, "friendId": other, "strength": strength} for one, other, strength in ties]
    entities.upsert_friends(graph, settings, friends)
    publish(graph, settings, artifact(model_version))


def artifact(model_version: str = VERSION) -> Artifact:
    """A version in which everyone's list is i00, i01, ... and an item is similar to its own category, nearest first."""
    known = USERS[:5]
    items = len(ITEMS)
    similar = np.full((items, 20), -1, dtype=np.int32)
    similar_score = np.zeros((items, 20), dtype=np.float32)
    for n in range(items):
        near = sorted((m for m in range(items) if m != n and m % 4 == n % 4), key=lambda m: (abs(m - n), m))
        similar[n, : len(near)] = near
        similar_score[n, : len(near)] = 1.0 - 0.05 * np.arange(len(near))
    angle = np.linspace(0.0, 1.5, len(known))
    item_angle = np.linspace(0.0, 1.5, items)
    return Artifact(
        model_version=model_version,
        snapshot_id="s1",
        trained_at_s=1_790_000_000,
        code_version="test",
        user_ids=np.array(known, dtype=object),
        item_ids=np.array(ITEMS, dtype=object),
        user_embedding=np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32),
        item_embedding=np.stack([np.cos(item_angle), np.sin(item_angle)], axis=1).astype(np.float32),
        influence_score=np.array([1.0, 5.0, 3.0, 2.0, 4.0], dtype=np.float32),
        influence_percentile=np.array([0, 100, 50, 25, 75], dtype=np.float32),
        influence_error=np.array([0.5, 0.25, 0, 0.1, 0.2], dtype=np.float32),
        recommended=RankedLists(
            np.tile(np.arange(items, dtype=np.int32), (len(known), 1)),
            np.tile(np.linspace(4.0, 0.1, items, dtype=np.float32), (len(known), 1)),
            np.tile(np.array([0, 255], dtype=np.uint8), (len(known), items, 1)),
        ),
        similar=RankedLists(similar, similar_score),
        influences=RankedLists(
            np.tile(np.array([1, 2], dtype=np.int32), (len(known), 1)),
            np.tile(np.array([0.5, 0.25], dtype=np.float32), (len(known), 1)),
        ),
        metrics={"recall@20": 0.5},
    )


def event(event_id: str, kind: str, user: str, at: str, **given: Any) -> dict[str, Any]:
    """An event of a user at a time."""
    return {"eventId": event_id, "type": kind, "userId": user, "occurredAt": at, **given}
