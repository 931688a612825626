"""Whom a user should send an item to, from the graph as it is now."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import Any

from api.services import Services
from engine.serving.sharing import Candidate, Stranger, Target, rank, rank_strangers
from graph import share_history, share_people
from graph.share_history import ShareHistory
from graph.share_people import Cap

Row = dict[str, Any]
Sent = dict[str, list[tuple[float, bool]]]
Received = dict[str, list[float]]


def share_targets(
    services: Services, user_id: str, item_id: str, limit: int, *, with_strangers: bool = False
) -> dict[str, Any]:
    """Return the recipients as the API answers them.

    Who did not agree to sharing, blocked or was blocked by the user, bought or hid the item, got it from this user
    before, or was sent `KITH_SHARE_CAP` shares lately is left out; a user who did not agree to sharing gets none.

    Args:
        services: of this process.
        user_id: who sends.
        item_id: what.
        limit: at most so many.
        with_strangers: whether places that people known leave open go to strangers.

    Raises:
        NotFoundError: there is no such user or item.
        UnavailableError: Neo4j does not answer.
    """
    cap = Cap(services.settings.share_cap, services.settings.share_cap_hours)
    history = share_history.read(services.graph, user_id, item_id)
    sent, received = exchanged(history, user_id, time.time())
    known = {*history.friends, *sent, *received}
    rows = share_people.read(services.graph, user_id, item_id, known, cap) if known else []
    targets = rank([_candidate(row, sent, received) for row in _open(rows)], limit)
    if with_strangers and len(targets) < limit:
        more, seen = _strangers(services, user_id, item_id, known, cap)
        targets += rank_strangers(more, limit - len(targets), targets[-1].score if targets else 1.0)
        rows = [*rows, *seen]
    return {
        "userId": user_id,
        "itemId": item_id,
        "modelVersion": rows[0]["modelVersion"] if rows else None,
        "capped": sum(row["capped"] for row in rows),
        "targets": [_target(place, each) for place, each in enumerate(targets, start=1)],
    }


def exchanged(history: ShareHistory, user_id: str, now_s: float) -> tuple[Sent, Received]:
    """Return what the user sent to whom (age in seconds, opened) and got from whom (age); no age is infinite."""
    sent: Sent = {}
    received: Received = {}
    ages = now_s - history.at_s
    rows = zip(history.sender, history.recipient, ages.tolist(), history.opened.tolist(), strict=True)
    for sender, recipient, age_s, is_opened in rows:
        age = math.inf if math.isnan(age_s) else age_s
        if sender == user_id:
            sent.setdefault(recipient, []).append((age, is_opened))
        elif recipient == user_id:
            received.setdefault(sender, []).append(age)
    return sent, received


def _strangers(
    services: Services, user_id: str, item_id: str, known: set[str], cap: Cap
) -> tuple[list[Stranger], list[Row]]:
    """Return strangers who may be sent the item, and the rows of all that were looked at."""
    near = {row["userId"]: row for row in share_people.strangers(services.graph, user_id, item_id, known)}
    rows = share_people.read(services.graph, user_id, item_id, near, cap) if near else []
    found = [
        Stranger(_candidate(row, {}, {}), near[row["userId"]]["similarity"], near[row["userId"]]["acts"])
        for row in _open(rows)
    ]
    return found, rows


def _open(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if not row["capped"]]


def _candidate(row: Row, sent: Sent, received: Received) -> Candidate:
    return Candidate(
        user_id=row["userId"],
        strength=row["strength"],
        sharers_strength=row["sharersStrength"],
        ties_strength=row["tiesStrength"],
        friends=row["friends"],
        interest=row["interest"],
        sent=sent.get(row["userId"], ()),
        received=received.get(row["userId"], ()),
    )


def _target(place: int, each: Target) -> Row:
    return {
        "rank": place,
        "userId": each.user_id,
        "score": round(each.score, 6),
        "probability": round(each.probability, 6),
        "reasons": list(each.reasons),
    }
