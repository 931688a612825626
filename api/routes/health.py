"""Whether the process runs and whether it can answer: /live, /ready."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from api.answers import answer
from api.keyring import scope
from api.services import services
from api.shapes.answers import Live, Ready
from graph import queries, schema
from graph.errors import UnavailableError
from workers import queue
from workers.queue import QueueUnavailableError

health = APIBlueprint("health", __name__, tag="health")


@health.get("/live")
@scope("public")
@health.output(Live)
def live() -> Response:
    """Say that the process runs."""
    return answer({"status": "live"})


@health.get("/ready")
@scope("public")
@health.output(Ready)
def ready() -> Response:
    """Say whether requests can be answered: Neo4j is there with the right schema and has planned the larger statements.

    A broker that is down does not stop reads and events, so it is reported and no more.
    """
    kith = services()
    if not kith.is_warm:
        raise UnavailableError("Neo4j still plans the first statements")
    schema.check(kith.graph)
    live_version = queries.published(kith.graph)
    try:
        queue.ping(kith.settings)
        broker = "ready"
    except QueueUnavailableError:
        broker = "unavailable"
    return answer(
        {
            "status": "ready",
            "neo4j": kith.graph.verify(),
            "broker": broker,
            "modelVersion": live_version["modelVersion"] if live_version else None,
        }
    )
