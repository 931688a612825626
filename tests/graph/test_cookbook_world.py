"""The cookbook as pasted into Neo4j Browser: it answers with its columns, and by index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from neo4j import Driver, GraphDatabase

from graph import cookbook, cypher_text
from graph.connection import Graph
from graph.settings import Settings
from tests.graph import small_world

NAMES = cookbook.names()


@pytest.fixture(scope="module")
def driver(settings: Settings, graph: Graph) -> Iterator[Driver]:
    with GraphDatabase.driver(
        settings.bolt_uri, auth=(settings.neo4j_user, settings.password()), notifications_min_severity="OFF"
    ) as opened:
        yield opened


def operators(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every operator of a plan with its details."""
    yield plan["operatorType"].split("@")[0], plan["args"].get("Details", "")
    for child in plan.get("children", []):
        yield from operators(child)


@pytest.fixture(autouse=True, scope="module")
def world(graph: Graph, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    small_world.fill(graph, settings, tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("name", NAMES)
def test_as_pasted_it_answers_with_its_columns(name: str, driver: Driver) -> None:
    question = cookbook.question(name)
    with driver.session(default_access_mode="READ") as session:
        result = session.run(question.text)  # type: ignore[arg-type]
        assert tuple(result.keys()) == question.columns
        first = result.peek()
    assert first is not None
    for column in question.columns:
        value = first[column]
        assert (hasattr(value, "labels") or hasattr(value, "nodes")) == (column in question.draws)


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_by_index_but_for_the_labels_that_it_names(name: str, driver: Driver) -> None:
    question = cookbook.question(name)
    given = {parameter.name: parameter.default for parameter in question.parameters}
    for text in (question.text, cypher_text.load(f"analytics.{name}")):
        with driver.session() as session:
            plan = session.run(f"EXPLAIN {text}", given).consume().plan  # type: ignore[arg-type]
        steps = list(operators(plan))
        assert "AllNodesScan" not in {kind for kind, _ in steps}
        scanned = {details.split(":")[1] for kind, details in steps if kind == "NodeByLabelScan"}
        assert scanned == set(question.scans)
        assert not [kind for kind, _ in steps if "RelationshipTypeScan" in kind]
