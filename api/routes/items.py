"""Items: writing them, finding them, what is like them."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from api.answers import answer, checked_id, nothing, upserted_many, upserted_one
from api.audience import serve
from api.keyring import scope
from api.services import services
from api.shapes.answers import Audience, AudienceQuery, Items, ItemsQuery, LimitQuery, SimilarItems
from api.shapes.bodies import MOST_ENTITIES, ItemBody, ItemsBody, Upserted
from api.similar import similar_items
from graph import entities, queries
from graph.errors import InputError, NotFoundError

items = APIBlueprint("items", __name__, tag="items")
CURSOR = "items"


@items.put("/v1/items/<item_id>")
@scope("ingest")
@items.input(ItemBody, arg_name="body")
@items.output(Upserted)
def put(item_id: str, body: Any) -> Response:
    """Create an item or change what the body names."""
    if not isinstance(body, dict):
        raise InputError("send an object")
    checked_id(item_id, "itemId")
    kith = services()
    written = entities.upsert_items(kith.graph, [{**body, "itemId": item_id}])
    kith.catalogue.expect_change()
    return upserted_one(written)


@items.delete("/v1/items/<item_id>")
@scope("admin")
@items.output({}, status_code=204)
def delete(item_id: str) -> Response:
    """Delete an item and everything that led to it."""
    kith = services()
    if not entities.delete_item(kith.graph, checked_id(item_id, "itemId")):
        raise NotFoundError(f"no item {item_id}")
    kith.catalogue.forget(item_id)
    return nothing()


@items.post("/v1/items:batch")
@scope("ingest")
@items.input(ItemsBody, arg_name="body")
@items.output(Upserted)
def put_many(body: Any) -> Response:
    """Create or change up to 5,000 items in one transaction; each is judged alone."""
    if not isinstance(body, list) or not 1 <= len(body) <= MOST_ENTITIES:
        raise InputError(f"send a list of 1 to {MOST_ENTITIES} items")
    kith = services()
    written = entities.upsert_items(kith.graph, body)
    kith.catalogue.expect_change()
    return upserted_many(written)


@items.get("/v1/items")
@scope("read")
@items.input(ItemsQuery, location="query", arg_name="query")
@items.output(Items)
def find(query: ItemsQuery) -> Response:
    """Find items by words (best first), or list them by id; of a category or tag if given."""
    kith = services()
    asked = [query.q, query.category, query.tag]
    after = None
    if query.cursor is not None:
        content = kith.signer.read(CURSOR, query.cursor)
        if content["asked"] != asked:
            raise InputError(
                "the cursor belongs to another question", [{"pointer": "/cursor", "detail": "other query"}]
            )
        after = content["after"]
    found = queries.find_items(
        kith.graph, words=query.q, category=query.category, tag=query.tag, after=after, limit=query.limit
    )
    cursor = None
    if len(found) == query.limit:
        after = int(after or 0) + len(found) if query.q is not None else found[-1]["itemId"]
        cursor = kith.signer.sign(CURSOR, {"asked": asked, "after": after})
    return answer({"items": found, "cursor": cursor})


@items.get("/v1/items/<item_id>/similar")
@scope("read")
@items.input(LimitQuery, location="query", arg_name="query")
@items.output(SimilarItems)
def similar(item_id: str, query: LimitQuery) -> Response:
    """List items like an item; one newer than the version is placed by its attributes."""
    return answer(similar_items(services(), checked_id(item_id, "itemId"), query.limit))


@items.get("/v1/items/<item_id>/audience")
@scope("read")
@items.input(AudienceQuery, location="query", arg_name="query")
@items.output(Audience)
def item_audience(item_id: str, query: AudienceQuery) -> Response:
    """List whom to show an item to: by their interest, and by whom they would reach who has not met it.

    `influence` (0 to 1) is how probable it is held that who acts on the item shares it; 0 ranks by interest alone. A
    cursor is good for the version that it came from; 409 when another one has been published since.
    """
    asked = checked_id(item_id, "itemId")
    return answer(serve(services(), asked, limit=query.limit, weight=query.influence, cursor=query.cursor))
