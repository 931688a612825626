"""Queries have names, lie in files, and the server can plan every one."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from neo4j import GraphDatabase

from graph import cypher_text
from graph.connection import Graph
from graph.settings import Settings

Cypher = Callable[..., list[dict[str, Any]]]

ROOT = Path(__file__).parents[2]
PACKAGES = ("kith", "engine", "graph", "api", "workers", "benchmarks")
LOOKS_LIKE_CYPHER = re.compile(
    r"\b(MATCH|MERGE|CREATE|UNWIND|DETACH DELETE)\b\s*(\(|:|CONSTRAINT|INDEX|VECTOR|FULLTEXT|\$)|\bRETURN\s+\w+\s+AS\b"
)


@pytest.mark.parametrize("name", cypher_text.names())
def test_the_server_can_plan_it(name: str, cypher: Cypher) -> None:
    text = cypher_text.load(name)
    parameters = dict.fromkeys(re.findall(r"\$([A-Za-z_][A-Za-z0-9_]*)", text))
    if text.startswith("SHOW"):
        cypher(text, **parameters)
    else:
        cypher(f"EXPLAIN {text}", **parameters)


LOOK_UP = re.compile(r"^\s*(?:OPTIONAL )?MATCH .*?[(\[](?P<variable>\w*):(?P<label>\w+) \{(?P<key>\w+): ")
SEEKING = ("cascades", "entities", "events", "forecasts", "pending")
"""Files of queries that write and count: what they look up may be looked up thousands of times in a transaction."""
NO_INDEX = {"KithSequence", "KithSizeModel"}
"""Labels of one node or a few."""


def test_what_writes_and_counts_names_the_index_it_seeks_in() -> None:
    missing = []
    for stem in SEEKING:
        lines = (cypher_text.FOLDER / f"{stem}.cypher").read_text(encoding="utf-8").splitlines()
        for line, after in itertools.pairwise(lines):
            found = LOOK_UP.match(line)
            if found and found["label"] not in NO_INDEX:
                hint = f"USING INDEX SEEK {found['variable']}:{found['label']}({found['key']})"
                missing += [] if after.strip() == hint else [f"{stem}: {line}"]
    assert missing == []


SERVING = ("sharing.", "audience.", "campaigns.")
"""Queries that look around one user or item, or go through users by id."""


@pytest.mark.parametrize("name", [name for name in cypher_text.names() if name.startswith(SERVING)])
def test_what_is_asked_around_one_node_begins_at_indexes(name: str, settings: Settings, cypher: Cypher) -> None:
    cypher("CALL db.awaitIndexes(60)")
    text = cypher_text.load(name)
    parameters = dict.fromkeys(re.findall(r"\$([A-Za-z_][A-Za-z0-9_]*)", text))
    auth = (settings.neo4j_user, settings.password())
    with (
        GraphDatabase.driver(settings.bolt_uri, auth=auth, notifications_min_severity="OFF") as driver,
        driver.session() as session,
    ):
        plan = session.run(f"EXPLAIN {text}", parameters).consume().plan
    assert plan is not None
    assert scans(plan) == []


SCANNING = {
    "cascades.count_roots": ["NodeByLabelScan s:Share"],
    "cascades.touches": ["NodeByLabelScan t:KithTouch"],
}
"""Queries that are there to see all of a label."""


@pytest.mark.long
def test_what_writes_and_counts_never_scans_in_a_young_graph(empty: None, settings: Settings, cypher: Cypher) -> None:
    """Nodes are counted at once, indexes are sampled seconds later: in between every plan seems to cost nothing."""
    cypher(
        """UNWIND range(1, 1000) AS k
        CREATE (u:User {userId: 'u' + k}), (i:Item {itemId: 'i' + k}), (:Event {eventId: 's' + k}),
          (s:Share {shareId: 's' + k, rootShareId: 's1', occurredAt: datetime()}), (:KithTouch {shareIds: ['s' + k]})
        CREATE (u)-[:SHARED]->(s)-[:OF_ITEM]->(i), (u)-[:PURCHASED {eventId: 'p' + k}]->(i)"""
    )
    auth = (settings.neo4j_user, settings.password())
    found: dict[str, list[str]] = {}
    with (
        GraphDatabase.driver(settings.bolt_uri, auth=auth, notifications_min_severity="OFF") as driver,
        driver.session() as session,
    ):
        for name in [each for each in cypher_text.names() if each.startswith(tuple(f"{stem}." for stem in SEEKING))]:
            text = cypher_text.load(name)
            parameters = dict.fromkeys(re.findall(r"\$([A-Za-z_][A-Za-z0-9_]*)", text))
            plan = session.run(f"CYPHER replan=force EXPLAIN {text}", parameters).consume().plan
            if plan is not None and (scanned := scans(plan)):
                found[name] = scanned
    assert found == SCANNING


def scans(plan: dict[str, Any]) -> list[str]:
    """Return what the plan reads whole, with the operators' names."""
    below = [each for child in plan.get("children", ()) for each in scans(child)]
    operator = plan["operatorType"].partition("@")[0]
    return [f"{operator} {plan['args'].get('Details', '')}", *below] if operator.endswith("Scan") else below


def test_every_query_says_what_it_answers() -> None:
    for path in cypher_text.FOLDER.glob("*.cypher"):
        for header in cypher_text.HEADER.finditer(path.read_text(encoding="utf-8")):
            assert len(header["answers"]) > 5, f"{path.name}: {header['name']}"


def test_no_module_holds_query_text() -> None:
    guilty = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and LOOKS_LIKE_CYPHER.search(node.value)
    ]
    assert guilty == []


def test_only_the_loader_casts_and_only_two_modules_know_the_driver() -> None:
    casts, drivers = set(), set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if "LiteralString" in text:
                casts.add(str(path.relative_to(ROOT)))
            if re.search(r"^\s*(import neo4j|from neo4j)\b", text, re.MULTILINE):
                drivers.add(str(path.relative_to(ROOT)))
    assert casts == {"graph/cypher_text.py"}
    assert drivers == {"graph/connection.py", "graph/errors.py"}


def test_unknown_names_are_refused() -> None:
    with pytest.raises(KeyError):
        cypher_text.load("events.no_such_query")
    with pytest.raises(FileNotFoundError):
        cypher_text.load("nowhere.read")


def test_a_file_with_a_nameless_or_twice_named_query_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cypher_text, "FOLDER", tmp_path)
    (tmp_path / "nameless.cypher").write_text("RETURN 1 AS one\n// first: answers one\nRETURN 1 AS one")
    with pytest.raises(ValueError, match="without a name"):
        cypher_text.blocks("nameless")
    (tmp_path / "twice.cypher").write_text("// first: answers one\nRETURN 1\n// first: answers two\nRETURN 2")
    with pytest.raises(ValueError, match="stands twice"):
        cypher_text.blocks("twice")


def test_blocks_end_where_the_next_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cypher_text, "FOLDER", tmp_path)
    (tmp_path / "two.cypher").write_text("// a: answers one\nRETURN 1;\n\n// b: answers two\nRETURN 2\n")
    assert cypher_text.blocks("two") == {"a": "RETURN 1", "b": "RETURN 2"}


def test_the_graph_is_reached(graph: Graph) -> None:
    assert graph.verify().startswith("Neo4j/")
