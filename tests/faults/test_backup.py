"""R15: a backup onto an empty home gives the same graph hash and serves the published version; a damaged backup, or a
home that holds a graph, is refused and nothing changes.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from neo4j import GraphDatabase

from engine.artifact import read_artifact
from graph import connection, entities, events, keys, schema
from graph.digest import digest
from graph.publication import publish
from graph.server import neo4j as server
from graph.server.process import free_ports
from graph.settings import Settings
from kith import backup, stack
from tests.faults import marked
from tests.workers.processes import ROOT, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
USERS = 40
RETRIED_S = 120.0


class Made(NamedTuple):
    settings: Settings
    folder: Path
    told: dict[str, Any]
    hash: str
    key: str


def own(neo4j: Settings, home: Path) -> Settings:
    bolt, browser, valkey, api = free_ports(4)
    return replace(
        neo4j,
        home=home,
        bolt_port=bolt,
        browser_port=browser,
        broker_port=valkey,
        api_port=api,
        neo4j_heap_mb=384,
        neo4j_page_cache_mb=64,
    )


def kith(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kith.cli", *arguments],
        cwd=ROOT,
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def fill(settings: Settings) -> tuple[str, str]:
    """Put people, events, a published model and a key into the graph; return its hash and the key."""
    with connection.connect(settings) as graph:
        driver = GraphDatabase.driver(settings.bolt_uri, auth=(settings.neo4j_user, settings.password()))

        def cypher(text: str, **parameters: Any) -> list[dict[str, Any]]:
            with driver.session() as session:
                return session.run(text, parameters).data()

        with driver:
            marked.create_nodes(cypher, USERS)
        entities.upsert_users(graph, settings, [{"userId": "ann", "consent": ["personalisation"], "city": "Zürich"}])
        given = [
            {"eventId": "e1", "type": "like", "userId": "u1", "itemId": "i2", "occurredAt": "2026-11-01T00:00:00Z"}
        ]
        assert events.ingest(graph, settings, given).accepted == 1
        marked.write(settings.artifacts, 1, USERS)
        publish(graph, settings, read_artifact(settings.artifacts / "m1"))
        key = keys.create(graph, ["read"])
        return digest(graph), key


@pytest.fixture(scope="module")
def made(neo4j: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A backup that was taken of a stack that was up, and the stack, which is up again."""
    settings = own(neo4j, tmp_path_factory.mktemp("first"))
    folder = tmp_path_factory.mktemp("backups") / "monday"
    try:
        stack.up(settings)
        before, key = fill(settings)
        done = kith(settings, "backup", str(folder), "--json")
        assert done.returncode == 0, done.stderr
        assert "Kith was down for" in done.stderr
        yield Made(settings, folder, json.loads(done.stdout.splitlines()[-1]), before, key)
    finally:
        stack.down(settings)


def get(port: int, path: str, key: str) -> tuple[int, Any]:
    """Ask until it is not a 503, as `Retry-After` says: a server that has just started compiles its plans first."""
    deadline = time.monotonic() + RETRIED_S
    while True:
        status, body, wait_s = ask(port, path, key)
        if status != http.client.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
            return status, body
        time.sleep(wait_s)


