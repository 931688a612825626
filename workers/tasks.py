"""The tasks, thin: take the job, do it, say how it ended. Imported by the workers only; `workers.queue` sends by name.

A message says only which job; the job's record decides. Whoever cannot claim it lets the message go, so a job that is
delivered twice takes effect once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from engine.errors import EngineError
from graph import alerts, jobs, logs, monitor, pending
from graph.canonical import finish_canonical
from graph.connection import Graph
from graph.errors import ConflictError, GraphError, HeldBackError
from graph.jobs import Claim
from graph.publication import published, sweep_artifacts
from graph.settings import Settings
from workers import alive, process, queue
from workers.app import app
from workers.child import ChildFailedError
from workers.publishing import publish_version
from workers.queue import QueueUnavailableError
from workers.training import train_and_publish
from workers.watch import LEASE_S, JobStopped, Watch

log = logging.getLogger("kith.workers")

WAITED_S = 20.0
"""A job that is queued for longer is sent again by the sweeper."""
COUNT_TIMEOUT_S = 5.0
KEPT_DAYS = 30
CLAIM_POLL_S = 1.0

Work = Callable[[Graph, Settings, Claim, Watch], dict[str, Any]]


@app.task(name=queue.TRAIN)
def train_job(job_id: str) -> None:
    """Export, train, publish: one job."""
    _run(job_id, train_and_publish)


@app.task(name=queue.PUBLISH)
def publish_job(job_id: str) -> None:
    """Publish a version, older or newer than the live one."""
    _run(job_id, publish_version)


@app.task(name=queue.PLAN)
def plan(job_id: str) -> None:
    """Plan a campaign."""
    from workers.planning import plan_job

    _run(job_id, plan_job)


@app.task(name=queue.SWEEP)
def sweep() -> None:
    """Send again what the queue lost or a dead worker left, and remove what is kept long enough."""
    settings, graph = process.mine()
    try:
        _send_again(graph, settings)
    except QueueUnavailableError as error:
        log.warning("no message for a job that waits: %s", error)
        return
    jobs.prune(graph, KEPT_DAYS)
    if expired := pending.expire(graph, settings.wait_days):
        log.warning("dropped %d events that waited for more than %d days", expired, settings.wait_days)
    alerts.prune(graph)
    sweep_artifacts(graph, settings)
    logs.prune(settings.logs)
    monitor.note_sweep(graph)


@app.task(name=queue.COPY_CANONICAL)
def copy_canonical() -> None:
    """Take up the copy to the analysts' names where a publisher died in the middle of it."""
    _, graph = process.mine()
    live = published(graph)
    if live is not None and not live["canonical"]:
        finish_canonical(graph)


@app.task(name=queue.FORECAST)
def forecast() -> None:
    """Forecast the running cascades that are due."""
    from workers.forecasting import forecast_due

    forecast_due(process.mine()[1])


@app.task(name=queue.KEEP_SERVED)
def keep_served() -> None:
    """Move served lists from the broker into files."""
    from workers.served import keep

    try:
        keep(process.mine()[0])
    except (RedisError, OSError) as error:
        log.warning("served lists wait on the broker: %s", type(error).__name__)


@app.task(name=queue.LEARN_SIZES)
def learn_sizes() -> None:
    """Learn how cascades grow, if a model is due."""
    from workers.forecasting import learn_if_due

    if learned := learn_if_due(process.mine()[1]):
        log.info("%s", learned)


def _send_again(graph: Graph, settings: Settings) -> None:
    """Send what waits too long; a queue that holds a message for each of its jobs has lost none, and is left alone.

    Raises:
        QueueUnavailableError: the broker does not answer.
    """
    surplus, _ = queue.lengths(settings)
    for row in monitor.job_counts(graph, timeout_s=COUNT_TIMEOUT_S):
        if row["state"] == "queued":
            surplus[queue.queue_of(row["kind"])] -= row["jobs"]
    for job in jobs.take_stale(graph, WAITED_S):
        if job["state"] == "running" or surplus[queue.queue_of(job["kind"])] < 0:
            queue.enqueue(settings, job["kind"], job["jobId"])


def _run(job_id: str, work: Work) -> None:
    settings, graph = process.mine()
    claim = _claim(graph, job_id)
    if claim is None:
        return
    began = time.monotonic()
    log.info("%s job begun, attempt %d", claim.kind, claim.attempts, extra={"jobId": job_id})
    try:
        with Watch(graph, claim) as watch:
            result = work(graph, settings, claim, watch)
        jobs.finish(graph, claim, result)
        took_ms = round(1000 * (time.monotonic() - began), 1)
        log.info("%s job done", claim.kind, extra={"jobId": job_id, "durationMs": took_ms})
    except JobStopped as stopped:
        log.info("%s job stopped: %s", claim.kind, stopped.reason, extra={"jobId": job_id})
        if stopped.reason == "cancelled":
            jobs.cancelled(graph, claim)
    except HeldBackError as held:
        _hold(graph, claim, held)
    except (ChildFailedError, EngineError, GraphError, OSError) as error:
        _end_badly(graph, claim, error)
    except Exception as error:
        log.exception("an error of our own in a job", extra={"jobId": job_id})
        _end_badly(graph, claim, error)


def _claim(graph: Graph, job_id: str) -> Claim | None:
    """Take the job; one whose worker has died here is taken at once, else its lease is waited for."""
    deadline = time.monotonic() + LEASE_S + CLAIM_POLL_S
    while True:
        claim = jobs.claim(graph, job_id, alive.name(), LEASE_S)
        if claim is not None:
            return claim
        try:
            job = jobs.get(graph, job_id)
        except GraphError:
            return None
        if job["state"] != "running" or time.monotonic() > deadline:
            return None
        if alive.is_gone(job["worker"]):
            jobs.forfeit(graph, job_id, job["worker"])
        else:
            time.sleep(CLAIM_POLL_S)


def _hold(graph: Graph, claim: Claim, held: HeldBackError) -> None:
    log.info("%s job held its version back", claim.kind, extra={"jobId": claim.job_id})
    try:
        jobs.hold(graph, claim, {"modelVersion": held.model_version, "comparison": held.verdict}, str(held))
    except ConflictError:
        log.info("the job is another worker's now", extra={"jobId": claim.job_id})
    except GraphError as error:
        _end_badly(graph, claim, error)


def _end_badly(graph: Graph, claim: Claim, error: Exception) -> None:
    line = " ".join(str(error).split()) or type(error).__name__
    # Its words stay in the job's record: they may quote what the graph or a file holds.
    log.warning("%s job failed: %s", claim.kind, type(error).__name__, extra={"jobId": claim.job_id})
    try:
        if getattr(error, "retryable", False) and claim.attempts < jobs.MAX_ATTEMPTS:
            jobs.release(graph, claim, f"waits to be tried again: {line}")
        else:
            jobs.fail(graph, claim, line)
    except ConflictError:
        log.info("the job is another worker's now", extra={"jobId": claim.job_id})
