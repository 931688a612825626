"""Jobs in the graph: the queue is only a hint, the `:KithJob` record decides who works and what counts.

A worker claims a job under a lease and a fencing number. The same job delivered twice runs once; a worker that was
away too long finds its fence lost (ConflictError) and can write nothing more.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import orjson

from graph.connection import Graph, Transaction
from graph.errors import ConflictError, NotFoundError

MAX_ATTEMPTS = 3
"""A job that was taken this often and never ended is failed: a dead letter."""
STATES = ("queued", "running", "done", "held", "failed", "cancelled")
"""`held`: the version was trained and is not published, because it is worse than the published one."""
TEXT_LIMIT = 2000
"""Longest message or error kept, characters."""
BATCH_LIMIT = 1000

Job = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a job until the lease ends; pass it to whatever writes for the job."""

    job_id: str
    kind: str
    options: dict[str, Any]
    fence: int
    attempts: int
    lease_s: float


def create(graph: Graph, kind: str, options: dict[str, Any], job_id: str | None = None) -> Job:
    """Record a job as queued and return it; a given `job_id` that exists keeps the job it has."""
    job_id = job_id or uuid.uuid4().hex
    graph.write("jobs.create", job_id=job_id, kind=kind, options=orjson.dumps(options).decode())
    return get(graph, job_id)


def claim(graph: Graph, job_id: str, worker: str, lease_s: float) -> Claim | None:
    """Take the job for `lease_s` seconds; None when it is over, unknown or in the hands of a live worker.

    A job asked to be cancelled is cancelled here; one taken `MAX_ATTEMPTS` times already is failed.
    """

    def work(tx: Transaction) -> Claim | None:
        if not tx.run("jobs.lock", job_id=job_id):
            return None
        job = tx.run("jobs.read_claimable", job_id=job_id)[0]
        if job["state"] not in ("queued", "running") or (job["state"] == "running" and job["leased"]):
            return None
        if job["cancelRequested"]:
            tx.run("jobs.end", job_id=job_id, state="cancelled", error=None)
            return None
        if job["attempts"] >= MAX_ATTEMPTS:
            error = f"given up: {MAX_ATTEMPTS} workers took this job and none finished it"
            tx.run("jobs.end", job_id=job_id, state="failed", error=error)
            return None
        row = tx.run("jobs.take", job_id=job_id, worker=worker, lease_ms=int(lease_s * 1000))[0]
        return Claim(job_id, row["kind"], orjson.loads(row["options"]), row["fence"], row["attempts"], lease_s)

    return graph.transaction(work)


def heartbeat(graph: Graph, claim: Claim) -> bool:
    """Extend the lease; return whether the job was asked to be cancelled.

    Raises:
        ConflictError: the lease is lost.
    """
    rows = graph.write("jobs.renew", job_id=claim.job_id, fence=claim.fence, lease_ms=int(claim.lease_s * 1000))
    return _held(claim, rows)


def progress(graph: Graph, claim: Claim, fraction: float, stage: str, message: str = "") -> bool:
    """Record how far the job is (`fraction` in [0, 1]) and extend the lease; return whether to stop.

    Raises:
        ConflictError: the lease is lost.
    """
    rows = graph.write(
        "jobs.report",
        job_id=claim.job_id,
        fence=claim.fence,
        lease_ms=int(claim.lease_s * 1000),
        progress=min(max(fraction, 0.0), 1.0),
        stage=stage,
        message=message[:TEXT_LIMIT],
    )
    return _held(claim, rows)


def check_fence(tx: Transaction, claim: Claim) -> None:
    """Make sure, inside the transaction of an effect, that the job is still this worker's; keeps its lock to the end.

    Raises:
        ConflictError: the lease is lost.
    """
    tx.run("jobs.lock", job_id=claim.job_id)
    _held(claim, tx.run("jobs.check_fence", job_id=claim.job_id, fence=claim.fence))


def forfeit(graph: Graph, job_id: str, worker: str) -> None:
    """End the lease of a worker that is known to be dead; nothing happens if the job is another's already."""
    graph.write_many([("jobs.lock", {"job_id": job_id}), ("jobs.forfeit", {"job_id": job_id, "worker": worker})])


