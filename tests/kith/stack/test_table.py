from __future__ import annotations

from dataclasses import replace

import pytest

from graph.settings import Settings
from kith.stack import table


def test_children_get_exactly_these_settings(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITH_API_THREADS", "99")
    chosen = replace(
        home, consent_default=("personalisation", "sharing", "analytics"), read_timeout_s=2.5, signing_key="s" * 32
    )
    assert Settings.load(chosen.environment()) == chosen
    for purposes in ((), ("sharing",)):
        assert Settings.load(replace(chosen, consent_default=purposes).environment()).consent_default == purposes


def test_an_operators_servers_take_the_place_of_ours(home: Settings) -> None:
    own = [process.name for process in table.processes(home, ["java"])]
    assert own == [
        *("neo4j", "valkey", "schema", "worker-train", "worker-default", "worker-plan", "worker-cascades"),
        *("beat", "api"),
    ]
    elsewhere = replace(home, neo4j_uri="neo4j+s://db", neo4j_password="p", broker_url="redis://b")
    assert [process.name for process in table.processes(elsewhere, [])] == own[2:]


def test_an_event_stream_adds_its_consumer(home: Settings) -> None:
    own = [process.name for process in table.processes(home, ["java"])]
    with_stream = table.processes(replace(home, event_stream="shop"), ["java"])
    assert [process.name for process in with_stream] == [*own, "worker-stream"]
    assert with_stream[-1].stage == next(process.stage for process in with_stream if process.name == "api")


def test_training_has_one_child_and_services_one_thread_each(home: Settings) -> None:
    by_name = {process.name: process for process in table.processes(home, ["java"])}
    command = by_name["worker-train"].command
    assert command[command.index("-c") + 1] == "1"
    assert command[command.index("-Q") + 1] == "train"
    for name in ("worker-default", "beat", "api"):
        assert by_name[name].environment["OPENBLAS_NUM_THREADS"] == "1"


def test_stores_and_schema_come_first(home: Settings) -> None:
    stages = {process.name: process.stage for process in table.processes(home, ["java"])}
    assert stages["neo4j"] == stages["valkey"] == stages["schema"] < stages["api"] == stages["worker-default"]
