"""Whom to show an item to, page by page, of one version."""

from __future__ import annotations

import time
from dataclasses import dataclass

from api.services import Services
from engine.serving.audience import WINDOW_S, Ranked, of_row, rank
from graph import audience as rows_of
from graph.connection import Row
from graph.errors import ConflictError

CURSOR = "audience"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins."""

    now_s: int
    """When the first page was asked for: on all pages interactions are as old as they were then."""
    rank: int = 0
    after: tuple[float, str] | None = None
    """Place of the last user of the page before."""
    publication_seq: int | None = None


def serve(services: Services, item_id: str, *, limit: int, weight: float, cursor: str | None) -> Row:
    """Return a page of users as the API answers it, with the cursor of the next one.

    Args:
        services: of this process.
        item_id: what to show.
        limit: at most so many users.
        weight: how probable it is held that who acts on the item shares it, in [0, 1].
        cursor: of the page before; None for the first.

    Raises:
        NotFoundError: there is no such item.
        ConflictError: the cursor belongs to another question or another version.
        TokenError: the cursor was not made here.
        UnavailableError: Neo4j does not answer.
    """
    asked = [item_id, weight]
    place = None
    if cursor is not None:
        told = services.signer.read(CURSOR, cursor)
        if told["asked"] != asked:
            raise ConflictError("the cursor belongs to another question")
        place = Place(told["now"], told["rank"], tuple(told["after"]), told["seq"])
    page, following = audience(services, item_id, limit=limit, weight=weight, place=place)
    token = None
    if following is not None:
        content = {"now": following.now_s, "rank": following.rank, "after": following.after}
        token = services.signer.sign(CURSOR, {"asked": asked, "seq": following.publication_seq, **content})
    return {**page, "cursor": token}


def audience(
    services: Services, item_id: str, *, limit: int, weight: float, place: Place | None = None
) -> tuple[Row, Place | None]:
    """Return a page of users, and where the next one begins, if there is one.

    Raises:
        NotFoundError: there is no such item.
        ConflictError: another version than that of the place is live.
        UnavailableError: Neo4j does not answer.
    """
    at = place or Place(int(time.time()))
    head, rows = _candidates(services, item_id, at.now_s)
    if place is not None and head["publicationSeq"] != place.publication_seq:
        raise ConflictError("another version has been published since; begin again without a cursor")
    ranked = rank([of_row(row, at.now_s) for row in rows], weight)
    left = [each for each in ranked if at.after is None or each.place > at.after]
    page = left[:limit]
    told = {
        "itemId": item_id,
        "modelVersion": head["modelVersion"],
        "publicationSeq": head["publicationSeq"],
        "influence": weight,
        "reason": None if ranked else _reason(head),
        "totals": {
            "users": len(ranked),
            "interest": round(sum(each.interest for each in ranked), 6),
            "score": round(sum(each.score for each in ranked), 6),
        },
        "users": [_user(n, each) for n, each in enumerate(page, start=at.rank + 1)],
    }
    if len(left) <= limit:
        return told, None
    return told, Place(at.now_s, at.rank + len(page), page[-1].place, head["publicationSeq"])


def _candidates(services: Services, item_id: str, now_s: int) -> tuple[Row, list[Row]]:
    """Return the candidates; an item newer than the version is placed by its attributes first."""
    graph = services.graph
    head, rows = rows_of.candidates(graph, item_id, now_s=now_s, acts_s=WINDOW_S)
    if head["current"] or not head["available"] or head["modelVersion"] is None:
        return head, rows
    version, attributes = rows_of.description(graph, item_id)
    vector = services.encoders.embed_item(version, attributes) if version is not None else None
    if vector is None or version != head["modelVersion"]:
        return head, rows
    again, more = rows_of.candidates(graph, item_id, now_s=now_s, acts_s=WINDOW_S, vector=vector)
    return (again, more) if again["modelVersion"] == version else (head, rows)


def _reason(head: Row) -> str:
    if not head["available"]:
        return "unavailable"
    return "noVersion" if head["modelVersion"] is None else "nobody"


def _user(place: int, each: Ranked) -> Row:
    influence = each.prospect.influence
    return {
        "rank": place,
        "userId": each.prospect.user_id,
        "score": round(each.score, 6),
        "interest": round(each.interest, 6),
        "influence": None if influence is None else round(influence, 6),
        "reach": each.prospect.reach,
        "reasons": list(each.reasons),
    }
