"""Reads for the API: each is one statement that names the live slot and reads it, so an answer is of one version."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from graph.connection import Graph
from graph.errors import NotFoundError, UnavailableError

Row = dict[str, Any]

MOST_SEEN: Final = 20_000
"""Interactions of one user that a read looks at, newest first."""
MOST_RECENT: Final = 20
"""Last interactions whose neighbours count."""
SIMILAR_DAYS: Final = 7
"""Neighbours of older interactions would gain less than 2^-7 of their score and are not read."""
MOST_SIMILAR: Final = 10
"""Neighbours of one interaction that are read, of the 20 published."""
MOST_FRIENDS: Final = 500
MOST_NEWCOMERS_FRIENDS: Final = 100
MOST_FRIENDS_ACTS: Final = 50
"""Of each friend of a newcomer: 5,000 items in all."""
MOST_SHARES: Final = 200
SHARES_S: Final = 86_400
"""Friends' shares count for a day."""
MOST_ACTS: Final = 5_000
MOST_TOP: Final = 5
INFLUENCERS_CONSIDERED: Final = 2_000
"""Most influential users among whom a category's influencers are looked for."""
MOST_OWN_SHARES: Final = 1_000
"""Of a user's shares, so many are looked at for what others did with them."""
PASSED: Final = ("reshares", "opens", "sent")
MOST_POPULAR: Final = 5_000
MOST_HITS: Final = 1_000
ID_LENGTHS: Final = (8, 40)
"""Neo4j plans a statement anew for texts of about ten characters and of about a hundred."""
COMPILE_S: Final = 60.0
"""A statement's first run includes its compilation, which takes seconds on a busy machine."""
WORD = re.compile(r"\w+", re.UNICODE)


@dataclass(frozen=True, slots=True)
class RecommendationInputs:
    """All that a user's list is made of, of one version."""

    model_version: str | None
    publication_seq: int | None
    consented: bool
    """Whether the user agreed to personalisation; if not, everything below is empty."""
    current: bool
    """Whether the live version knows the user."""
    items: list[str]
    """The published list, best first."""
    scores: list[float]
    reasons: list[int]
    """Packed: first * 256 + second, positions in REASONS."""
    birth_date: str | None
    """As the shop gave it."""
    seen: list[str]
    """Items acted on, other than viewed; an item may stand twice."""
    recent: list[list[Any]]
    """Last interactions, newest first: item, type, time (s), rating, neighbours, their scores."""
    shares: list[list[Any]]
    """Consenting friends' shares of the last day: item, friend, strength, time (s)."""


def recommendation_inputs(graph: Graph, user_id: str, *, now_s: int, timeout_s: float) -> RecommendationInputs:
    """Read what a user's list is made of, in one round trip.

    Args:
        graph: where from.
        user_id: whose.
        now_s: seconds since 1970 UTC.
        timeout_s: at most `KITH_READ_TIMEOUT_S`, for a publication relies on it.

    Raises:
        NotFoundError: there is no such user.
        UnavailableError: Neo4j does not answer.
    """
    given = {
        "user_id": user_id,
        "most_seen": MOST_SEEN,
        "most_recent": MOST_RECENT,
        "most_similar": MOST_SIMILAR,
        "similar_since_s": now_s - SIMILAR_DAYS * 86_400,
        "most_friends": MOST_FRIENDS,
        "most_shares": MOST_SHARES,
        "shares_since_s": now_s - SHARES_S,
    }
    rows = _quick(graph, "queries.recommendation_inputs", timeout_s, **given)
    if not rows:
        raise NotFoundError(f"no user {user_id}")
    row = rows[0]
    # What was read of the live slot counts where it is of the live build.
    _, build_text, model_version, seq = row["live"] or (None, None, None, None)
    build = None if build_text is None else int(build_text)
    is_current = build is not None and row["build"] == build and bool(row["items"])
    birth_date = row["birthDate"]
    return RecommendationInputs(
        model_version,
        None if seq is None else int(seq),
        row["consented"],
        is_current,
        row["items"] if is_current else [],
        row["scores"] if is_current else [],
        row["reasons"] if is_current else [],
        None if birth_date is None else str(birth_date),
        row["seen"],
        [_act(act, build) for act in row["recent"]],
        row["shares"],
    )


