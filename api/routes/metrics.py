"""What Prometheus reads: /metrics."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.keyring import scope
from api.services import services

metrics = APIBlueprint("metrics", __name__, enable_openapi=False)


@metrics.get("/metrics")
@scope("local")
def show() -> Response:
    """Return every metric in Prometheus's text form; also while Neo4j and the broker are away."""
    kith = services()
    return Response(kith.metrics.render() + kith.state.render(), content_type=CONTENT_TYPE_LATEST)
