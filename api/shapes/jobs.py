"""Jobs and models: what is asked and answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from api.shapes.parts import Answer, Identifier, Strict, Time
from graph.values import INT64_MAX


class Subgraph(Strict):
    """A part of the graph to train on; all of it when nothing is named."""

    since: Time | None = None
    category: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    community: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    seeds: Annotated[list[Identifier], Field(max_length=10_000, default_factory=list)]
    hops: Annotated[int, Field(ge=0, le=5)] = 1


class TrainingBody(Strict):
    """What to train on and how."""

    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    epochs: Annotated[int, Field(ge=1, le=1_000)] | None = None
    force: Annotated[bool, Field(description="Publish the version also if it is worse than the published one.")] = False
    incremental: Annotated[
        bool,
        Field(
            description="Go on from the published version: a few steps on the graph of now. A full training is made "
            "instead where too many incremental ones have followed the last."
        ),
    ] = False
    subgraph: Subgraph = Subgraph()

    def options(self) -> dict[str, Any]:
        """Return the options of the job."""
        return self.model_dump()


class PublishBody(Strict):
    """How to publish a version."""

    force: Annotated[bool, Field(description="Publish it also if it is worse than the published one.")] = False


class Job(Answer):
    """A job as the graph knows it."""

    job_id: str
    kind: str
    state: Literal["queued", "running", "done", "held", "failed", "cancelled"]
    stage: str
    progress: Annotated[float, Field(ge=0, le=1)]
    message: str | None
    options: dict[str, Any] | None
    attempts: Annotated[int, Field(ge=0, le=INT64_MAX)]
    cancel_requested: bool
    result: dict[str, Any] | None
    error: str | None
    worker: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None


class Version(Answer):
    """What every answer about a trained version says."""

    model_version: str
    snapshot_id: str
    code_version: str
    trained_at: str
    published_at: str | None
    held_at: Annotated[str | None, Field(description="When it was last compared and not published.")]
    publication_seq: Annotated[int, Field(ge=0, le=INT64_MAX)] | None
    live: bool
    held_back: Annotated[bool, Field(description="It was never published: it is worse than what was.")]
    in_slot: bool
    comparison: Annotated[dict[str, Any] | None, Field(description="With the version that was published then.")]


class VersionSummary(Version):
    """A trained version in a list."""

    summary: dict[str, Any]


class VersionCard(Version):
    """A trained version with its model card, at most 65,536 bytes of JSON."""

    card: dict[str, Any]


class Models(Answer):
    """Trained versions, newest first, and the live one."""

    published: dict[str, Any] | None
    models: list[VersionSummary]
