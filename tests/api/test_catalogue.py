"""Items as a process of the API keeps them: what changes, what goes, what is too many."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from api.catalogue import FRESH_S, REREAD_AFTER_S, Catalogue
from engine.serving.shelf import Wanted
from graph import catalogue, entities
from graph.connection import Graph
from tests.workers.processes import until


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def shop(graph: Graph, empty: None) -> None:
    items: list[dict[str, Any]] = [{"itemId": f"i{n}", "category": "tea", "stock": 3} for n in range(5)]
    items[1] |= {"stock": 0}
    items[2] |= {"available": False}
    items[3] |= {"minAge": 18, "priceMinor": 500, "currency": "EUR", "kind": "content", "brand": "acme"}
    entities.upsert_items(graph, items)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def allowed(graph: Graph, clock: Clock) -> Callable[[Catalogue], list[str]]:
    def items(kept: Catalogue) -> list[str]:
        view = kept.shelf(graph).view()
        return [f"i{n}" for n in range(8) if view.allows(f"i{n}")]

    return items


def test_one_item_is_told_as_lists_see_it(graph: Graph) -> None:
    facts = {row[0]: row[1:8] for row in catalogue.facts_of(graph, ["i3", "i2", "none"])}
    assert facts == {
        "i3": [True, "content", "tea", "acme", 500, "EUR", 18],
        "i2": [False, None, "tea", None, None, None, None],
    }
    assert [row[0] for page in catalogue.pages(graph, 3) for row in page] == ["i0", "i1", "i2"]


def test_what_changes_elsewhere_shows_within_the_stated_age(graph: Graph, clock: Clock, allowed: Any) -> None:
    kept = Catalogue(100, clock)
    assert allowed(kept) == ["i0", "i3", "i4"]
    entities.upsert_items(graph, [{"itemId": "i1", "stock": 4}, {"itemId": "i0", "stock": 0}, {"itemId": "i7"}])
    assert allowed(kept) == ["i0", "i3", "i4"]
    clock.pass_by(FRESH_S + 0.1)
    assert allowed(kept) == ["i1", "i3", "i4", "i7"]


def test_what_this_process_writes_shows_at_once(graph: Graph, clock: Clock, allowed: Any) -> None:
    kept = Catalogue(100, clock)
    assert "i1" not in allowed(kept)
    entities.upsert_items(graph, [{"itemId": "i1", "stock": 4}])
    kept.expect_change()
    assert "i1" in allowed(kept)
    kept.forget("i1")
    assert "i1" not in allowed(kept)


def test_who_comes_while_a_write_is_being_read_waits_for_it(
    graph: Graph, clock: Clock, allowed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Catalogue(10, clock)
    assert "i4" in allowed(kept)
    entities.upsert_items(graph, [{"itemId": "i4", "stock": 0}])
    kept.expect_change()
    reading, go_on, read = threading.Event(), threading.Event(), catalogue.changes

    def slow(*given: Any) -> catalogue.Changes:
        reading.set()
        assert go_on.wait(10)
        return read(*given)

    monkeypatch.setattr(catalogue, "changes", slow)
    first = threading.Thread(target=kept.shelf, args=(graph,))
    first.start()
    assert reading.wait(10)
    seen: list[list[str]] = []
    second = threading.Thread(target=lambda: seen.append(allowed(kept)))
    second.start()
    second.join(0.2)
    assert not seen  # what it had would be from before the write
    go_on.set()
    first.join(10)
    second.join(10)
    assert "i4" not in seen[0]


def test_deletions_elsewhere_show_by_the_number_of_items(graph: Graph, clock: Clock, allowed: Any) -> None:
    kept = Catalogue(100, clock)
    assert "i4" in allowed(kept)
    entities.delete_item(graph, "i4")
    clock.pass_by(REREAD_AFTER_S + 1)

    def is_gone() -> bool:
        clock.pass_by(FRESH_S + 0.1)
        return "i4" not in allowed(kept)

    until(is_gone, 30)
    assert allowed(kept) == ["i0", "i3"]


def test_items_beyond_the_limit_are_looked_up_for_a_list(graph: Graph, clock: Clock) -> None:
    kept = Catalogue(2, clock)
    assert len(kept.shelf(graph)) == 2
    beside = kept.learn(graph, ["i0", "i3", "i4", "none"])
    assert beside is not None
    assert [item for item in ("i3", "i4", "none") if beside.view(Wanted(kind="content")).allows(item)] == ["i3"]
    assert kept.learn(graph, ["none"]) is None
    entities.upsert_items(graph, [{"itemId": "none"}])
    clock.pass_by(FRESH_S + 0.1)
    assert len(kept.shelf(graph)) == 2
    assert kept.learn(graph, ["none"]) is not None


def test_an_item_that_is_new_is_known_when_a_list_meets_it(graph: Graph, clock: Clock) -> None:
    kept = Catalogue(100, clock)
    kept.shelf(graph)
    entities.upsert_items(graph, [{"itemId": "i6"}])
    assert not kept.shelf(graph).view().allows("i6")
    assert kept.learn(graph, ["i6"]) is None
    assert kept.shelf(graph).view().allows("i6")
