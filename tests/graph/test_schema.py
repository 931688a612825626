"""The schema: applied any number of times, never over a newer one, and missed when something is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from graph import schema
from graph.connection import Graph, Transaction
from graph.errors import SchemaError, UnavailableError

Cypher = Callable[..., list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _restored(graph: Graph, cypher: Cypher) -> Iterator[None]:
    yield
    cypher("MATCH (s:KithSchema) DELETE s")
    schema.apply(graph)


def test_applied_twice_it_is_the_same(graph: Graph) -> None:
    constraints = graph.read("schema.list_constraints")
    assert schema.apply(graph) == schema.VERSION
    assert graph.read("schema.list_constraints") == constraints
    schema.check(graph)


def test_every_step_is_there_under_its_name(graph: Graph) -> None:
    present = {row["name"] for row in graph.read("schema.list_indexes")}
    present |= {row["name"] for row in graph.read("schema.list_constraints")}
    present |= {row["name"] for row in graph.read("schema.list_property_keys")}
    assert {step for steps in schema.STEPS.values() for step in steps} <= present


def test_a_newer_graph_is_refused(graph: Graph, cypher: Cypher) -> None:
    cypher("MATCH (s:KithSchema) SET s.version = $newer", newer=schema.VERSION + 1)
    for step in (schema.apply, schema.check):
        with pytest.raises(SchemaError, match="update Kith"):
            step(graph)


def test_a_graph_without_schema_is_refused_until_it_is_applied(graph: Graph, cypher: Cypher) -> None:
    cypher("MATCH (s:KithSchema) DELETE s")
    with pytest.raises(SchemaError, match="kith up"):
        schema.check(graph)
    assert schema.apply(graph) == 0
    schema.check(graph)


def test_a_missing_constraint_is_named_and_comes_back(graph: Graph, cypher: Cypher) -> None:
    cypher("DROP CONSTRAINT event_id")
    with pytest.raises(SchemaError, match="event_id"):
        schema.check(graph)
    schema.apply(graph)
    schema.check(graph)


@pytest.mark.parametrize(
    ("label", "key"),
    [("User", "userId"), ("Item", "itemId"), ("Share", "shareId"), ("Event", "eventId"), ("Campaign", "campaignId")],
)
def test_one_fact_one_key(graph: Graph, cypher: Cypher, label: str, key: str) -> None:
    cypher(f"CREATE (n:{label} {{{key}: 'once'}})")
    with pytest.raises(Exception, match="already exists"):
        cypher(f"CREATE (n:{label} {{{key}: 'once'}})")
    cypher(f"MATCH (n:{label}) DELETE n")


def test_taking_the_property_away_that_no_node_has_locks_a_node(graph: Graph, cypher: Cypher) -> None:
    graph.write("events.create_users", ids=["ada"], consent=[])

    def hold(tx: Transaction) -> None:
        tx.run("events.find_users", ids=["ada"])
        with pytest.raises(UnavailableError):
            graph.write("entities.write_consents", timeout_s=0.3, rows=[["ada", ["sharing"]]])

    graph.transaction(hold)
    assert cypher("MATCH (u:User {userId: 'ada'}) RETURN properties(u).locked AS locked") == [{"locked": None}]
