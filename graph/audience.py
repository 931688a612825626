"""Who may be shown an item, with what ranks them: published lists, embeddings, and what happened lately."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from graph.connection import Graph, Row
from graph.errors import NotFoundError
from graph.queries import COMPILE_S, ID_LENGTHS

MOST_LISTED: Final = 400
"""Users on whose published list the item stands highest by score, of the first 20 places."""
MOST_NEAR: Final = 200
"""Users nearest in the embedding."""
MOST_ACTING: Final = 200
"""Users who interacted with the item last."""
MOST_LOOKED_AT: Final = 10_000
"""Lists and interactions of the item among which those are looked for: of the latest transactions."""
MOST_FRIENDS: Final = 200
"""Friends of a user who are asked about."""

LIMITS: Final = {
    "most_listed": MOST_LISTED,
    "most_near": MOST_NEAR,
    "most_acting": MOST_ACTING,
    "most_looked_at": MOST_LOOKED_AT,
    "most_friends": MOST_FRIENDS,
}


def candidates(
    graph: Graph, item_id: str, *, now_s: int, acts_s: int, vector: Sequence[float] | None = None
) -> tuple[Row, list[Row]]:
    """Return what is said of the item, and the users whom it may be shown to, of one version.

    Users agree to `personalisation`; who bought or hid the item is left out. Influence and friends are known only of
    those who also agree to `sharing`, and only friends who do are counted.

    Args:
        graph: where from.
        item_id: which.
        now_s: seconds since 1970 UTC.
        acts_s: how old an interaction may be, in seconds.
        vector: (D,) of an item that the live version does not hold.

    Returns:
        `modelVersion publicationSeq available current`: the version (None before the first publication), whether the
        item can be had (if not, there are no users) and whether the version holds it. And rows `userId similarity
        listedScore lastScore influence percentile`, `acts` as `[type, seconds since 1970]`, and `friendsSeen`: for each
        friend whether this friend met the item. Scores are logits.

    Raises:
        NotFoundError: there is no such item.
        UnavailableError: Neo4j does not answer.
    """
    given = {"item_id": item_id, "now_s": now_s, "acts_s": acts_s, "vector": None if vector is None else list(vector)}
    rows = graph.read("audience.candidates", **given, **LIMITS)
    if not rows:
        raise NotFoundError(f"no item {item_id}")
    return rows[0], [row for row in rows if row["userId"] is not None]


def description(graph: Graph, item_id: str) -> tuple[str | None, dict[str, Any]]:
    """Return the live version and an item's attributes; nothing where there is no such item."""
    rows = graph.read("audience.item", item_id=item_id)
    return (rows[0]["modelVersion"], dict(rows[0]["attributes"])) if rows else (None, {})


def warm_up(graph: Graph) -> None:
    """Have the server compile the statements, so that no first caller has to wait for it.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    for length in ID_LENGTHS:
        item_id = "?" * length
        for vector in (None, [1.0]):
            given = {"item_id": item_id, "now_s": 0, "acts_s": 1, "vector": vector}
            graph.read("audience.candidates", timeout_s=COMPILE_S, **given, **LIMITS)
        graph.read("audience.item", timeout_s=COMPILE_S, item_id=item_id)
