"""Items as lists see them, for a process that keeps them: all of them, what changed since, single ones.

One item is a list `itemId available kind category brand priceMinor currency minAge createdS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graph.connection import Graph

PAGE: Final = 10_000
MOST_CHANGES: Final = 20_000
PAGE_S: Final = 30.0

Facts = list[Any]


@dataclass(frozen=True, slots=True)
class Changes:
    """What was written since a time."""

    items: int
    """How many items there are."""
    ms: int
    """The server's clock, ms since 1970."""
    facts: list[Facts]
    """At most `MOST_CHANGES`; with so many there may be more."""


def pages(graph: Graph, most: int) -> Iterator[list[Facts]]:
    """Yield all items by id, page by page, at most so many.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    after, left = "", most
    while left > 0:
        facts: list[Facts] = graph.read("catalogue.page", timeout_s=PAGE_S, after=after, limit=min(PAGE, left))[0][
            "facts"
        ]
        if facts:
            yield facts
        if len(facts) < PAGE:
            return
        after, left = facts[-1][0], left - len(facts)


def changes(graph: Graph, since_ms: int) -> Changes:
    """Return the items that were written since a time of the server's clock.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    row = graph.read("catalogue.changes", since_ms=since_ms, limit=MOST_CHANGES)[0]
    return Changes(row["items"], row["ms"], row["facts"])


def attributes_of(graph: Graph, item_ids: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return those of the items that are there, with their attributes by name.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    rows = graph.read("catalogue.attributes_of", item_ids=list(item_ids))[0]["described"]
    return [(item_id, dict(attributes)) for item_id, attributes in rows]


def facts_of(graph: Graph, item_ids: Sequence[str]) -> list[Facts]:
    """Return those of the items that are there.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    return graph.read("catalogue.facts_of", item_ids=list(item_ids))[0]["facts"]
