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
    subgraph: Subgraph = Subgraph()

    def options(self) -> dict[str, Any]:
        """Return the options of the job."""
        return self.model_dump()


class Job(Answer):
    """A job as the graph knows it."""

    job_id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
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


class Models(Answer):
    """Trained versions, newest first, and the live one."""

    published: dict[str, Any] | None
    models: list[dict[str, Any]]
