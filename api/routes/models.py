"""Trained versions: listing and publishing them."""

from __future__ import annotations

import re

from apiflask import APIBlueprint
from flask import Response

from api.answers import answer, jsonable
from api.keyring import scope
from api.routes.jobs import accepted
from api.services import services
from api.shapes.jobs import Job, Models
from graph import jobs as records
from graph import publication
from graph.errors import NotFoundError

models = APIBlueprint("models", __name__, tag="models")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""A name that cannot lead out of the folder of models."""


@models.get("/v1/models")
@scope("read")
@models.output(Models)
def list_models() -> Response:
    """List the trained versions, newest first, and say which is live."""
    graph = services().graph
    return answer(jsonable({"published": publication.published(graph), "models": publication.list_models(graph)}))


@models.post("/v1/models/<string:version>:publish")
@scope("admin")
@models.output(Job, status_code=202)
def publish(version: str) -> Response:
    """Ask for an older or newer version to be published under the next sequence number. Follow it at `Location`."""
    kith = services()
    known = VERSION.fullmatch(version) and (
        (kith.settings.artifacts / version).is_dir()
        or any(each["modelVersion"] == version for each in publication.list_models(kith.graph))
    )
    if not known:
        raise NotFoundError(f"no model {version}")
    return accepted(kith, records.create(kith.graph, "publish", {"modelVersion": version}))
