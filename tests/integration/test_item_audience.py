"""`GET /v1/items/{id}/audience` on a real graph: the order known by hand, pages, what is wrong, the command."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from api.app import Application, create_app
from api.shapes.answers import Audience
from graph import entities, events, keys
from graph.connection import Graph
from graph.publication import publish
from graph.settings import Settings
from tests.graph import small_shop
from tests.graph.small_shop import event

Ask = Callable[..., dict[str, Any]]
LISTED = 0.982014
"""1 / (1 + exp(-4.0)): i00 is the first of everyone's list, with the logit 4.0."""


@pytest.fixture(scope="module")
def app(settings: Settings, graph: Graph) -> Iterator[Application]:
    small_shop.fill(graph, settings)
    made = create_app(dataclasses.replace(settings, signing_key="k" * 32))
    yield made
    made.extensions["kith"].close()


@pytest.fixture(scope="module")
def ask(app: Application, graph: Graph) -> Ask:
    client, headers = app.test_client(), {"Authorization": f"Bearer {keys.create(graph, ['read'])}"}

    def asked(item: str, status: int = 200, **query: Any) -> dict[str, Any]:
        response = client.get(f"/v1/items/{item}/audience", query_string=query, headers=headers)
        assert response.status_code == status, response.text
        return response.json or {}

    return asked


def users(told: dict[str, Any]) -> list[str]:
    return [row["userId"] for row in told["users"]]


def test_the_order_is_interest_times_whom_they_reach(ask: Ask) -> None:
    told = ask("i00")
    Audience.model_validate(told)
    # interest is everyone's; factor 1 + 0.2 (influence - 1): ben 1.8, cat 1.4, dan 1.2; ann's influence is 1, eve has
    # no friends
    assert [(row["rank"], row["userId"]) for row in told["users"]] == [
        (1, "ben"),
        (2, "cat"),
        (3, "dan"),
        (4, "ann"),
        (5, "eve"),
    ]
    scores = [LISTED * factor for factor in (1.8, 1.4, 1.2, 1.0, 1.0)]
    assert [row["score"] for row in told["users"]] == pytest.approx(scores, abs=1e-5)
    assert [row["reach"] for row in told["users"]] == [2, 2, 1, 3, 0]
    assert [row["influence"] for row in told["users"]] == [5.0, 3.0, 2.0, 1.0, 4.0]
    # ann (0), ben (.375) and cat (.75) lie near i00 at angle 0; dan (1.125) has similarity .716
    assert told["users"][0]["reasons"] == ["recommended", "taste", "influential"]
    assert told["users"][2]["reasons"] == ["recommended"]
    assert told["totals"] == {
        "users": 5,
        "interest": pytest.approx(5 * LISTED, abs=1e-4),
        "score": pytest.approx(sum(scores), abs=1e-4),
    }
    assert (told["modelVersion"], told["influence"], told["reason"], told["cursor"]) == ("v1", 0.2, None, None)


def test_without_influence_interest_alone_counts(ask: Ask) -> None:
    told = ask("i00", influence=0)
    assert users(told) == ["ann", "ben", "cat", "dan", "eve"]
    assert [row["score"] for row in told["users"]] == [row["interest"] for row in told["users"]]


def test_pages_continue_by_cursor(ask: Ask) -> None:
    first = ask("i00", limit=2)
    second = ask("i00", limit=2, cursor=first["cursor"])
    third = ask("i00", limit=2, cursor=second["cursor"])
    assert users(first) + users(second) + users(third) == ["ben", "cat", "dan", "ann", "eve"]
    assert [row["rank"] for row in second["users"]] == [3, 4]
    assert third["cursor"] is None
    assert first["totals"] == third["totals"]
    assert "another question" in ask("i01", 409, cursor=first["cursor"])["detail"]
    assert "another question" in ask("i00", 409, influence=0.5, cursor=first["cursor"])["detail"]
    ask("i00", 422, cursor="forged")


def test_a_cart_raises_a_user_newer_than_the_version(ask: Ask, graph: Graph, settings: Settings) -> None:
    assert "fay" not in users(ask("i39"))
    now = datetime.now(UTC).isoformat()
    events.ingest(graph, settings, [event("c1", "addToCart", "fay", now, itemId="i39")])
    row = next(row for row in ask("i39")["users"] if row["userId"] == "fay")
    assert row["interest"] == pytest.approx(0.25, abs=1e-3)
    assert (row["influence"], row["reach"], row["reasons"]) == (None, 0, ["inCart"])


def test_buyers_leave_and_an_unavailable_item_says_so(ask: Ask, graph: Graph, settings: Settings) -> None:
    now = datetime.now(UTC).isoformat()
    bought = event("c2", "purchase", "ben", now, itemId="i01", valueMinor=5, currency="EUR")
    events.ingest(graph, settings, [bought])
    assert "ben" not in users(ask("i01"))
    entities.upsert_items(graph, [{"itemId": "i02", "stock": 0}])
    told = ask("i02")
    assert (told["users"], told["reason"], told["totals"]["users"]) == ([], "unavailable", 0)
    entities.upsert_items(graph, [{"itemId": "new-here", "category": "books"}])
    assert ask("new-here")["reason"] == "nobody"  # no encoder of this version, and nobody has met it


def test_what_is_wrong_is_said(ask: Ask) -> None:
    assert "no item nothing" in ask("nothing", 404)["detail"]
    wrong = ask("i00", 422, influence=1.5, limit=0)
    assert {each["pointer"] for each in wrong["errors"]} == {"/influence", "/limit"}
    ask("i00", 422, influence="nan")


def test_the_command_shows_the_same(
    ask: Ask, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kith import cli

    for variable, value in settings.environment().items():
        if variable.startswith(("KITH_", "NEO4J_")):
            monkeypatch.setenv(variable, value)
    assert cli.main(["audience", "i00", "--influence", "0", "--json"]) == 0
    told = orjson.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert told["users"] == ask("i00", influence=0)["users"]
    assert cli.main(["audience", "i00", "--limit", "1"]) == 0
    shown = capsys.readouterr().out
    assert "ben" in shown
    assert "cat" not in shown
    assert cli.main(["audience", "i02"]) == 0
    assert "nobody: unavailable" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["audience", "i00", "--influence", "2"])


def test_a_new_version_ends_the_cursor(ask: Ask, graph: Graph, settings: Settings) -> None:
    cursor = ask("i00", limit=2)["cursor"]
    publish(graph, settings, small_shop.artifact("v2"))
    assert "another version" in ask("i00", 409, limit=2, cursor=cursor)["detail"]
    assert ask("i00")["modelVersion"] == "v2"


def test_consent(ask: Ask, graph: Graph) -> None:
    entities.set_consent(graph, "ben", ["sharing"])
    entities.set_consent(graph, "cat", ["personalisation"])
    told = {row["userId"]: row for row in ask("i00")["users"]}
    assert set(told) == {"ann", "cat", "dan", "eve"}
    assert (told["cat"]["influence"], told["cat"]["reach"]) == (None, 0)
    assert told["ann"]["reach"] == 2  # ben and dan; cat does not agree to sharing
