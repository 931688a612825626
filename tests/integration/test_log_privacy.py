"""The logs of the real stack: lines of JSON, and nothing in them of what callers sent or of any secret."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path

import orjson
import pytest

from graph import jobs, keys
from graph.connection import Graph
from graph.settings import Settings
from kith import stack
from tests.workers.processes import until
from workers import queue

pytestmark = pytest.mark.slow
CANARY = "canary4711"
OURS = ("api.log", "worker-train.log", "worker-default.log", "beat.log", "supervisor.log", "schema.log")


def send(port: int, verb: str, path: str, key: str, body: object = None, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    data = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
    sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
    try:
        connection.request(verb, path, body=data, headers=sent)
        return connection.getresponse().status
    finally:
        connection.close()


def every_kind_of_request(port: int, key: str) -> set[int]:
    """Send what callers send, right and wrong, each with the canary in every place that a caller can write to."""
    who = f"/v1/users/{CANARY}"
    event = {"eventId": f"{CANARY}-e", "type": "like", "userId": CANARY, "itemId": f"{CANARY}-i"}
    event["occurredAt"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    found = {
        send(port, "PUT", who, key, {"name": CANARY, "consent": ["personalisation"]}),
        send(port, "PUT", f"/v1/items/{CANARY}-i", key, {"kind": "product", "title": CANARY}),
        send(port, "POST", "/v1/events", key, event),
        send(port, "POST", "/v1/events", key, {**event, "userId": f"{CANARY}-other"}),
        send(port, "POST", "/v1/events", key, {"eventId": CANARY, "type": CANARY}),
        send(port, "POST", "/v1/events", key, f'{{"{CANARY}": '.encode()),
        send(port, "POST", "/v1/events", key, CANARY.encode(), **{"Content-Type": CANARY}),
        send(port, "PUT", f"{who}/friends/{CANARY}-friend", key, {}),
        send(port, "GET", f"{who}/recommendations?limit=5&channel={CANARY}", key),
        send(port, "GET", f"{who}/recommendations?limit={CANARY}", key),
        send(port, "GET", f"{who}/share-targets?itemId={CANARY}-i", key),
        send(port, "GET", f"{who}/profile", key, **{"User-Agent": CANARY, "Referer": CANARY, "Cookie": CANARY}),
        send(port, "GET", f"/v1/items?q={CANARY}&cursor={CANARY}", key),
        send(port, "GET", f"/v1/influencers?category={CANARY}&cursor={CANARY}", key),
        send(port, "GET", f"/v1/jobs/{CANARY}", key),
        send(port, "GET", f"/{CANARY}?{CANARY}", key),
        send(port, CANARY.upper(), f"/live?{CANARY}", key),
        send(port, "GET", who + "/profile", f"kith_0123456789abcdef_{CANARY}"),
        send(port, "GET", who + "/profile", f"{CANARY}"),
        send(port, "POST", f"/v1/models/{CANARY}:publish", key),
        send(port, "DELETE", who, key),
    }
    return {status for status in found if status >= 500}


def fail_one(settings: Settings, graph: Graph, kind: str, options: dict[str, object]) -> str:
    """Give the workers a job that must fail, wait until it has, and return its id."""
    job_id = jobs.create(graph, kind, options)["jobId"]
    queue.enqueue(settings, kind, job_id)
    until(lambda: jobs.get(graph, job_id)["state"] == "failed")
    return job_id


def log_files(settings: Settings) -> list[Path]:
    folders = (settings.logs, settings.home / "run", settings.home / "neo4j" / "logs")
    return [file for folder in folders if folder.is_dir() for file in folder.rglob("*") if file.is_file()]


def test_nothing_that_callers_send_and_no_secret_is_in_any_log(running: Settings, graph: Graph) -> None:
    key = keys.create(graph, ["admin"], label=CANARY)
    assert every_kind_of_request(running.api_port, key) == set()
    fail_one(running, graph, "publish", {"modelVersion": f"{CANARY}-version"})
    fail_one(running, graph, "train", {"subgraph": {"category": CANARY}})
    files = log_files(running)
    assert {running.logs / name for name in OURS} <= set(files)
    secrets = [CANARY, key, key.split("_")[2], running.password(), running.signing_secret()]
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace").lower()
        assert [secret for secret in secrets if secret.lower() in text] == [], file


def test_every_line_of_our_processes_is_one_object_and_requests_can_be_followed(
    running: Settings, graph: Graph
) -> None:
    key = keys.create(graph, ["read"])
    status = send(running.api_port, "GET", "/v1/users/nobody/profile", key, **{"X-Request-Id": "follow-me-1"})
    assert status == 404
    job_id = fail_one(running, graph, "publish", {"modelVersion": "not-here"})
    told: dict[str, list[dict[str, object]]] = {}
    for name in OURS:
        lines = (running.logs / name).read_text(encoding="utf-8").splitlines()
        told[name] = [json.loads(line) for line in lines]
        assert all({"time", "level", "logger", "message"} <= line.keys() for line in told[name]), name
        assert all(str(line["time"]).endswith("Z") for line in told[name])
    request = next(line for line in told["api.log"] if line.get("requestId") == "follow-me-1")
    assert (request["route"], request["status"], request["method"]) == ("/v1/users/{user_id}/profile", 404, "GET")
    assert 0 < float(str(request["durationMs"])) < 60_000
    assert request["keyId"] == key.split("_")[1]
    worked = [line for line in told["worker-default.log"] if line.get("jobId") == job_id]
    assert [line["message"] for line in worked] == ["publish job begun, attempt 1", "publish job failed: NotFoundError"]
    assert any("Starting granian" in str(line["message"]) for line in told["api.log"])
    assert any("ready" in str(line["message"]) for line in told["worker-train.log"])
    assert any(line["message"] == "the stack is up" for line in told["supervisor.log"])
    assert stack.status(running).healthy
