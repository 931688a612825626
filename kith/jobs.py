"""Following a job from the terminal until it has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kith.terminal import progress

if TYPE_CHECKING:
    from graph.connection import Graph

ENDED = ("done", "held", "failed", "cancelled")
POLL_S = 0.5


def why_ended(job: dict[str, Any]) -> str:
    """Return why a job ended in another state than `done`."""
    return (job.get("message") if job["state"] == "held" else job.get("error")) or ""


def follow(graph: Graph, job_id: str) -> dict[str, Any]:
    """Show the job's stages until it has ended and return it; Ctrl-C asks the job to stop.

    Raises:
        KeyboardInterrupt: after cancellation has been asked for.
    """
    from graph import jobs

    try:
        with progress("job") as show:
            while True:
                job = jobs.get(graph, job_id)
                if job.get("stage"):
                    doing = f"{job['stage']}: {job.get('message') or ''}".rstrip(": ")
                    show("percent", int(100 * (job.get("progress") or 0)), 100, doing)
                if job["state"] in ENDED:
                    return job
                time.sleep(POLL_S)
    except KeyboardInterrupt:
        jobs.request_cancel(graph, job_id)
        raise
