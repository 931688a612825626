"""Where shares spread: /v1/cascades."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from api.answers import answer, checked_id
from api.keyring import scope
from api.services import services
from api.shapes.cascades import Cascade, CascadeQuery, Cascades, CascadesQuery
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
