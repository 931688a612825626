"""What happened: POST /v1/events."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from api.answers import answer
from api.errors import problem
from api.keyring import scope
from api.services import services
from api.shapes.bodies import EventsBody
from api.shapes.events import MOST_EVENTS, EventsAnswer
from graph import events as ledger
from graph.errors import InputError

EVENT_S = 0.01
"""What each event adds to the time that a request may take: fifty times what it usually takes."""

events = APIBlueprint("events", __name__, tag="events")


@events.post("/v1/events")
@scope("ingest")
@events.input(EventsBody, arg_name="body")
@events.output(EventsAnswer, status_code=202)
def ingest(body: Any) -> Response:
    """Take events: each is judged alone, the good ones are written in one transaction.

    202 when at least one was accepted or is a duplicate, else 422 with the same list. An event that is sent again
    with the same body changes nothing; its id with another body is refused.
    """
    given = body if isinstance(body, list) else [body]
    if not 1 <= len(given) <= MOST_EVENTS:
        raise InputError(f"send 1 to {MOST_EVENTS} events")
    kith = services()
    with kith.writing(len(given)):
        outcome = ledger.ingest(kith.within(EVENT_S * len(given)), kith.settings, given)
    content = {
        "accepted": outcome.accepted,
        "duplicates": outcome.duplicates,
        "rejected": [{"index": each.index, "problem": each.problem} for each in outcome.rejected],
    }
    if outcome.accepted or outcome.duplicates:
        return answer(content, 202)
    return problem(422, "no event was accepted", **content)
