"""Whom a user should send an item to, from the graph as it is now."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from api.services import Services
from engine.serving.sharetarget.ranker import EventRows, Question, Ranker, TieRows
from engine.serving.sharing import (
    STRANGER_REASONS,
    TARGET_REASONS,
    UNFITTED,
    Candidate,
    Stranger,
    Target,
    Weights,
    formula,
    rank,
    rank_strangers,
    reasons,
)
from graph import share_history, share_people
from graph.share_history import ShareHistory
from graph.share_people import Cap

Row = dict[str, Any]
Sent = dict[str, list[tuple[float, bool]]]
Received = dict[str, list[float]]


def share_targets(
    services: Services,
    user_id: str,
    item_id: str,
    limit: int,
    *,
    channel: str | None = None,
    with_strangers: bool = False,
) -> dict[str, Any]:
    """Return the recipients as the API answers them.

    Who did not agree to sharing, blocked or was blocked by the user, bought or hid the item, got it from this user
    before, or was sent `KITH_SHARE_CAP` shares lately is left out; a user who did not agree to sharing gets none. The
    live version's ranker orders the others; without one the propagation formula and the history do.

    Args:
        services: of this process.
        user_id: who sends.
        item_id: what.
        limit: at most so many.
        channel: that it would be shared in.
        with_strangers: whether places that people known leave open go to strangers.

    Raises:
        NotFoundError: there is no such user or item.
        UnavailableError: Neo4j does not answer.
    """
    cap = Cap(services.settings.share_cap, services.settings.share_cap_hours)
    now = time.time()
    history = share_history.read(services.graph, user_id, item_id)
    sent, received = exchanged(history, user_id, now)
    known = {*history.friends, *sent, *received}
    rows = share_people.read(services.graph, user_id, item_id, known, cap) if known else []
    version = rows[0]["modelVersion"] if rows else None
    ranker = services.encoders.share_ranker(version) if version is not None else None
    weights = UNFITTED if version is None else services.encoders.formula(version)
    may_get = _open(rows)
    candidates = [_candidate(row, sent, received) for row in may_get]
    if ranker is None:
        targets = rank(candidates, limit, weights)
    else:
        asked = Question(user_id, item_id, int(now))
        targets = rank_learned(ranker, asked, history, may_get, candidates, limit=limit, weights=weights)
    if with_strangers and len(targets) < limit:
        more, seen = _strangers(services, user_id, item_id, known, cap)
        targets += rank_strangers(more, limit - len(targets), targets[-1].score if targets else 1.0, weights)
        rows = [*rows, *seen]
    if version is not None:
        personal = [row["userId"] for row in rows if row["personal"]]
        learned = services.encoders.propagation(version, user_id, personal, item_id, channel)
        targets = [replace(each, learned=learned.get(each.user_id)) for each in targets]
    return {
        "userId": user_id,
        "itemId": item_id,
        "modelVersion": rows[0]["modelVersion"] if rows else None,
        "strategy": "formula" if ranker is None else "learned",
        "capped": sum(row["capped"] for row in rows),
        "targets": [_target(place, each) for place, each in enumerate(targets, start=1)],
    }


def rank_learned(
    ranker: Ranker,
    question: Question,
    history: ShareHistory,
    rows: Sequence[Row],
    candidates: Sequence[Candidate],
    *,
    limit: int,
    weights: Weights = UNFITTED,
) -> list[Target]:
    """Return the best `limit` of the candidates by a trained ranker, with P(i->j) by the formula beside it.

    Whom the ranker does not look at (shares without a time, more people than it reads) follows by formula and history.

    Args:
        ranker: of the live version.
        question: who, what and when.
        history: around the question.
        rows: of `graph.share_people.read`, those who may be sent the item.
        candidates: the same people.
        limit: at most so many.
        weights: of the formula.
    """
    of_user = {each.user_id: each for each in candidates}
    ranked = ranker.rank(question, _events(history), _ties(question.user_id, rows), limit, allowed=frozenset(of_user))
    found = [
        Target(
            each.user_id,
            each.score,
            formula(of_user[each.user_id], weights),
            _reasons(of_user[each.user_id], each.reasons),
        )
        for each in ranked
    ]
    if len(found) < limit:
        named = {each.user_id for each in found}
        below = found[-1].score if found else 1.0
        others = rank([each for each in candidates if each.user_id not in named], limit - len(found), weights)
        found += [replace(each, score=below * each.score / (1.0 + each.score)) for each in others]
    return found


def _reasons(candidate: Candidate, learned: Sequence[str]) -> tuple[str, ...]:
    """Return what speaks for someone known: by the ranker's evidence, or by the live version's interest."""
    held = {*reasons(candidate), *learned}
    return tuple(name for name in TARGET_REASONS if name in held and name not in STRANGER_REASONS)


def _events(history: ShareHistory) -> EventRows:
    timed = np.flatnonzero(np.isfinite(history.at_s))
    return EventRows(
        history.sender[timed].tolist(),
        history.item[timed].tolist(),
        history.recipient[timed].tolist(),
        history.at_s[timed].astype(np.int64).tolist(),
        history.opened[timed].tolist(),
    )


def _ties(user_id: str, rows: Sequence[Row]) -> TieRows:
    """Return the ties that the terms of the formula are made of: to the user, and to those who shared the item."""
    pairs = {(row["userId"], user_id): row["strength"] for row in rows if row["strength"] is not None}
    for row in rows:
        for sharer, strength in row["sharers"]:
            if (sharer, row["userId"]) not in pairs:
                pairs[row["userId"], sharer] = strength
    return TieRows(
        [one for one, _ in pairs],
        [other for _, other in pairs],
        list(pairs.values()),
        total={row["userId"]: row["tiesStrength"] for row in rows},
        friends={row["userId"]: row["friends"] for row in rows},
    )


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
        "probabilityBy": "formula" if each.learned is None else "learned",
        "formula": round(each.formula, 6),
        "reasons": list(each.reasons),
    }
