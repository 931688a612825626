"""How shares spread: /v1/spread."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from api.answers import answer
from api.keyring import scope
from api.services import services
from api.shapes.spread import Spread, SpreadQuery
from graph.spread import report
from graph.values import now_ms, time_ms

spread = APIBlueprint("spread", __name__, tag="cascades")


@spread.get("/v1/spread")
@scope("read")
@spread.input(SpreadQuery, location="query", arg_name="query")
@spread.output(Spread)
def get_spread(query: SpreadQuery) -> Response:
    """Tell how shares spread, by item, channel, campaign or day.

    K-factor, reproduction number, viral cycle time, amplification and conversion rate of the shares from `since` up to
    `until` (default: the last 30 days).
    """
    found = report(
        services().graph,
        by=query.by,
        now_ms=now_ms(),
        since_ms=None if query.since is None else time_ms(query.since),
        until_ms=None if query.until is None else time_ms(query.until),
        item_id=query.item_id,
        campaign_id=query.campaign_id,
        channel=query.channel,
        maturity_s=query.maturity_s,
        limit=query.limit,
    )
    return answer(found)
