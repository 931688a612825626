"""Trained versions: listing and publishing them."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from api.answers import answer, checked_id, jsonable
from api.keyring import scope
from api.routes.jobs import accepted
from api.services import services
from api.shapes.jobs import Job, Models
from graph import jobs as records
from graph import publication
from graph.errors import NotFoundError

models = APIBlueprint("models", __name__, tag="models")


@models.get("/v1/models")
@scope("read")
@models.output(Models)
def list_models() -> Response:
    """List the trained versions, newest first, and say which is live."""
    graph = services().graph
    return answer(jsonable({"published": publication.published(graph), "models": publication.list_models(graph)}))


@models.post("/v1/models/<version>:publish")
@scope("admin")
@models.output(Job, status_code=202)
def publish(version: str) -> Response:
    """Ask for an older or newer version to be published under the next sequence number. Follow it at `Location`."""
    kith = services()
    checked_id(version, "modelVersion")
    if version not in {each["modelVersion"] for each in publication.list_models(kith.graph)}:
        raise NotFoundError(f"no model {version}")
    return accepted(kith, records.create(kith.graph, "publish", {"modelVersion": version}))
