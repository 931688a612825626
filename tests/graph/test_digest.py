"""The hash of a graph: blind to order and clocks, not to anything that was said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graph.connection import Graph
from graph.digest import digest
from graph.events import ingest
from graph.settings import Settings

Cypher = Callable[..., list[dict[str, Any]]]

EVENTS = [
    {"eventId": "e1", "type": "like", "userId": "ada", "itemId": "cup"},
    {"eventId": "e2", "type": "friend", "userId": "bob", "friendId": "ada", "strength": 2},
    {"eventId": "e3", "type": "share", "userId": "ada", "itemId": "cup", "recipientIds": ["bob"]},
]


def test_blind_to_order_and_clocks(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    hashes = set()
    for order in (EVENTS, EVENTS[::-1]):
        cypher("MATCH (n) WHERE NOT n:KithSchema DETACH DELETE n")
        for event in order:
            ingest(graph, settings, [event], imported=True)
        hashes.add(digest(graph))
    cypher("MATCH (n) SET n.ingestedAt = datetime('2020-01-01T00:00:00Z'), n.ix = 7")
    hashes.add(digest(graph))
    cypher("CREATE (:KithJob {jobId: 'j1'})")
    hashes.add(digest(graph))
    assert len(hashes) == 1
    assert len(hashes.pop()) == 64


@pytest.mark.parametrize(
    "change",
    [
        "MATCH (u:User {userId: 'ada'}) SET u.city = 'Graz'",
        "MATCH ()-[f:FRIEND]->() SET f.strength = 3.0",
        "MATCH ()-[l:LIKED]->() DELETE l",
        "MATCH (s:Share)-[t:SENT_TO]->() DELETE t",
        "MATCH (u:User {userId: 'ada'})-[l:LIKED]->(i) CREATE (u)-[k:LIKED]->(i) SET k = properties(l)",
        "CREATE (:User {userId: 'zoe'})",
    ],
)
def test_sees_every_change(graph: Graph, settings: Settings, cypher: Cypher, change: str) -> None:
    cypher("MATCH (n) WHERE NOT n:KithSchema DETACH DELETE n")
    ingest(graph, settings, EVENTS, imported=True)
    before = digest(graph)
    cypher(change)
    assert digest(graph) != before
