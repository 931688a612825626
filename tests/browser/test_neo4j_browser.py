"""The cookbook where analysts use it: the real Neo4j Browser, served by the test run's Neo4j, in headless Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graph import cookbook
from graph.connection import Graph
from graph.settings import Settings
from tests.browser import chromium
from tests.browser.neo4j_browser import Neo4jBrowser, opened
from tests.graph import small_shop

Cypher = Callable[..., list[dict[str, Any]]]
pytestmark = chromium.NEEDED
SETTINGS = ":config autoComplete: false, useReadTransactions: true"
"""What docs/cookbook.md tells analysts to run once."""
USER_BLUE = "#2F6F9F"


@pytest.fixture(scope="module")
def tab(graph: Graph, settings: Settings) -> Iterator[Neo4jBrowser]:
    small_shop.fill(graph, settings)
    with opened() as browser:
        browser.log_in(settings.browser_port, settings.neo4j_user, settings.password())
        yield browser


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What `kith cookbook export` writes."""
    return {file.name: file.read_bytes() for file in cookbook.export(tmp_path_factory.mktemp("export"))}


def test_favourites_come_from_one_archive_with_their_titles(tab: Neo4jBrowser, files: dict[str, bytes]) -> None:
    tab.drop("kith-cookbook.zip", files["kith-cookbook.zip"])
    tab.open_favourites("Kith")
    titles = {cookbook.question(name).title for name in cookbook.names()}
    tab.until(lambda: titles <= set(tab.favourites()), "the favourites have the files' titles")


def test_a_pasted_question_is_drawn_in_the_style(tab: Neo4jBrowser, files: dict[str, bytes], tmp_path: Path) -> None:
    tab.drop("kith-style.grass", files["kith-style.grass"])
    tab.until(lambda: tab.commands()[0] == ":style", "the style is taken")
    tab.run(SETTINGS)
    tab.run(cookbook.question("neighbourhood").text)
    # Ben's shares reach most others, so he stands in the middle: ann-ben, ann-cat, ben-cat.
    tab.until(lambda: sorted(tab.drawn_nodes()) == ["ann", "ben", "cat"], "the neighbourhood is drawn")
    assert set(tab.drawn_colours()) == {USER_BLUE.lower()}
    assert tab.drawn_relationships() == ["FRIEND"] * 3
    tab.save_screenshot(tmp_path / "neighbourhood.png")


def test_with_the_guides_settings_a_slip_writes_nothing(tab: Neo4jBrowser, cypher: Cypher) -> None:
    assert SETTINGS in (Path(__file__).parents[2] / "docs" / "cookbook.md").read_text(encoding="utf-8")
    tab.run(SETTINGS)
    tab.run("CREATE (:Slip) RETURN 1 AS one")
    tab.until(lambda: "Writing in read access mode not allowed" in tab.frame_text(), "the write is refused")
    assert cypher("MATCH (s:Slip) RETURN count(s) AS n") == [{"n": 0}]


def test_a_pasted_table_has_its_columns_and_rows(tab: Neo4jBrowser, tmp_path: Path) -> None:
    question = cookbook.question("vector_search")
    tab.run(question.text)
    tab.until(lambda: tab.table_columns() == list(question.columns), "the table has the declared columns")
    assert '"thing i01"' in tab.frame_text()
    tab.save_screenshot(tmp_path / "vector_search.png")