def finish(graph: Graph, claim: Claim, result: dict[str, Any]) -> None:
    """End the job as done.

    Raises:
        ConflictError: the lease is lost.
    """
    _close(graph, claim, "done", result=orjson.dumps(result, option=orjson.OPT_SERIALIZE_NUMPY).decode())


def hold(graph: Graph, claim: Claim, result: dict[str, Any], message: str) -> None:
    """End the job whose version is held back; `message` says why.

    Raises:
        ConflictError: the lease is lost.
    """
    told = orjson.dumps(result, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    _close(graph, claim, "held", result=told, message=message[:TEXT_LIMIT])


def fail(graph: Graph, claim: Claim, error: str) -> None:
    """End the job as failed; `error` is shown to whoever asked for it.

    Raises:
        ConflictError: the lease is lost.
    """
    _close(graph, claim, "failed", error=error[:TEXT_LIMIT])


def cancelled(graph: Graph, claim: Claim) -> None:
    """End the job as cancelled.

    Raises:
        ConflictError: the lease is lost.
    """
    _close(graph, claim, "cancelled")


def release(graph: Graph, claim: Claim, message: str) -> None:
    """Hand the job back to the queue after a failure that may pass; the attempt counts.

    Raises:
        ConflictError: the lease is lost.
    """
    _held(
        claim, graph.write("jobs.release", job_id=claim.job_id, fence=claim.fence, message=message[:TEXT_LIMIT]), False
    )


def request_cancel(graph: Graph, job_id: str) -> Job:
    """Ask the job to stop (a queued one is cancelled at once) and return it; a job that is over stays as it is.

    Raises:
        NotFoundError: there is no such job.
    """
    graph.write_many([("jobs.lock", {"job_id": job_id}), ("jobs.request_cancel", {"job_id": job_id})])
    return get(graph, job_id)


def get(graph: Graph, job_id: str) -> Job:
    """Return the job, keys as in the graph, JSON-able.

    Raises:
        NotFoundError: there is no such job.
    """
    rows = graph.read("jobs.get", job_id=job_id)
    if not rows:
        raise NotFoundError(f"there is no job {job_id}")
    return _parsed(rows[0]["job"])


def list_jobs(graph: Graph, *, kind: str | None = None, state: str | None = None, limit: int = 50) -> list[Job]:
    """Return the newest jobs first, at most `limit` (up to 1,000)."""
    rows = graph.read("jobs.list", kind=kind, state=state, limit=min(limit, BATCH_LIMIT))
    return [_parsed(row["job"]) for row in rows]


def take_stale(graph: Graph, waiting_s: float, limit: int = 100) -> list[Job]:
    """Return jobs (`jobId kind state`) to be enqueued again: queued longer than `waiting_s`, or their lease expired.

    Each is returned at most once per `waiting_s`, also when several sweepers ask.
    """
    return graph.write("jobs.take_stale", waiting_ms=int(waiting_s * 1000), limit=min(limit, BATCH_LIMIT))


def prune(graph: Graph, days: int) -> int:
    """Remove jobs that ended more than `days` ago and return how many, at most 1,000 at a time."""
    return graph.write("jobs.prune", days=days, limit=BATCH_LIMIT)[0]["removed"]


def _close(
    graph: Graph,
    claim: Claim,
    state: str,
    *,
    result: str | None = None,
    error: str | None = None,
    message: str | None = None,
) -> None:
    ended = {"state": state, "result": result, "error": error, "message": message}
    _held(claim, graph.write("jobs.close", job_id=claim.job_id, fence=claim.fence, **ended), False)


def _held(claim: Claim, rows: list[dict[str, Any]], flag: bool = True) -> bool:
    if not rows:
        raise ConflictError(f"job {claim.job_id} is no longer this worker's (fence {claim.fence} is lost)")
    return bool(flag and rows[0]["cancelRequested"])


def _parsed(job: Job) -> Job:
    parsed = {key: orjson.loads(job[key]) if job.get(key) else None for key in ("options", "result")}
    return {**job, **parsed}