def ask(port: int, path: str, key: str) -> tuple[int, Any, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        response = connection.getresponse()
        return response.status, json.loads(response.read()), float(response.headers.get("Retry-After", "1"))
    finally:
        connection.close()


def test_the_stack_is_up_again_and_the_backup_holds_what_it_says(made: Made) -> None:
    assert stack.status(made.settings).healthy
    assert 0 < made.told["downtimeS"] < 280
    manifest = json.loads((made.folder / "manifest.json").read_text())
    assert {"neo4j.dump", "signing-key", "artifacts/m1/manifest.json"} <= set(manifest["files"])
    assert made.folder.stat().st_mode & 0o777 == 0o700
    password = made.settings.password().encode()
    for file in made.folder.rglob("*"):
        assert not file.is_file() or password not in file.read_bytes()
    with connection.connect(made.settings) as graph:
        assert digest(graph, timeout_s=60) == made.hash


def test_a_backup_onto_an_empty_home_is_the_same_graph_and_serves_the_published_version(
    made: Made, neo4j: Settings, tmp_path: Path
) -> None:
    settings = own(neo4j, tmp_path / "second")
    done = kith(settings, "restore", str(made.folder), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"modelVersion": "m1", "old": None}
    assert settings.password() != made.settings.password()
    assert settings.signing_secret() == made.settings.signing_secret()
    try:
        stack.up(settings)
        with connection.connect(settings) as graph:
            assert digest(graph, timeout_s=60) == made.hash
            schema.check(graph)
        status, ready = get(settings.api_port, "/ready", made.key)
        assert (status, ready["modelVersion"]) == (200, "m1")
        status, profile = get(settings.api_port, "/v1/users/ann/profile", made.key)
        assert status == 200, profile
        assert "Zürich" in str(profile)
        status, listed = get(settings.api_port, "/v1/users/u3/recommendations?limit=5", made.key)
        assert status == 200, listed
        assert listed["modelVersion"] == "m1"
    finally:
        stack.down(settings)


@pytest.mark.long
def test_what_is_there_is_put_aside_only_when_asked_and_a_damaged_backup_changes_nothing(
    made: Made, neo4j: Settings, tmp_path: Path
) -> None:
    settings = own(neo4j, tmp_path / "third")
    with server.running(settings), connection.connect(settings) as graph:
        schema.apply(graph)
        entities.upsert_users(graph, settings, [{"userId": "only-here"}])
        mine = digest(graph)
    tree = {str(file): file.stat().st_mtime_ns for file in settings.home.rglob("*")}
    refused = kith(settings, "restore", str(made.folder))
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "--force" in refused.stderr
    damaged = tmp_path / "damaged"
    for name, position in (("neo4j.dump", 1000), ("artifacts/m1/tables.safetensors", -1), ("signing-key", 0)):
        subprocess.run(["cp", "-a", str(made.folder), str(damaged)], check=True)
        whole = bytearray((damaged / name).read_bytes())
        whole[position] ^= 1
        (damaged / name).write_bytes(whole)
        refused = kith(settings, "restore", str(damaged), "--force")
        assert refused.returncode == 2
        assert name in refused.stderr
        subprocess.run(["rm", "-r", str(damaged)], check=True)
    assert {str(file): file.stat().st_mtime_ns for file in settings.home.rglob("*")} == tree
    done = kith(settings, "restore", str(made.folder), "--force", "--json")
    assert done.returncode == 0, done.stderr
    old = Path(json.loads(done.stdout.splitlines()[-1])["old"])
    with server.running(settings), connection.connect(settings) as graph:
        assert digest(graph) == made.hash
    aside = replace(own(neo4j, old), neo4j_password=settings.password())
    with server.running(aside), connection.connect(aside) as graph:
        assert digest(graph) == mine


def test_an_operators_neo4j_is_refused_with_what_to_use_instead(made: Made, tmp_path: Path) -> None:
    elsewhere = replace(made.settings, neo4j_uri="bolt://127.0.0.1:1", neo4j_password="p")
    for command in ("backup", "restore"):
        refused = kith(elsewhere, command, str(tmp_path / "x"))
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
        assert "neo4j-admin database dump" in refused.stderr
        assert not (tmp_path / "x").exists()
    refused = kith(made.settings, "restore", str(made.folder))
    assert refused.returncode == 2
    assert "kith down" in refused.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter").write_text("mine")
    refused = kith(made.settings, "backup", str(tmp_path / "full"))
    assert refused.returncode == 2
    assert stack.status(made.settings).healthy
    assert json.loads((made.folder / "manifest.json").read_text())["format"] == backup.FORMAT
