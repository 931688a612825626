"""One publication job: a version that was trained before becomes the live one, under the next sequence number."""

from __future__ import annotations

from typing import Any

from engine.artifact import read_artifact
from graph.canonical import finish_canonical
from graph.connection import Graph
from graph.errors import NotFoundError
from graph.jobs import Claim
from graph.promotion import promote
from graph.publication import published, rollback, was_published
from graph.settings import Settings
from workers.watch import Watch


def publish_version(graph: Graph, settings: Settings, claim: Claim, watch: Watch) -> dict[str, Any]:
    """Publish the version that the job names; nothing happens when it is the live one.

    Raises:
        JobStopped: someone asked for it, or another worker has the job.
        HeldBackError: it was never published and is worse than the published one.
        NotFoundError: there is no such version on this machine.
        EngineError, GraphError: its folder is damaged; the graph refused.
    """
    wanted = claim.options["modelVersion"]
    watch.report(0.0, "publish", wanted)

    def tell(fraction: float, doing: str) -> None:
        watch.report(fraction, "publish", doing)

    now = published(graph)
    if now is None or now["modelVersion"] != wanted:
        if was_published(graph, wanted):
            rollback(graph, settings, wanted, job_fence=claim, progress=tell)
        elif (settings.artifacts / wanted).is_dir():
            artifact = read_artifact(settings.artifacts / wanted)
            promote(graph, settings, artifact, force=bool(claim.options.get("force")), job_fence=claim, progress=tell)
        else:
            raise NotFoundError(f"there is no model {wanted} on this machine")
        now = published(graph)
    elif not now["canonical"]:
        # A publisher died after the flip, in the middle of the copy.
        finish_canonical(graph, lambda fraction: tell(fraction, "copying for analysts"))
    return {"modelVersion": wanted, "publicationSeq": now["publicationSeq"] if now else None}
