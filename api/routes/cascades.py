"""Where shares spread: /v1/cascades."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, request

from api.answers import answer, checked_id
from api.cascade_events import CascadeEvents
from api.keyring import credential, scope
from api.services import services
from api.shapes.cascades import Cascade, CascadeQuery, Cascades, CascadesQuery, StreamQuery
from api.streams import MEDIA_TYPE
from graph import cascade_reads
from graph.errors import ConflictError
from graph.values import now_ms

cascades = APIBlueprint("cascades", __name__, tag="cascades")
CURSOR = "cascades"


@cascades.get("/v1/cascades")
@scope("read")
@cascades.input(CascadesQuery, location="query", arg_name="query")
@cascades.output(Cascades)
def list_cascades(query: CascadesQuery) -> Response:
    """List cascades, page by page, those first in which most was shared lately.

    `active` (the default): only those in which something was shared within a day.
    """
    kith = services()
    asked = [query.active, query.item_id, query.campaign_id]
    after = None
    if query.cursor is not None:
        place = kith.signer.read(CURSOR, query.cursor)
        if place["asked"] != asked:
            raise ConflictError("the cursor belongs to another question")
        after = (place["growth"], place["shareId"])
    rows = cascade_reads.growing(
        kith.graph,
        now_ms=now_ms(),
        limit=query.limit,
        active=query.active,
        item_id=query.item_id,
        campaign_id=query.campaign_id,
        after=after,
    )
    cursor = None
    if len(rows) == query.limit:
        last = {"growth": rows[-1]["growth"], "shareId": rows[-1]["shareId"]}
        cursor = kith.signer.sign(CURSOR, {"asked": asked, **last})
    return answer({"cascades": rows, "cursor": cursor})


@cascades.get("/v1/cascades/<share_id>")
@scope("read")
@cascades.input(CascadeQuery, location="query", arg_name="query")
@cascades.output(Cascade)
def get_cascade(share_id: str, query: CascadeQuery) -> Response:
    """Tell a cascade's numbers and its tree, by any of its shares; numbers are a second behind the events at most."""
    kith = services()
    found = cascade_reads.cascade(kith.graph, checked_id(share_id, "shareId"), now_ms=now_ms(), limit=query.limit)
    return answer(found)


@cascades.get("/v1/cascades/<share_id>/stream")
@scope("read", session=True)
@cascades.input(StreamQuery, location="query", arg_name="query")
@cascades.doc(responses={200: {"description": "Server-sent events", "content": {MEDIA_TYPE: {}}}})
def stream_cascade(share_id: str, query: StreamQuery) -> Response:
    """Tell a cascade while it grows, as server-sent events (docs/cascades.md).

    `cascade` holds the numbers and the tree, `change` the numbers and the shares that are new, changed or gone. Who
    comes again with the id of the last event, as `Last-Event-ID` or as `lastEventId`, hears only what is news.
    """
    kith = services()
    text = credential(request, session=True)

    def may_read() -> bool:
        key = kith.keyring.find(kith.graph, text)
        return key is not None and key.allows("read")

    last_id = request.headers.get("Last-Event-ID") or query.last_event_id
    told = CascadeEvents(kith.watch, checked_id(share_id, "shareId"), last_id, may_read, kith.ending)
    return kith.streams.begin(told)
