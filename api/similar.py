"""Items like an item: the published neighbours, or for a new item those near its attributes' embedding."""

from __future__ import annotations

from typing import Any

from api.services import Services
from graph import queries

MARGIN = 20


def similar_items(services: Services, item_id: str, limit: int) -> dict[str, Any]:
    """Return an item's neighbours as the API answers them.

    Raises:
        NotFoundError: there is no such item.
        UnavailableError: Neo4j does not answer.
    """
    row = queries.similar_items(services.graph, item_id)
    if row["current"]:
        strategy = "published"
        found = [pair for pair in zip(row["items"], row["scores"], strict=True) if pair[0] not in row["unavailable"]]
    else:
        strategy, found = "inductive", _nearest(services, item_id, row, limit)
        if not found:
            strategy = "popular"
            found = [pair for pair in services.popular.top(services.graph, row["category"]) if pair[0] != item_id]
    return {
        "itemId": item_id,
        "modelVersion": row["modelVersion"],
        "strategy": strategy,
        "items": [
            {"rank": rank, "itemId": other, "score": round(score, 6)}
            for rank, (other, score) in enumerate(found[:limit], start=1)
        ],
    }


def _nearest(services: Services, item_id: str, row: dict[str, Any], limit: int) -> list[tuple[str, float]]:
    if row["modelVersion"] is None:
        return []
    vector = services.encoders.embed_item(row["modelVersion"], row["attributes"])
    if vector is None:
        return []
    near = queries.nearest_items(services.graph, row["modelVersion"], vector, limit + MARGIN)
    return [(each["itemId"], each["score"]) for each in near if each["available"] and each["itemId"] != item_id]
