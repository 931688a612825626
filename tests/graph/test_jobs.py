"""A job takes effect once: claims, fences, leases, cancelling, the sweeper."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from graph import jobs
from graph.connection import Graph
from graph.errors import ConflictError, NotFoundError


def test_a_job_lives_from_queue_to_result(graph: Graph) -> None:
    job = jobs.create(graph, "train", {"epochs": 3, "since": None})
    assert (job["state"], job["options"], job["attempts"]) == ("queued", {"epochs": 3, "since": None}, 0)
    claim = jobs.claim(graph, job["jobId"], "w1", lease_s=30)
    assert claim is not None
    assert (claim.kind, claim.options, claim.fence, claim.attempts) == ("train", {"epochs": 3, "since": None}, 1, 1)
    assert jobs.progress(graph, claim, 0.25, "training", "epoch 1 of 4") is False
    seen = jobs.get(graph, job["jobId"])
    assert (seen["state"], seen["progress"], seen["stage"], seen["message"]) == (
        "running",
        0.25,
        "training",
        "epoch 1 of 4",
    )
    jobs.finish(graph, claim, {"modelVersion": "m1"})
    seen = jobs.get(graph, job["jobId"])
    assert (seen["state"], seen["progress"], seen["result"]) == ("done", 1.0, {"modelVersion": "m1"})
    assert seen["finishedAt"].endswith("Z")


def test_delivered_twice_it_runs_once(graph: Graph) -> None:
    job_id = jobs.create(graph, "train", {})["jobId"]
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda n: jobs.claim(graph, job_id, f"w{n}", 30), range(8)))
    won = [claim for claim in claims if claim is not None]
    assert len(won) == 1
    jobs.finish(graph, won[0], {})
    assert jobs.claim(graph, job_id, "late", 30) is None


def test_creating_the_same_id_again_keeps_the_job(graph: Graph) -> None:
    job_id = uuid.uuid4().hex
    jobs.create(graph, "train", {"n": 1}, job_id)
    jobs.claim(graph, job_id, "w", 30)
    again = jobs.create(graph, "train", {"n": 2}, job_id)
    assert (again["state"], again["options"]) == ("running", {"n": 1})


def test_an_expired_lease_goes_to_the_next_worker_and_the_old_one_can_write_nothing(graph: Graph) -> None:
    job_id = jobs.create(graph, "train", {})["jobId"]
    old = jobs.claim(graph, job_id, "old", lease_s=0.2)
    assert old is not None
    assert jobs.claim(graph, job_id, "new", 30) is None
    time.sleep(0.4)
    new = jobs.claim(graph, job_id, "new", 30)
    assert new is not None
    assert new.fence == old.fence + 1
    for late in (
        lambda: jobs.heartbeat(graph, old),
        lambda: jobs.progress(graph, old, 0.9, "training"),
        lambda: jobs.finish(graph, old, {}),
        lambda: jobs.fail(graph, old, "x"),
        lambda: jobs.cancelled(graph, old),
        lambda: jobs.release(graph, old, "x"),
        lambda: graph.transaction(lambda tx: jobs.check_fence(tx, old)),
    ):
        with pytest.raises(ConflictError):
            late()
    assert jobs.heartbeat(graph, new) is False
    graph.transaction(lambda tx: jobs.check_fence(tx, new))
    assert jobs.get(graph, job_id)["worker"] == "new"


def test_heartbeats_keep_the_lease(graph: Graph) -> None:
    job_id = jobs.create(graph, "train", {})["jobId"]
    claim = jobs.claim(graph, job_id, "w", lease_s=0.6)
    assert claim is not None
    for _ in range(4):
        time.sleep(0.3)
        jobs.heartbeat(graph, claim)
        assert jobs.claim(graph, job_id, "other", 30) is None


def test_three_workers_that_vanish_make_a_dead_letter(graph: Graph) -> None:
    job_id = jobs.create(graph, "train", {})["jobId"]
    for attempt in (1, 2, 3):
        claim = jobs.claim(graph, job_id, "w", lease_s=0.05)
        assert claim is not None
        assert claim.attempts == attempt
        time.sleep(0.1)
    assert jobs.claim(graph, job_id, "w", 30) is None
    job = jobs.get(graph, job_id)
    assert job["state"] == "failed"
    assert "3 workers" in job["error"]


def test_release_counts_the_attempt(graph: Graph) -> None:
    job_id = jobs.create(graph, "train", {})["jobId"]
    for _ in range(3):
        claim = jobs.claim(graph, job_id, "w", 30)
        assert claim is not None
        jobs.release(graph, claim, "Neo4j was away")
        assert jobs.get(graph, job_id)["state"] == "queued"
    assert jobs.claim(graph, job_id, "w", 30) is None
    assert jobs.get(graph, job_id)["state"] == "failed"


def test_cancelling(graph: Graph) -> None:
    queued = jobs.create(graph, "train", {})["jobId"]
    assert jobs.request_cancel(graph, queued)["state"] == "cancelled"
    assert jobs.claim(graph, queued, "w", 30) is None

    running = jobs.create(graph, "train", {})["jobId"]
    claim = jobs.claim(graph, running, "w", 30)
    assert claim is not None
    assert jobs.request_cancel(graph, running)["state"] == "running"
    assert jobs.heartbeat(graph, claim) is True
    assert jobs.progress(graph, claim, 0.5, "training") is True
    jobs.cancelled(graph, claim)
    assert jobs.get(graph, running)["state"] == "cancelled"
    assert jobs.request_cancel(graph, running)["state"] == "cancelled"

    vanished = jobs.create(graph, "train", {})["jobId"]
    assert jobs.claim(graph, vanished, "w", lease_s=0.05) is not None
    jobs.request_cancel(graph, vanished)
    time.sleep(0.1)
    assert jobs.claim(graph, vanished, "w2", 30) is None
    assert jobs.get(graph, vanished)["state"] == "cancelled"


def test_the_sweeper_takes_what_waits_and_what_was_left_once_per_waiting_time(graph: Graph) -> None:
    for job in jobs.list_jobs(graph, limit=1000):
        jobs.request_cancel(graph, job["jobId"])
    waiting = jobs.create(graph, "train", {})["jobId"]
    left = jobs.create(graph, "publish", {})["jobId"]
    held = jobs.create(graph, "publish", {})["jobId"]
    assert jobs.claim(graph, left, "w", lease_s=0.05) is not None
    assert jobs.claim(graph, held, "w", lease_s=30) is not None
    time.sleep(0.3)
    mine = {waiting, left, held}
    assert {job["jobId"] for job in jobs.take_stale(graph, waiting_s=0.2)} & mine == {waiting, left}
    assert {job["jobId"] for job in jobs.take_stale(graph, waiting_s=0.2)} & mine == set()
    time.sleep(0.3)
    assert {job["jobId"] for job in jobs.take_stale(graph, waiting_s=0.2)} & mine == {waiting, left}


def test_listing_and_pruning(graph: Graph) -> None:
    kind = f"k{uuid.uuid4().hex}"
    ids = [jobs.create(graph, kind, {})["jobId"] for _ in range(3)]
    assert [job["jobId"] for job in jobs.list_jobs(graph, kind=kind)] == ids[::-1]
    jobs.request_cancel(graph, ids[0])
    assert [job["jobId"] for job in jobs.list_jobs(graph, kind=kind, state="cancelled")] == [ids[0]]
    assert jobs.prune(graph, days=1) == 0
    assert jobs.prune(graph, days=0) >= 1
    with pytest.raises(NotFoundError):
        jobs.get(graph, ids[0])
    assert jobs.get(graph, ids[1])["state"] == "queued"


def test_a_finished_job_keeps_numbers_that_are_not_finite_out_of_its_json(graph: Graph) -> None:
    claim = jobs.claim(graph, jobs.create(graph, "train", {})["jobId"], "w", 30)
    assert claim is not None
    jobs.finish(graph, claim, {"loss": float("nan"), "recall": 0.5})
    assert jobs.get(graph, claim.job_id)["result"] == {"loss": None, "recall": 0.5}
