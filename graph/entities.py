"""Users, items and friendships as their owners describe them; consent; deletion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from graph.connection import Graph
from graph.effects import ordered_pair, tie_key
from graph.entity_shapes import friend_entity, item_entity, purposes_problem, user_entity
from graph.errors import InputError, NotFoundError
from graph.event_shapes import Problem
from graph.events import Rejection, rejection
from graph.settings import CONSENT_PURPOSES, Settings

MAX_ENTITIES: Final = 10_000
EDGES_AT_ONCE: Final = 10_000

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of the entities of one request."""

    created: int
    updated: int
    """Those that were there, changed or not."""
    rejected: list[Rejection]


def upsert_users(
    graph: Graph,
    settings: Settings,
    users: Sequence[object],
    *,
    imported: bool = False,
    consent: Sequence[str] | None = None,
) -> Upserted:
    """Create or complete users in one transaction; the same again changes nothing.

    Args:
        graph: where to.
        settings: `consent_default` is the consent of new users who state none.
        users: each `{userId, createdAt?, consent?, ...attributes}`; an attribute that is None is removed.
        imported: a new user without `createdAt` stays without.
        consent: instead of `consent_default`.

    Raises:
        ValueError: more than `MAX_ENTITIES`.
        UnavailableError: Neo4j does not answer; nothing was written.
    """
    entities, rejected = _judge(users, user_entity)
    default = list(settings.consent_default if consent is None else consent)
    rows = [[e.id, e.properties, e.created_ms, default if e.consent is None else e.consent] for e in entities]
    return write_users(graph, rows, [[e.id, e.consent] for e in entities if e.consent is not None], imported, rejected)


def write_users(
    graph: Graph, rows: list[list[Any]], consents: list[list[Any]], imported: bool, rejected: list[Rejection]
) -> Upserted:
    """Write user rows `[userId, properties, createdMs, consent]` and stated consents `[userId, purposes]`."""
    if not rows:
        return Upserted(0, 0, rejected)
    queries: list[tuple[str, dict[str, Any]]] = [
        ("entities.upsert_users", {"rows": sorted(rows, key=_first), "stampCreated": not imported})
    ]
    if consents:
        queries.append(("entities.write_consents", {"rows": sorted(consents, key=_first)}))
    created: int = graph.write_many(queries)[0][0]["created"]
    return Upserted(created, len(rows) - created, rejected)


def upsert_items(graph: Graph, items: Sequence[object], *, imported: bool = False) -> Upserted:
    """Create or complete items in one transaction; the same again changes nothing.

    Args:
        graph: where to.
        items: each `{itemId, createdAt?, kind?, title?, category?, price | priceMinor, currency?, ...attributes}`.
        imported: a new item without `createdAt` stays without.

    Raises:
        ValueError, UnavailableError: as for `upsert_users`.
    """
    entities, rejected = _judge(items, item_entity)
    return write_items(graph, [[e.id, e.properties, e.created_ms] for e in entities], imported, rejected)


def write_items(graph: Graph, rows: list[list[Any]], imported: bool, rejected: list[Rejection]) -> Upserted:
    """Write item rows `[itemId, properties, createdMs]`."""
    if not rows:
        return Upserted(0, 0, rejected)
    given = {"rows": sorted(rows, key=_first), "stampCreated": not imported}
    created: int = graph.write("entities.upsert_items", **given)[0]["created"]
    return Upserted(created, len(rows) - created, rejected)


def upsert_friends(graph: Graph, settings: Settings, friends: Sequence[object]) -> Upserted:
    """State friendships as they are now, also ones that were ended before.

    Args:
        graph: where to.
        settings: `unknown_ids` says whether unknown users are created, `consent_default` their consent.
        friends: each `{userId, friendId, since?, strength?}`.

    Raises:
        ValueError, UnavailableError: as for `upsert_users`.
        NotFoundError: a user is not known and may not be created.
    """
    entities, rejected = _judge(friends, friend_entity)
    if not entities:
        return Upserted(0, 0, rejected)
    rows: list[list[Any]] = []
    for user_id, friend_id, since_ms, strength in entities:
        first, second = ordered_pair(user_id, friend_id)
        rows.append([first, second, tie_key("FRIEND", first, second), since_ms, strength])
    ids = sorted({user for row in rows for user in row[:2]})
    queries: list[tuple[str, dict[str, Any]]] = [
        ("entities.put_friends", {"rows": sorted(rows, key=lambda row: row[:2])})
    ]
    if settings.unknown_ids == "create":
        queries.insert(0, ("events.create_users", {"ids": ids, "consent": list(settings.consent_default)}))
    elif unknown := graph.read("entities.unknown_users", ids=ids):
        raise NotFoundError(f"no user {unknown[0]['userId']}")
    created: int = graph.write_many(queries)[-1][0]["created"]
    return Upserted(created, len(rows) - created, rejected)


def delete_friend(graph: Graph, user_id: str, friend_id: str) -> bool:
    """End a friendship now and say whether there was one; earlier events that come late do not bring it back."""
    first, second = ordered_pair(user_id, friend_id)
    rows = graph.write("entities.delete_friend", userId=first, friendId=second, tieKey=tie_key("FRIEND", first, second))
    return bool(rows and rows[0]["deleted"])


def delete_user(graph: Graph, user_id: str) -> bool:
    """Delete a user and every relationship, in batches that fit a transaction; say whether there was one."""
    return _delete(graph, "user", user_id)


def delete_item(graph: Graph, item_id: str) -> bool:
    """Delete an item and every relationship, in batches that fit a transaction; say whether there was one."""
    return _delete(graph, "item", item_id)


def read_consent(graph: Graph, user_id: str) -> list[str]:
    """Return the purposes that the user agreed to.

    Raises:
        NotFoundError: there is no such user.
    """
    rows = graph.read("entities.read_consent", userId=user_id)
    if not rows:
        raise NotFoundError(f"no user {user_id}")
    return rows[0]["consent"] or []


def set_consent(graph: Graph, user_id: str, purposes: Sequence[str]) -> list[str]:
    """State what the user agrees to, and return it; what is published about a purpose taken back goes at once.

    Raises:
        InputError: an unknown purpose.
        NotFoundError: there is no such user.
    """
    if problem := purposes_problem(list(purposes)):
        raise InputError(f"consent {problem}", [{"pointer": "/consent", "detail": problem}])
    chosen = [purpose for purpose in CONSENT_PURPOSES if purpose in purposes]
    read_consent(graph, user_id)
    graph.write("entities.write_consents", rows=[[user_id, chosen]])
    return chosen


def _delete(graph: Graph, kind: str, given_id: str) -> bool:
    while graph.write(f"entities.delete_{kind}_edges", id=given_id, limit=EDGES_AT_ONCE)[0]["deleted"] == EDGES_AT_ONCE:
        pass
    return bool(graph.write(f"entities.delete_{kind}", id=given_id)[0]["deleted"])


def _judge(
    given: Sequence[object], shape: Callable[[Mapping[str, Any]], tuple[E, list[Problem]]]
) -> tuple[list[E], list[Rejection]]:
    if len(given) > MAX_ENTITIES:
        raise ValueError(f"at most {MAX_ENTITIES} at once")
    good: list[E] = []
    rejected: list[Rejection] = []
    for index, one in enumerate(given):
        if not isinstance(one, dict):
            rejected.append(rejection(index, 422, [("", "must be an object")]))
            continue
        entity, problems = shape(one)
        if problems:
            rejected.append(rejection(index, 422, problems))
        else:
            good.append(entity)
    return good, rejected


def _first(row: list[Any]) -> Any:
    return row[0]
