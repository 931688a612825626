"""How much of everything is in the graph."""

from __future__ import annotations

from graph.connection import Graph


def count(graph: Graph) -> dict[str, int]:
    """Return the numbers of users, items, friends, events and shares.

    Raises:
        UnavailableError: Neo4j cannot be reached.
    """
    return graph.read("census.count")[0]
