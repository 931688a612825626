"""What docker-compose.yml starts, started here: its commands, variables, health checks and signals, on a real Neo4j.

The processes run from the environment of the `service` image; only addresses, ports and the home differ.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from graph.connection import Graph
from graph.server.process import free_ports, stop
from graph.settings import Settings
from kith.stack import broker, checks
from tests.containers.conftest import ROOT, bare_environment, compose
from tests.workers.processes import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Services:
    """The services of docker-compose.yml as processes of this machine."""

    def __init__(self, prefix: Path, home: Path, settings: Settings, ports: list[int]) -> None:
        self.prefix, self.home = prefix, home
        self.broker_port, self.api_port = ports
        given = {"NEO4J_PASSWORD": settings.password(), "KITH_CONSENT_DEFAULT": "all", "KITH_EVENT_STREAM": "shop"}
        given |= {name: secrets.token_hex(24) for name in ("VALKEY_PASSWORD", "KITH_SIGNING_KEY")}
        self.password = given["VALKEY_PASSWORD"]
        self.found = compose(given)["services"]
        self.moved = {"bolt://neo4j:7687": settings.bolt_uri, "@valkey:6379": f"@127.0.0.1:{self.broker_port}"}

    def environment(self, name: str) -> dict[str, str]:
        """Return the service's variables with this machine's addresses."""
        said = dict(self.found[name]["environment"])
        for theirs, ours in self.moved.items():
            said = {variable: value.replace(theirs, ours) for variable, value in said.items()}
        place = {"KITH_HOME": str(self.home), "KITH_API_HOST": "127.0.0.1", "KITH_API_PORT": str(self.api_port)}
        return bare_environment() | {"HOME": str(self.home)} | said | place

    def command(self, words: list[str]) -> list[str]:
        """Return a command with the image's programs in place of their bare names."""
        return [str(self.prefix / "bin" / words[0]), *words[1:]]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                self.command(self.found[name]["command"]),
                cwd=self.home,
                env=self.environment(name),
                stdout=log,
                stderr=log,
            )

    def run(self, name: str, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(words),
            cwd=self.home,
            env=self.environment(name),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def is_healthy(self, name: str) -> bool:
        """Run the service's own health check."""
        kind, *words = self.found[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return self.run(name, words).returncode == 0

    def kith(self, *words: object) -> dict[str, Any]:
        """Run `docker compose run kith ...` and return its JSON."""
        done = self.run("kith", [*self.found["kith"]["entrypoint"], *map(str, words), "--json"])
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def services(
    service: Path, settings: Settings, graph: Graph, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """The services beside a Valkey that runs as its service says, and after the one-shot step."""
    home = tmp_path_factory.mktemp("home")
    found = Services(service, home, settings, list(free_ports(2)))
    _, *options = found.found["valkey"]["command"]
    place = ["--port", str(found.broker_port), "--bind", "127.0.0.1", "--dir", str(home)]
    with (home / "valkey.log").open("ab") as log:
        valkey = subprocess.Popen([str(broker.binary()), *options, *place], stdout=log, stderr=log)
    try:
        until(lambda: _answers(found.broker_port))
        yield found
    finally:
        stop(valkey)


def _answers(port: int) -> bool:
    """Whether a Valkey answers at all; without its password it says no more than that."""
    with checks.socket.socket() as connection:
        if connection.connect_ex(("127.0.0.1", port)):
            return False
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith(b"-NOAUTH")


def _stop_signal(service: dict[str, Any]) -> int:
    return int(signal.Signals[service.get("stop_signal", "SIGTERM")])


def _grace_s(service: dict[str, Any]) -> float:
    return float(service["stop_grace_period"].removesuffix("s"))


def test_the_schema_step_ends_with_0(services: Services) -> None:
    done = services.run("schema", services.found["schema"]["command"])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "name", ["worker-default", "worker-plan", "worker-train", "worker-cascades", "worker-stream", "beat"]
)
def test_a_process_starts_is_found_well_and_ends_at_its_signal(services: Services, name: str) -> None:
    assert not services.is_healthy(name) or name == "beat"
    running = services.start(name)
    try:
        until(lambda: services.is_healthy(name), limit_s=180)
        assert running.poll() is None
        running.send_signal(_stop_signal(services.found[name]))
        running.wait(_grace_s(services.found[name]))
    finally:
        stop(running)


def test_the_api_serves_what_the_command_line_imported_and_ends_at_its_signal(services: Services) -> None:
    shop = services.home / "shop"
    shop.mkdir()
    (shop / "users.csv").write_text("userId\nada\nbob\n", encoding="utf-8")
    (shop / "items.csv").write_text("itemId,title\ntea,Green tea\ncup,Cup\n", encoding="utf-8")
    today = datetime.now(UTC).isoformat()
    acts = f"userId,itemId,type,occurredAt,valueMinor,currency\nada,tea,purchase,{today},500,EUR\n"
    (shop / "interactions.csv").write_text(acts, encoding="utf-8")
    services.kith("import", shop)
    key = services.kith("keys", "create", "--scopes", "read")["key"]
    running = services.start("api")
    try:
        until(lambda: services.is_healthy("api"), limit_s=180)
        request = urllib.request.Request(
            f"http://127.0.0.1:{services.api_port}/v1/users/bob/recommendations",
            headers={"Authorization": f"Bearer {key}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            # Nothing is trained: what was bought comes before what was not.
            assert [each["itemId"] for each in json.load(answer)["items"]] == ["tea", "cup"]
        running.send_signal(_stop_signal(services.found["api"]))
        assert running.wait(_grace_s(services.found["api"])) == 0
        assert not services.is_healthy("api")
    finally:
        stop(running)


def test_a_scheduler_that_stopped_writing_is_not_well(tmp_path: Path) -> None:
    assert not checks.schedule(tmp_path)
    record = tmp_path / "beat.db"
    record.touch()
    assert checks.schedule(tmp_path)
    long_ago = time.time() - checks.SCHEDULE_AGE_S - 1
    os.utime(record, (long_ago, long_ago))
    assert not checks.schedule(tmp_path)


def says_what_to_set(services: Services, name: str, environment: dict[str, str]) -> str:
    """Start a service that lacks a setting, and return the one line that it ends with."""
    done = subprocess.run(
        services.command(services.found[name]["command"]),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    return line


def test_the_consumer_of_no_stream_says_what_to_set(services: Services) -> None:
    environment = services.environment("worker-stream") | {"KITH_EVENT_STREAM": ""}
    assert "KITH_EVENT_STREAM" in says_what_to_set(services, "worker-stream", environment)


@pytest.mark.parametrize("missing", ["NEO4J_URI", "KITH_BROKER_URL", "NEO4J_PASSWORD"])
def test_a_container_without_its_stores_says_what_to_set(services: Services, missing: str) -> None:
    environment = {name: value for name, value in services.environment("api").items() if name != missing}
    assert missing in says_what_to_set(services, "api", environment)
