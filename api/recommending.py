"""A user's list: which strategy serves it, and the live score on top of what is published."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

from api.services import Services
from engine.serving import live
from engine.types import REASONS
from graph import queries
from graph.queries import RecommendationInputs

MARGIN = 10
"""Published items beyond twice the limit that are checked for availability at first."""
NEAREST = 200
RECOMMENDATION = "recommendation"
"""Kind of the signed token."""
FRIENDS_CODE = REASONS.index("friends") * 256 + live.NO_REASON
POPULAR_CODE = REASONS.index("popular") * 256 + live.NO_REASON
TASTE_CODE = REASONS.index("taste") * 256 + live.NO_REASON

Listed = list[tuple[str, float]]


def recommend(
    services: Services, user_id: str, limit: int, *, channel: str | None = None, explain: bool = False
) -> dict[str, Any]:
    """Return the user's list as the API answers it.

    Args:
        services: of this process.
        user_id: whose.
        limit: at most so many items.
        channel: where it will be shown; kept in the signed id.
        explain: whether each item tells what its score is made of.

    Raises:
        NotFoundError: there is no such user.
        UnavailableError: Neo4j does not answer.
    """
    now = time.time()
    inputs = _inputs(services, user_id, now, 2 * limit + MARGIN)
    if inputs.current:
        strategy, chosen = "published", _published(services, user_id, inputs, now, limit)
    elif inputs.consented:
        strategy, chosen = _unknown_to_version(services, user_id, inputs, now, limit)
    else:
        strategy, chosen = "popular", []
    if len(chosen) < limit:
        chosen += _popular(services, {*inputs.seen, *(each.item_id for each in chosen)}, limit - len(chosen))
    return {
        "recommendationId": _identify(services, inputs, now, channel),
        "modelVersion": inputs.model_version,
        "strategy": strategy,
        "items": [_row(rank, each, explain) for rank, each in enumerate(chosen, start=1)],
    }


def _inputs(services: Services, user_id: str, now: float, checked: int) -> RecommendationInputs:
    timeout_s = services.settings.read_timeout_s
    return queries.recommendation_inputs(services.graph, user_id, now_s=int(now), checked=checked, timeout_s=timeout_s)


def _published(
    services: Services, user_id: str, inputs: RecommendationInputs, now: float, limit: int
) -> list[live.Scored]:
    checked = 2 * limit + MARGIN
    chosen = _blend(inputs, (inputs.items, inputs.scores, inputs.reasons), now, limit)
    if len(inputs.items) > checked:
        unchecked = set(inputs.items[checked:])
        if any(each.item_id in unchecked and not each.recent_similar and not each.friend_shared for each in chosen):
            # Most of what was checked is gone: look at the whole list.
            inputs = _inputs(services, user_id, now, len(inputs.items))
            chosen = _blend(inputs, (inputs.items, inputs.scores, inputs.reasons), now, limit)
    return chosen


def _unknown_to_version(
    services: Services, user_id: str, inputs: RecommendationInputs, now: float, limit: int
) -> tuple[str, list[live.Scored]]:
    """Serve a user newer than the version: by embedding and neighbours, by friends, or by what is popular."""
    if inputs.recent:
        near = _nearest(services, user_id, inputs)
        chosen = _blend(inputs, _columns(near, TASTE_CODE), now, limit)
        if chosen:
            return "inductive", chosen
    of_friends = [(row["itemId"], row["score"]) for row in queries.items_of_friends(services.graph, user_id, NEAREST)]
    chosen = _blend(inputs, _columns(of_friends, FRIENDS_CODE), now, limit)
    return ("friends", chosen) if chosen else ("popular", [])


def _nearest(services: Services, user_id: str, inputs: RecommendationInputs) -> Listed:
    """Return available items near the user's embedding, computed now by the live version's encoder."""
    if inputs.model_version is None:
        return []
    friends, attributes = queries.user_inputs(services.graph, user_id)
    vector = services.encoders.embed_user(inputs.model_version, inputs.recent, friends, attributes)
    if vector is None:
        return []
    rows = queries.nearest_items(services.graph, inputs.model_version, vector, NEAREST)
    return [(row["itemId"], row["score"]) for row in rows if row["available"]]


def _popular(services: Services, excluded: set[str], limit: int) -> list[live.Scored]:
    listed = [each for each in services.popular.top(services.graph) if each[0] not in excluded][: 2 * limit + MARGIN]
    gone = queries.unavailable_items(services.graph, [item for item, _ in listed]) if listed else set()
    code = live.unpacked(POPULAR_CODE)
    return [live.Scored(item, published=score, codes=code) for item, score in listed if item not in gone][:limit]


def _blend(
    inputs: RecommendationInputs,
    listed: tuple[Sequence[str], Sequence[float], Sequence[int]],
    now: float,
    limit: int,
) -> list[live.Scored]:
    acts = [
        live.Act(item, kind, now - at_s, rating, similar or (), similar_scores or ())
        for item, kind, at_s, rating, similar, similar_scores in inputs.recent
    ]
    shares = [live.FriendShare(item, now - at_s, strength) for item, _, strength, at_s in inputs.shares]
    return live.blend(*listed, acts=acts, shares=shares, excluded={*inputs.seen, *inputs.unavailable}, limit=limit)


def _columns(listed: Iterable[tuple[str, float]], code: int) -> tuple[list[str], list[float], list[int]]:
    pairs = list(listed)
    return [item for item, _ in pairs], [score for _, score in pairs], [code] * len(pairs)


def _identify(services: Services, inputs: RecommendationInputs, now: float, channel: str | None) -> str:
    content = {"v": inputs.model_version, "t": int(now * 1000), "s": int.from_bytes(os.urandom(4), "big")}
    return services.signer.sign(RECOMMENDATION, {**content, "c": channel} if channel else content)


def _row(rank: int, each: live.Scored, explain: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rank": rank,
        "itemId": each.item_id,
        "score": round(each.score, 6),
        "reasons": each.reasons(),
    }
    if explain:
        row["parts"] = {
            "published": round(each.published, 6),
            "recentSimilar": round(each.recent_similar, 6),
            "friendShared": round(each.friend_shared, 6),
        }
    return row