def warm_up(graph: Graph) -> None:
    """Have the server compile the larger statements, so that no first caller has to wait for it.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    limits = ("most_seen", "most_recent", "most_similar", "most_friends", "most_shares", "most_acts")
    given: dict[str, Any] = dict.fromkeys((*limits, "most_top", "limit", "similar_since_s", "shares_since_s"), 1)
    given |= {"item_ids": ["?"], "model_version": "?" * ID_LENGTHS[0], "vector": [1.0]}
    for name in (
        "recommendation_inputs", "user_inputs", "nearest_items", "items_of_friends", "neighbours", "user_profile",
        "user_influence", "similar_items",
    ):  # fmt: skip
        for length in ID_LENGTHS:
            given |= {"user_id": "?" * length, "item_id": "?" * length}
            graph.read(f"queries.{name}", timeout_s=COMPILE_S, **given)


def some_users(graph: Graph, limit: int) -> list[str]:
    """Return the ids of a few users, whoever comes first."""
    return [row["userId"] for row in graph.read("queries.some_users", limit=limit)]


def user_inputs(graph: Graph, user_id: str) -> tuple[list[list[Any]], dict[str, Any]]:
    """Return friends `[userId, strength, itemIds]` and attributes of a user newer than the version.

    Friends are those who agreed, the strongest first, each with some of the items that they acted on.
    """
    rows = graph.read(
        "queries.user_inputs", user_id=user_id, most_friends=MOST_NEWCOMERS_FRIENDS, most_acts=MOST_FRIENDS_ACTS
    )
    return (rows[0]["friends"], dict(rows[0]["attributes"])) if rows else ([], {})


def nearest_items(graph: Graph, model_version: str, vector: Sequence[float], limit: int) -> list[Row]:
    """Return items nearest to the vector: `itemId score available`; none when another version is live.

    Args:
        graph: where from.
        model_version: the version whose encoder made the vector.
        vector: (D,) finite, not all zero.
        limit: at most so many.
    """
    return graph.read("queries.nearest_items", model_version=model_version, vector=list(vector), limit=limit)


def neighbours(graph: Graph, item_ids: Sequence[str]) -> list[tuple[str, list[str], list[float]]]:
    """Return items that the live version knows with their neighbours and the scores of these, best first."""
    rows = graph.read("queries.neighbours", item_ids=list(item_ids))
    return [(row["itemId"], row["items"], row["scores"]) for row in rows]


def items_of_friends(graph: Graph, user_id: str, limit: int) -> list[Row]:
    """Return available items that consenting friends acted on: `itemId score`, best first."""
    return graph.read("queries.items_of_friends", user_id=user_id, most_friends=MOST_FRIENDS, limit=limit)


def popular_items(graph: Graph, limit: int = MOST_POPULAR) -> list[Row]:
    """Return available items by how many acted on them: `itemId category acts`."""
    return graph.read("queries.popular_items", limit=limit)


def similar_items(graph: Graph, item_id: str) -> Row:
    """Return an item's neighbours: `modelVersion current category items scores unavailable attributes`.

    Raises:
        NotFoundError: there is no such item.
    """
    rows = graph.read("queries.similar_items", item_id=item_id)
    if not rows:
        raise NotFoundError(f"no item {item_id}")
    return {**rows[0], "attributes": dict(rows[0]["attributes"])}


def published(graph: Graph) -> Row | None:
    """Return `modelVersion publicationSeq` of the live version, None before the first publication."""
    rows = graph.read("queries.published")
    return rows[0] if rows else None


def top_influencers(graph: Graph, limit: int, after: tuple[float, str] | None = None) -> list[Row]:
    """Return users by influence: `modelVersion publicationSeq userId influenceScore influencePercentile`.

    Args:
        graph: where from.
        limit: at most so many.
        after: score and id of the last user of the page before.
    """
    score, user_id = after or (1e308, "")
    return graph.read("queries.top_influencers", score=score, user_id=user_id, limit=limit)


def category_influencers(graph: Graph, category: str, limit: int) -> list[Row]:
    """Return users by influence times the share of their acts in the category; rows as above and `categoryScore`."""
    return graph.read(
        "queries.category_influencers",
        category=category,
        considered=INFLUENCERS_CONSIDERED,
        most_acts=200,
        limit=limit,
    )


def user_influence(graph: Graph, user_id: str) -> Row:
    """Return a user's influence, and why it works on those it works on.

    Returns:
        `modelVersion consented score percentile error influences[{userId, probability, friendship, follows, reshares,
        opens, sent}]`: strength of the friendship or None, whether the other follows, and how often the other reshared,
        opened or was sent one of the user's shares (of `MOST_OWN_SHARES` of them).

    Raises:
        NotFoundError: there is no such user.
    """
    rows = graph.read("queries.user_influence", user_id=user_id, most_shares=MOST_OWN_SHARES)
    if not rows:
        raise NotFoundError(f"no user {user_id}")
    row = rows[0]
    times = {(user, PASSED[act]): count for user, act, count in row.pop("passed")}
    for each in row["influences"]:
        each |= {name: times.get((each["userId"], name), 0) for name in PASSED}
    return row


def user_profile(graph: Graph, user_id: str) -> Row:
    """Return a user's properties, acts by type, favourite categories and brands, ties and influence.

    Raises:
        NotFoundError: there is no such user.
    """
    rows = graph.read("queries.user_profile", user_id=user_id, most_acts=MOST_ACTS, most_top=MOST_TOP)
    if not rows:
        raise NotFoundError(f"no user {user_id}")
    return {**rows[0], "properties": dict(rows[0]["properties"])}


def find_items(
    graph: Graph, *, words: str | None, category: str | None, tag: str | None, after: str | int | None, limit: int
) -> list[Row]:
    """Return items by words (best first; `after` counts hits to skip) or by id (`after` is the last one seen)."""
    if words is not None:
        terms = " ".join(word.lower() for word in WORD.findall(words)[:20])
        if not terms:
            return []
        rows = graph.read(
            "queries.items_by_text",
            words=terms,
            category=category,
            tag=tag,
            skip=int(after or 0),
            limit=limit,
            most_hits=MOST_HITS,
        )
    elif category is not None:
        rows = graph.read("queries.items_in_category", category=category, tag=tag, after=str(after or ""), limit=limit)
    else:
        rows = graph.read("queries.items_by_id", tag=tag, after=str(after or ""), limit=limit)
    return [{key: value for key, value in row["item"].items() if value is not None} for row in rows]


def _act(row: list[Any], build: int | None) -> list[Any]:
    """Return an interaction with its item's neighbours, none where they are of another build."""
    is_current = len(row) > 4 and build is not None and row[4] == build
    return [*row[:4], row[5] or [], row[6] or []] if is_current else [*row[:4], [], []]


def _quick(graph: Graph, name: str, timeout_s: float, **given: Any) -> list[Row]:
    """Run a read in one round trip (no BEGIN and COMMIT); after a failure that may pass, once more as usual."""
    try:
        return graph.quick(name, timeout_s=timeout_s, **given)
    except UnavailableError:
        return graph.read(name, **given)
