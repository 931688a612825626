"""The rules that a list obeys, on a real graph through the application: filters, ages, diversity, what is drawn."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from api.app import Application, create_app
from api.catalogue import FRESH_S
from engine.serving.exploration import explore
from graph import entities, keys, rehearsal, served
from graph.connection import Graph
from graph.settings import Settings
from tests.graph import small_shop
from tests.integration.test_api import Caller, assert_problem, event, ids
from tests.workers.processes import until
from workers import queue
from workers.served import keep


@pytest.fixture(scope="module")
def app(
    settings: Settings, graph: Graph, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Application]:
    small_shop.fill(graph, settings)
    rehearsal.rehearse(graph)  # the first events would wait for plans, on a busy machine longer than a request may
    wine = {"category": "wine", "kind": "content", "brand": "bodega", "currency": "EUR"}
    ages = [{"minAge": 18} if n % 2 else {} for n in range(12)]
    entities.upsert_items(
        graph, [{"itemId": f"x{n:02}", "priceMinor": 100 * n, **wine, **age} for n, age in enumerate(ages)]
    )
    given = {"broker_url": broker_url, "signing_key": "k" * 32, "home": tmp_path_factory.mktemp("lists")}
    made = create_app(dataclasses.replace(settings, neo4j_password=settings.password(), **given))
    yield made
    made.extensions["kith"].close()


@pytest.fixture(scope="module")
def call(app: Application, graph: Graph) -> Caller:
    return Caller(app.test_client(), keys.create(graph, ["admin"]))


def listed(call: Caller, user: str, query: str = "") -> dict[str, Any]:
    response = call("GET", f"/v1/users/{user}/recommendations?{query}")
    assert response.status_code == 200, response.text
    return response.json or {}


def test_filters_choose_among_the_published_list(call: Caller) -> None:
    found = listed(call, "eve", "category=books&limit=5")
    assert (found["strategy"], found["filled"]) == ("published", 0)
    assert ids(found) == ["i00", "i04", "i08", "i12", "i16"]
    assert ids(listed(call, "eve", "brand=acme&limit=3")) == ["i00", "i01", "i02"]
    assert listed(call, "eve", "category=none")["items"] == []


def test_what_the_filter_leaves_too_short_is_filled_with_what_fits(call: Caller, app: Application) -> None:
    found = listed(call, "eve", "category=books&limit=20")
    assert found["filled"] == 0
    assert len(found["items"]) == 10  # all the shop's books
    likes = [event("like", "dan", itemId=item) for item in ("x04", "x06")]
    assert call("POST", "/v1/events", json=likes).status_code == 202
    app.extensions["kith"].popular._counted_at = float("-inf")
    wine = listed(call, "eve", "category=wine&limit=4")
    assert (wine["strategy"], wine["filled"]) == ("published", 4)
    assert set(ids(wine)[:2]) == {"x04", "x06"}
    assert wine["items"][0]["reasons"] == ["popular"]
    assert all(item.startswith("x") for item in ids(wine))


def test_prices_need_a_currency_and_bounds_that_fit(call: Caller) -> None:
    found = listed(call, "eve", "priceMin=400&priceMax=800&currency=EUR&kind=content")
    assert set(ids(found)) == {"x04", "x06", "x08"}
    for query, pointer in (
        ("priceMin=4", "/currency"),
        ("priceMin=9&priceMax=4&currency=EUR", "/priceMin"),
        ("kind=service", "/kind"),
        ("currency=euro", "/currency"),
        ("diversity=2", "/diversity"),
        ("explore=0.9", "/explore"),
        ("priceMin=-1&currency=EUR", "/priceMin"),
    ):
        problem = assert_problem(call("GET", f"/v1/users/eve/recommendations?{query}"), 422)
        assert [each["pointer"] for each in problem["errors"]] == [pointer], query


def test_items_with_an_age_are_for_those_who_have_it(call: Caller, graph: Graph, settings: Settings) -> None:
    limited = {f"x{n:02}" for n in range(1, 12, 2)}

    def wines(user: str) -> set[str]:
        return set(ids(listed(call, user, "category=wine&limit=20")))

    assert not wines("ben") & limited  # unknown: too young
    for born, may in (("2000-02-29", True), ("2020-01-01", False)):
        assert call("PUT", "/v1/users/ben", json={"birthDate": born}).status_code == 200
        assert bool(wines("ben") & limited) == may
    refused = assert_problem(call("PUT", "/v1/users/ben", json={"birthDate": "in May"}), 422)
    assert refused["errors"][0]["pointer"] == "/birthDate"
    assert_problem(call("PUT", "/v1/items/x00", json={"minAge": "18+"}), 422)
    entities.upsert_users(graph, settings, [{"userId": "old", "consent": [], "birthDate": "1950-01-01"}])
    assert not wines("old") & limited  # without consent nothing of the user is read


def test_a_diverse_list_has_more_categories(call: Caller) -> None:
    likes = [event("like", "cat", itemId=item) for item in ("i31", "i35", "i39")]
    assert call("POST", "/v1/events", json=likes).status_code == 202

    def categories(query: str) -> int:
        return len({small_shop.category(item) for item in ids(listed(call, "cat", query)) if item.startswith("i")})

    assert categories("limit=4&diversity=0") < categories("limit=4&diversity=0.9") == 4
    assert ids(listed(call, "cat", "diversity=0")) == ids(listed(call, "cat"))


def test_drawn_places_tell_their_propensity_and_can_be_drawn_again(call: Caller, app: Application) -> None:
    found = listed(call, "eve", "limit=10&explore=0.3")
    drawn = [row for row in found["items"] if "exploration" in row["reasons"]]
    assert len(drawn) == 3
    assert len({row["propensity"] for row in drawn}) == 1
    assert all(row["propensity"] == 1.0 for row in found["items"] if row not in drawn)
    assert "propensity" not in listed(call, "eve")["items"][0]
    # The seed of the signed id draws the same list again: 7 kept, the pool as its propensity says.
    seed = app.extensions["kith"].signer.read("recommendation", found["recommendationId"])["s"]
    again = explore(7 + round(3 / drawn[0]["propensity"]), 10, 0.3, random.Random(seed))
    assert [place.is_drawn for place in again] == [row in drawn for row in found["items"]]
    best = ids(listed(call, "eve"))[:7]
    kept = [(place, row) for place, row in zip(again, found["items"], strict=True) if not place.is_drawn]
    assert [row["itemId"] for place, row in kept] == [best[place.candidate] for place, _ in kept]


def test_without_consent_nothing_is_drawn_and_no_name_is_recorded(
    call: Caller, app: Application, graph: Graph, settings: Settings, broker: redis.Redis
) -> None:
    entities.upsert_users(graph, settings, [{"userId": "quiet", "consent": []}])
    silent, named = listed(call, "quiet", "explore=0.5"), listed(call, "eve", "explore=0.5&channel=mail")
    assert "propensity" not in silent["items"][0]
    kith = app.extensions["kith"]
    until(lambda: queue.served(kith.settings).entries > 0 and not (kith.served._waiting or kith.served._taken), 10)
    keep(kith.settings)
    rows = [row for table in served.read(Path(kith.settings.served)) for row in table.to_pylist()]
    by_list = {row["recommendationId"]: row for row in rows}
    assert by_list[silent["recommendationId"]]["userId"] is None
    assert by_list[named["recommendationId"]]["userId"] == "eve"
    assert by_list[named["recommendationId"]]["channel"] == "mail"
    told = [row["propensity"] for row in rows if row["recommendationId"] == named["recommendationId"]]
    assert told == pytest.approx([row["propensity"] for row in named["items"]], abs=1e-6)


def test_items_change_for_every_process_within_the_stated_time(
    call: Caller, app: Application, graph: Graph, settings: Settings
) -> None:
    other = create_app(app.extensions["kith"].settings)
    ask = Caller(other.test_client(), keys.create(graph, ["admin"]))
    top = ids(listed(ask, "dan"))[0]
    call("PUT", f"/v1/items/{top}", json={"stock": 0})
    assert top not in ids(listed(call, "dan"))
    until(lambda: top not in ids(listed(ask, "dan")), FRESH_S + 2)
    call("PUT", f"/v1/items/{top}", json={"stock": 5})
    other.extensions["kith"].close()


def test_an_event_moves_the_next_list_of_every_process(call: Caller, app: Application, graph: Graph) -> None:
    other = create_app(app.extensions["kith"].settings)
    ask = Caller(other.test_client(), keys.create(graph, ["admin"]))
    assert "i01" in ids(listed(ask, "dan"))
    assert call("POST", "/v1/events", json=event("purchase", "dan", itemId="i01", valueMinor=1, currency="EUR")).json
    assert "i01" not in ids(listed(ask, "dan"))
    other.extensions["kith"].close()
