"""Whose shares reach most: /v1/influencers."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from api.answers import answer
from api.keyring import scope
from api.services import Services, services
from api.shapes.answers import Influencers, InfluencersQuery
from graph import queries
from graph.errors import ConflictError

influencers = APIBlueprint("influencers", __name__, tag="influencers")
CURSOR = "influencers"
MOST_IN_CATEGORY = 1_000


@influencers.get("/v1/influencers")
@scope("read")
@influencers.input(InfluencersQuery, location="query", arg_name="query")
@influencers.output(Influencers)
def list_influencers(query: InfluencersQuery) -> Response:
    """List users by influence score, page by page; in a category by influence times the share of their acts there.

    A cursor is good for the version that it came from; 409 when another one has been published since.
    """
    kith = services()
    place = _place(kith, query)
    if query.category is None:
        after = (place["score"], place["userId"]) if place else None
        rows = queries.top_influencers(kith.graph, query.limit, after)
    else:
        begin = place["rank"] if place else 0
        rows = queries.category_influencers(kith.graph, query.category, min(begin + query.limit, MOST_IN_CATEGORY))[
            begin:
        ]
    version = {key: rows[0][key] for key in ("modelVersion", "publicationSeq")} if rows else _version(kith)
    if place and place["seq"] != version["publicationSeq"]:
        raise ConflictError("another version has been published since; begin again without a cursor")
    return answer(_page(kith, query, rows, version, place["rank"] if place else 0))


def _place(kith: Services, query: InfluencersQuery) -> dict[str, Any] | None:
    if query.cursor is None:
        return None
    place = kith.signer.read(CURSOR, query.cursor)
    if place["category"] != query.category:
        raise ConflictError("the cursor belongs to another category")
    return place


def _version(kith: Services) -> dict[str, Any]:
    return queries.published(kith.graph) or {"modelVersion": None, "publicationSeq": None}


def _page(
    kith: Services, query: InfluencersQuery, rows: list[dict[str, Any]], version: dict[str, Any], begin: int
) -> dict[str, Any]:
    cursor = None
    if len(rows) == query.limit:
        last = rows[-1]
        content = {"seq": version["publicationSeq"], "category": query.category, "rank": begin + len(rows)}
        cursor = kith.signer.sign(CURSOR, {**content, "score": last["influenceScore"], "userId": last["userId"]})
    return {
        **version,
        "category": query.category,
        "influencers": [
            {"rank": rank, **{key: row.get(key) for key in ("userId", "influenceScore", "influencePercentile")}}
            | ({"categoryScore": row["categoryScore"]} if "categoryScore" in row else {})
            for rank, row in enumerate(rows, start=begin + 1)
        ],
        "cursor": cursor,
    }
