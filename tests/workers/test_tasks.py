"""Jobs on real parts: Neo4j, Valkey, a Celery worker and the training child, on a small world."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from api.listing import Asked
from api.recommending import recommend
from api.services import NEAREST, Services
from engine.artifact import read_artifact
from engine.propagation.record import records_at
from engine.propagation.size import fit_sizes
from engine.serving.live import unpacked
from engine.types import REASONS
from engine.world import WorldSettings, generate, write
from graph import cascades, entities, events, jobs, queries, size_model
from graph.connection import Graph
from graph.files import import_folder
from graph.publication import published, show_model
from graph.settings import Settings
from tests.engine.propagation.selfexciting import simulate
from tests.workers.processes import process, until, worker_command
from workers import queue

ENDED = ("done", "held", "failed", "cancelled")
JOB_S = 240.0


@pytest.fixture(scope="module")
def stack(
    settings: Settings, graph: Graph, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """A small world in the graph and one worker of both queues."""
    given = dataclasses.replace(settings, broker_url=broker_url, train_timeout_s=JOB_S)
    folder = tmp_path_factory.mktemp("world")
    write(generate(WorldSettings(users=150, items=60, events=3_000, seed=3)), folder)
    import_folder(graph, given, folder)
    # The export takes what was written more than five seconds ago.
    time.sleep(6)
    with process(worker_command("train,default", children=2), given, given.logs / "worker-test.log"):
        yield given


def ended(graph: Graph, job_id: str, limit_s: float = JOB_S) -> dict[str, Any]:
    until(lambda: jobs.get(graph, job_id)["state"] in ENDED, limit_s)
    return jobs.get(graph, job_id)


def versions(cypher: Any) -> int:
    return cypher("MATCH (p:Published {key: 'live'}) RETURN p.publicationSeq AS seq")[0]["seq"]


def test_a_job_delivered_twice_trains_and_publishes_once(stack: Settings, graph: Graph, cypher: Any) -> None:
    job = jobs.create(graph, "train", {"seed": 1, "epochs": 2})
    queue.enqueue_training(stack, job["jobId"])
    queue.enqueue_training(stack, job["jobId"])
    done = ended(graph, job["jobId"])
    assert done["state"] == "done", done["error"]
    assert done["attempts"] == 1
    live = published(graph)
    assert live is not None
    assert live["modelVersion"] == done["result"]["modelVersion"]
    assert versions(cypher) == 1
    assert (stack.artifacts / live["modelVersion"]).is_dir()
    assert not list(stack.snapshots.iterdir())
    curves = list((stack.logs / "tensorboard" / job["jobId"]).iterdir())
    assert curves
    assert all(b"loss" in file.read_bytes() for file in curves)
    assert not [each for each in stack.artifacts.iterdir() if each.name.startswith(".")]


def test_an_incremental_training_goes_on_from_the_published_version(stack: Settings, graph: Graph) -> None:
    before = published(graph)
    assert before is not None
    job = jobs.create(graph, "train", {"seed": 1, "incremental": True})
    queue.enqueue_training(stack, job["jobId"])
    done = ended(graph, job["jobId"])
    assert done["state"] == "done", done["error"]
    lineage = done["result"]["lineage"]
    assert (lineage["base"], lineage["trainings"], lineage["full"]) == (
        before["modelVersion"],
        1,
        before["modelVersion"],
    )
    shown = show_model(graph, done["result"]["modelVersion"])
    assert (shown["live"], shown["card"]["lineage"]) == (True, lineage)
    ids = read_artifact(stack.artifacts / done["result"]["modelVersion"]).user_ids.tolist()
    assert len(ids) == len(set(ids)) >= 150
    # Back to the version that the other tests begin with.
    back = jobs.create(graph, "publish", {"modelVersion": before["modelVersion"]})
    queue.enqueue_publication(stack, back["jobId"])
    assert ended(graph, back["jobId"])["state"] == "done"


def test_without_a_folder_to_go_on_from_an_incremental_training_says_so(stack: Settings, graph: Graph) -> None:
    live = published(graph)
    assert live is not None
    place = stack.artifacts / live["modelVersion"]
    aside = place.rename(stack.artifacts / f".{live['modelVersion']}")
    job = jobs.create(graph, "train", {"incremental": True})
    queue.enqueue_training(stack, job["jobId"])
    failed = ended(graph, job["jobId"])
    aside.rename(place)
    assert failed["state"] == "failed"
    assert failed["error"].endswith("train in full (without incremental)")
    assert published(graph) == live


def test_a_newcomer_is_embedded_by_the_version_that_was_trained(stack: Settings, graph: Graph, cypher: Any) -> None:
    liked = cypher("MATCH (i:Item) WHERE i.category IS NOT NULL RETURN i.itemId AS id ORDER BY id LIMIT 3")
    entities.upsert_users(graph, stack, [{"userId": "newcomer", "consent": ["personalisation", "sharing"]}])
    at = datetime.now(UTC).isoformat()
    given = [
        {"eventId": f"n{n}", "type": "like", "userId": "newcomer", "itemId": row["id"], "occurredAt": at}
        for n, row in enumerate(liked)
    ]
    assert events.ingest(graph, stack, given).accepted == 3
    services = Services(dataclasses.replace(stack, signing_key="k" * 32))
    live = published(graph)
    assert live is not None
    read = queries.recommendation_inputs(graph, "newcomer", now_s=int(time.time()), timeout_s=60)
    found = services.encoders.rank(live["modelVersion"], read.recent, [], {}, 10)
    assert found is not None
    assert (found.known_by, len(found.items)) == ("history", 10)
    answer = recommend(services, "newcomer", Asked())
    assert (answer["strategy"], len(answer["items"])) == ("inductive", 10)
    # The reasons are those of the version's own ranking, whichever of its scores the small world was best told by.
    whole = services.encoders.rank(live["modelVersion"], read.recent, [], {}, NEAREST)
    assert whole is not None
    own = dict(zip(whole.items, map(unpacked, whole.codes), strict=True))
    named = {row["itemId"]: [r for r in row["reasons"] if r != "recentSimilar"] for row in answer["items"]}
    assert any(named.values())
    assert all(reasons == [REASONS[code] for code in own[item]] for item, reasons in named.items() if reasons)
    assert not {row["itemId"] for row in answer["items"]} & {row["id"] for row in liked}
    item = services.encoders.embed_item(live["modelVersion"], {"category": "whatever", "title": "a new thing"})
    other = services.encoders.example(live["modelVersion"])
    assert other is not None
    assert item is None or len(item) == len(other)
    services.close()


def test_a_job_is_cancelled_in_the_middle_within_seconds(stack: Settings, graph: Graph) -> None:
    before = published(graph)
    job = jobs.create(graph, "train", {"seed": 2})
    queue.enqueue_training(stack, job["jobId"])
    until(lambda: jobs.get(graph, job["jobId"])["stage"] == "train", JOB_S)
    jobs.request_cancel(graph, job["jobId"])
    began = time.monotonic()
    assert ended(graph, job["jobId"])["state"] == "cancelled"
    assert time.monotonic() - began < 20
    assert published(graph) == before


def test_a_training_that_fails_leaves_the_version_and_one_clear_line(stack: Settings, graph: Graph) -> None:
    before = published(graph)
    job = jobs.create(graph, "train", {"subgraph": {"category": "there is no such category"}})
    queue.enqueue_training(stack, job["jobId"])
    failed = ended(graph, job["jobId"])
    assert failed["state"] == "failed"
    assert failed["error"]
    assert "\n" not in failed["error"]
    assert published(graph) == before


def test_a_version_is_published_again_under_the_next_number(stack: Settings, graph: Graph, cypher: Any) -> None:
    first = published(graph)
    assert first is not None
    job = jobs.create(graph, "train", {"seed": 5, "epochs": 1})
    queue.enqueue_training(stack, job["jobId"])
    assert ended(graph, job["jobId"])["state"] == "done"
    back = jobs.create(graph, "publish", {"modelVersion": first["modelVersion"]})
    queue.enqueue_publication(stack, back["jobId"])
    done = ended(graph, back["jobId"])
    assert done["state"] == "done", done["error"]
    live = published(graph)
    assert live is not None
    assert live["modelVersion"] == first["modelVersion"]
    assert versions(cypher) == 5


def test_publishing_what_is_not_there_fails_with_its_name(stack: Settings, graph: Graph) -> None:
    job = jobs.create(graph, "publish", {"modelVersion": "no-such-version"})
    queue.enqueue_publication(stack, job["jobId"])
    failed = ended(graph, job["jobId"])
    assert failed["state"] == "failed"
    assert "no-such-version" in failed["error"]


def test_the_sweeper_sends_what_the_queue_never_got(stack: Settings, graph: Graph, cypher: Any) -> None:
    live = published(graph)
    assert live is not None
    job = jobs.create(graph, "publish", {"modelVersion": live["modelVersion"]})
    cypher(
        "MATCH (j:KithJob {jobId: $id}) SET j.enqueuedAt = datetime.realtime() - duration({minutes: 5})",
        id=job["jobId"],
    )
    queue.enqueue_sweep(stack)
    assert ended(graph, job["jobId"], 60)["state"] == "done"


def test_learning_and_forecasts_are_tasks_of_the_default_worker(stack: Settings, graph: Graph, cypher: Any) -> None:
    cypher("MATCH (m:KithSizeModel) DELETE m")
    queue.enqueue_learning(stack)
    until(lambda: size_model.tried(graph).tried_ms is not None, 120)
    # A model of another shop, learned a day ago; then something is shared here.
    past = simulate(80, seed=0)[0]
    model = fit_sizes(past, past.end_s + 86_400, windows_s=(3_600.0,))
    assert model is not None
    cypher("MATCH (m:KithSizeModel) DELETE m")
    size_model.keep(graph, model, records_at(past, 0.0), cascades=80, shares=1, tried_ms=int(1000 * time.time()))
    now = datetime.now(UTC).isoformat()
    shared = {"eventId": "now1", "type": "share", "userId": "ann", "itemId": "tea", "occurredAt": now}
    assert events.ingest(graph, stack, [shared]).accepted == 1
    while cascades.count(graph, stack):
        pass
    with process(["celery", "--quiet", "-A", "workers.app:app", "beat"], stack, stack.logs / "beat-test.log"):
        until(lambda: bool(cypher("MATCH (s:Share {shareId: 'now1'}) WHERE s.forecastSize >= 1 RETURN s")), 60)


def test_a_job_whose_workers_always_die_is_failed_after_three(stack: Settings, graph: Graph, cypher: Any) -> None:
    job = jobs.create(graph, "publish", {"modelVersion": "x"})
    cypher(
        "MATCH (j:KithJob {jobId: $id}) SET j.state = 'running', j.attempts = 3, j.fence = 3, "
        "j.leaseUntil = datetime.realtime() - duration({seconds: 1})",
        id=job["jobId"],
    )
    queue.enqueue_publication(stack, job["jobId"])
    failed = ended(graph, job["jobId"], 60)
    assert failed["state"] == "failed"
    assert "given up" in failed["error"]


def test_the_worker_parent_log_shows_no_traceback(stack: Settings) -> None:
    text = Path(stack.logs / "worker-test.log").read_text()
    assert "Traceback" not in text


def test_a_training_that_is_worse_is_held_back_until_it_is_forced(stack: Settings, graph: Graph, cypher: Any) -> None:
    before = published(graph)
    assert before is not None
    best = {"evaluation": {"model": {"ndcg@20": 0.97, "interval": {"ndcg@20": [0.96, 0.98]}}}}
    cypher(
        "MATCH (m:ModelVersion {modelVersion: $version}) SET m.metrics = $best",
        version=before["modelVersion"],
        best=orjson.dumps(best).decode(),
    )
    job = jobs.create(graph, "train", {"seed": 11, "epochs": 1})
    queue.enqueue_training(stack, job["jobId"])
    held = ended(graph, job["jobId"])
    version = held["result"]["modelVersion"]
    assert (held["state"], held["error"], held["attempts"]) == ("held", None, 1)
    assert f"{version} is held back" in held["message"]
    assert held["result"]["comparison"]["championInterval"] == [0.96, 0.98]
    assert published(graph) == before
    assert (stack.artifacts / version).is_dir()
    shown = show_model(graph, version)
    assert (shown["heldBack"], shown["card"]["evaluation"]["users"] > 0) == (True, True)
    for force, state in ((False, "held"), (True, "done")):
        again = jobs.create(graph, "publish", {"modelVersion": version, "force": force})
        queue.enqueue_publication(stack, again["jobId"])
        assert ended(graph, again["jobId"])["state"] == state
    live = published(graph)
    assert live is not None
    assert live["modelVersion"] == version
    assert show_model(graph, version)["comparison"]["isForced"] is True
