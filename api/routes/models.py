"""Trained versions: listing and publishing them."""

from __future__ import annotations

import re

from apiflask import APIBlueprint
from flask import Response

from api.answers import answer, jsonable
from api.bodies import optional_body
from api.keyring import scope
from api.routes.jobs import accepted
from api.services import services
from api.shapes.jobs import Job, Models, PublishBody, VersionCard
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
    """List the trained versions, newest first, each with a summary of its card, and say which is live."""
    graph = services().graph
    return answer(jsonable({"published": publication.published(graph), "models": publication.list_models(graph)}))


@models.get("/v1/models/<string:version>")
@scope("read")
@models.output(VersionCard)
def get_model(version: str) -> Response:
    """Return a version with its model card: data, choices, metrics on the cut, slices, why it is (not) published."""
    if not VERSION.fullmatch(version):
        raise NotFoundError(f"no model {version}")
    return answer(jsonable(publication.show_model(services().graph, version)))


@models.post("/v1/models/<string:version>:publish")
@optional_body
@scope("admin")
@models.input(PublishBody, arg_name="body")
@models.output(Job, status_code=202)
def publish(version: str, body: PublishBody) -> Response:
    """Ask for an older or newer version to be published under the next sequence number. Follow it at `Location`.

    A version that was never published is compared with the live one first; if it is worse, the job ends as `held`.
    """
    kith = services()
    known = VERSION.fullmatch(version) and (
        (kith.settings.artifacts / version).is_dir() or publication.was_published(kith.graph, version)
    )
    if not known:
        raise NotFoundError(f"no model {version}")
    return accepted(kith, records.create(kith.graph, "publish", {"modelVersion": version, "force": body.force}))
