"""Plans of campaigns: asked for as a job of their own queue, waited for a little while."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final

from api.services import Services
from graph import campaigns, monitor
from graph import jobs as records
from graph.errors import InputError, UnavailableError
from graph.plan_request import PlanRequest
from workers import queue
from workers.queue import QueueUnavailableError

log = logging.getLogger("kith.api")

Job = dict[str, Any]

LONGEST_WAIT_S: Final = 10.0
POLL_S: Final = 0.1
WAITERS: Final = 2
"""Requests that one process keeps waiting for plans at a time; more are answered at once, with their job."""
MOST_QUEUED: Final = 50
"""Plans that may wait for their turn; one more gets a 503."""
OVER: Final = ("done", "failed", "cancelled")

_waiting = threading.BoundedSemaphore(WAITERS)


def ask(services: Services, request: PlanRequest) -> Job:
    """Record a plan as a job and tell the planning worker; none waits when the broker does not take it.

    Raises:
        InputError, NotFoundError, ConflictError: as `graph.campaigns.check`.
        UnavailableError: too many plans wait already.
        QueueUnavailableError: the broker does not answer.
    """
    campaigns.check(services.graph, request)
    counts = monitor.job_counts(services.graph, timeout_s=services.settings.read_timeout_s)
    if sum(row["jobs"] for row in counts if row["kind"] == "plan" and row["state"] == "queued") >= MOST_QUEUED:
        raise UnavailableError("too many plans wait for their turn")
    queue.ping(services.settings)
    job = records.create(services.graph, "plan", request.to_json())
    try:
        queue.enqueue_plan(services.settings, job["jobId"])
    except QueueUnavailableError:
        records.request_cancel(services.graph, job["jobId"])
        raise
    return job


def wait_for(services: Services, job: Job, wait_s: float) -> Job:
    """Return the job when it is over, or as it is after `wait_s` seconds.

    Raises:
        InputError: the plan cannot be made; says why.
    """
    deadline = time.monotonic() + min(wait_s, LONGEST_WAIT_S)
    if wait_s > 0 and _waiting.acquire(blocking=False):
        try:
            while job["state"] not in OVER and time.monotonic() < deadline and not services.ending.is_set():
                time.sleep(POLL_S)
                job = records.get(services.graph, job["jobId"])
        finally:
            _waiting.release()
    if job["state"] == "failed":
        raise InputError(f"the plan cannot be made: {job['error']}")
    return job
