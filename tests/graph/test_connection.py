"""One driver: named queries in transactions, the driver's errors translated."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graph.connection import Graph, Transaction, connect
from graph.errors import AuthenticationError, ConflictError, GraphError, SettingsError, UnavailableError
from graph.server.process import free_ports
from graph.settings import Settings

Cypher = Callable[..., list[dict[str, Any]]]


def test_read_and_write_return_rows(graph: Graph) -> None:
    graph.write("events.create_users", ids=["ada"], consent=["sharing"])
    assert graph.read("entities.read_consent", userId="ada") == [{"consent": ["sharing"]}]
    assert graph.read("entities.read_consent", userId="nobody") == []


def test_write_many_is_all_or_nothing(graph: Graph, cypher: Cypher) -> None:
    shares = {"rows": [["once", None, "once", 0, {}]]}
    graph.write("events.create_shares", **shares)
    with pytest.raises(ConflictError):
        graph.write_many(
            [("events.create_users", {"ids": ["undone"], "consent": []}), ("events.create_shares", shares)]
        )
    assert cypher("MATCH (u:User {userId: 'undone'}) RETURN u") == []


def test_a_transaction_is_undone_by_an_error_of_the_callers(graph: Graph, cypher: Cypher) -> None:
    def fail(tx: Transaction) -> None:
        tx.run("events.create_users", ids=["half"], consent=[])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        graph.transaction(fail)
    assert cypher("MATCH (u:User {userId: 'half'}) RETURN u") == []


def test_stream_yields_as_it_comes(graph: Graph) -> None:
    graph.write("events.create_users", ids=[f"s{n}" for n in range(50)], consent=[])
    rows = list(graph.stream("digest.nodes", timeout_s=10, fetch_size=7))
    assert len([row for row in rows if row["properties"].get("userId", "").startswith("s")]) == 50


def test_a_wrong_password_is_said(settings: Settings) -> None:
    wrong = replace(settings, neo4j_password="wrong")
    with connect(wrong) as graph, pytest.raises(AuthenticationError, match="NEO4J_PASSWORD"):
        graph.verify()


def test_a_server_that_is_not_there_is_unavailable_and_retryable(settings: Settings) -> None:
    nobody = replace(settings, bolt_port=free_ports(1)[0])
    with connect(nobody, retry_s=0.2) as graph, pytest.raises(UnavailableError) as caught:
        graph.read("schema.read_version")
    assert caught.value.retryable


def test_no_password_no_connection(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        connect(Settings(home=tmp_path))


def test_a_missing_parameter_is_an_error_of_ours(graph: Graph) -> None:
    with pytest.raises(GraphError, match="userId"):
        graph.read("entities.read_consent")


def test_a_query_past_its_time_is_unavailable(graph: Graph) -> None:
    def hold_the_lock(tx: Transaction) -> None:
        tx.run("events.create_users", ids=["held"], consent=[])
        with pytest.raises(UnavailableError):
            graph.write("events.create_users", timeout_s=0.2, ids=["held"], consent=[])

    graph.transaction(hold_the_lock)


def test_retries_are_not_printed(graph: Graph) -> None:
    assert graph is not None
    assert logging.getLogger("neo4j").handlers


def test_work_that_somebody_waits_for_ends_in_time(graph: Graph, settings: Settings, cypher: Cypher) -> None:
    graph.write("events.create_users", ids=["held"], consent=[])

    def hold(tx: Transaction) -> float:
        tx.run("events.find_users", ids=["held"])
        began_s = time.monotonic()
        with pytest.raises(UnavailableError):
            graph.until(began_s + 1.0).write_many(
                [("events.create_users", {"ids": ["late"], "consent": []}), ("events.find_users", {"ids": ["held"]})]
            )
        return time.monotonic() - began_s

    assert 0.9 < graph.transaction(hold) < 4.0
    assert cypher("MATCH (u:User {userId: 'late'}) RETURN u") == []
    with pytest.raises(UnavailableError, match="in the time there was"):
        graph.until(time.monotonic()).read("monitor.state")


def test_what_passes_is_tried_again_as_long_as_there_is_time(settings: Settings) -> None:
    nobody = replace(settings, neo4j_uri=f"bolt://127.0.0.1:{free_ports(1)[0]}", neo4j_password="x")
    began_s = time.monotonic()
    with connect(nobody) as graph, pytest.raises(UnavailableError, match="cannot be reached"):
        graph.until(began_s + 1.0).read("monitor.state")
    assert 0.4 < time.monotonic() - began_s < 3.0
