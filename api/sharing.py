"""Whom a user should send an item to, from the graph as it is now."""

from __future__ import annotations

import time
from typing import Any

from api.services import Services
from engine.serving.sharing import Candidate, rank
from graph import queries


def share_targets(services: Services, user_id: str, item_id: str, limit: int) -> dict[str, Any]:
    """Return the recipients as the API answers them.

    Who did not agree to sharing, blocked or was blocked by the user, bought or hid the item, or got it from this user
    before is left out; a user who did not agree to sharing gets none.

    Raises:
        NotFoundError: there is no such user or item.
        UnavailableError: Neo4j does not answer.
    """
    now = time.time()
    rows = queries.share_candidates(services.graph, user_id, item_id)
    candidates = [_candidate(row, now) for row in rows if not any(same_item for _, _, same_item in row["sent"])]
    return {
        "userId": user_id,
        "itemId": item_id,
        "modelVersion": rows[0]["modelVersion"] if rows else None,
        "targets": [
            {
                "rank": place,
                "userId": each.user_id,
                "score": round(each.score, 6),
                "probability": round(each.probability, 6),
                "reasons": list(each.reasons),
            }
            for place, each in enumerate(rank(candidates, limit), start=1)
        ],
    }


def _candidate(row: dict[str, Any], now: float) -> Candidate:
    return Candidate(
        user_id=row["userId"],
        strength=row["strength"],
        sharers_strength=row["sharersStrength"],
        ties_strength=row["tiesStrength"],
        friends=row["friends"],
        interest=row["interest"],
        sent=[(now - (at_s or 0), opened) for at_s, opened, _ in row["sent"]],
        received=[now - (at_s or 0) for at_s in row["received"]],
    )
