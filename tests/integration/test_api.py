"""The API on a real graph, through the application itself; a server process is started where a process is the point."""

from __future__ import annotations

import dataclasses
import re
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import BaseModel
from werkzeug.test import TestResponse

from api.app import Application, create_app
from api.keyring import SCOPE_ATTRIBUTE
from api.shapes import answers
from api.shapes.cascades import Cascade, Cascades
from api.shapes.jobs import Models, VersionCard
from api.shapes.spread import Spread
from graph import cascades, entities, forecasts, jobs, keys, rehearsal
from graph.connection import Graph
from graph.server.process import free_ports
from graph.settings import Settings
from tests.graph import small_shop
from tests.workers.processes import until

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def app(settings: Settings, graph: Graph, broker_url: str) -> Iterator[Application]:
    small_shop.fill(graph, settings)
    made = create_app(dataclasses.replace(settings, broker_url=broker_url, signing_key="k" * 32))
    yield made
    made.extensions["kith"].close()


class Caller:
    """A client with a key."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}

    def __call__(self, verb: str, path: str, **given: Any) -> TestResponse:
        return self._client.open(path, method=verb, headers=self._headers, **given)

    def tell(self, *events: dict[str, Any]) -> None:
        """Send events, again after each 503, as it asks; a Neo4j that has just started compiles its plans first."""
        while (response := self("POST", "/v1/events", json=list(events))).status_code == 503:
            time.sleep(float(response.headers["Retry-After"]))
        assert response.status_code == 202, response.text


@pytest.fixture(scope="module")
def call(app: Application, graph: Graph) -> Caller:
    return Caller(app.test_client(), keys.create(graph, ["admin"]))


def event(kind: str, user: str, **given: Any) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    return {"eventId": uuid.uuid4().hex, "type": kind, "userId": user, "occurredAt": at, **given}


def listed(call: Caller, user: str, limit: int = 10) -> dict[str, Any]:
    response = call("GET", f"/v1/users/{user}/recommendations?limit={limit}")
    assert response.status_code == 200, response.text
    return response.json or {}


def ids(answer: dict[str, Any]) -> list[str]:
    return [row["itemId"] for row in answer["items"]]


def assert_problem(response: TestResponse, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.mimetype == PROBLEM
    body = response.json
    assert isinstance(body, dict)
    assert body["status"] == status
    assert body["requestId"] == response.headers["X-Request-Id"]
    assert {"type", "title", "detail"} <= body.keys()
    return body


def test_a_like_takes_the_item_out_and_brings_its_neighbours(call: Caller) -> None:
    before = listed(call, "dan")
    assert before["strategy"] == "published"
    assert before["modelVersion"] == "v1"
    assert ids(before)[0] == "i00"
    assert call("POST", "/v1/events", json=event("like", "dan", itemId="i00")).status_code == 202
    after = listed(call, "dan")
    assert "i00" not in ids(after)
    assert "recentSimilar" in next(row for row in after["items"] if row["itemId"] == "i04")["reasons"]


def test_three_likes_in_one_category_raise_its_share_of_the_top_ten(call: Caller) -> None:
    def share() -> float:
        return sum(small_shop.category(item) == "shoes" for item in ids(listed(call, "cat"))) / 10

    before = share()
    likes = [event("like", "cat", itemId=item) for item in ("i31", "i35", "i39")]
    assert call("POST", "/v1/events", json=likes).json == {"accepted": 3, "duplicates": 0, "rejected": []}
    assert share() > before


def test_out_of_stock_items_leave_and_come_back(call: Caller) -> None:
    top = ids(listed(call, "eve"))[0]
    assert call("PUT", f"/v1/items/{top}", json={"stock": 0}).status_code == 200
    assert top not in ids(listed(call, "eve"))
    assert call("PUT", f"/v1/items/{top}", json={"stock": 3}).status_code == 200
    assert ids(listed(call, "eve"))[0] == top


def test_newcomers_are_served_by_acts_by_friends_or_by_what_is_popular(call: Caller) -> None:
    nothing = listed(call, "fay")
    assert nothing["strategy"] == "popular"
    assert all(row["reasons"] == ["popular"] for row in nothing["items"])
    call("PUT", "/v1/users/fay/friends/cat", json={"strength": 2})
    friends = listed(call, "fay")
    assert friends["strategy"] == "friends"
    assert set(ids(friends)[:3]) == {"i31", "i35", "i39"}
    assert friends["items"][0]["reasons"] == ["friends"]
    call("POST", "/v1/events", json=event("like", "fay", itemId="i10"))
    acted = listed(call, "fay")
    assert acted["strategy"] == "inductive"
    assert small_shop.category(ids(acted)[0]) == small_shop.category("i10")
    assert "i10" not in ids(acted)


def test_without_consent_the_list_is_the_same_for_everyone(call: Caller, graph: Graph, settings: Settings) -> None:
    entities.upsert_users(graph, settings, [{"userId": name, "consent": []} for name in ("x1", "x2")])
    call("POST", "/v1/events", json=[event("like", "x1", itemId="i05"), event("friend", "x1", friendId="ann")])
    one, other = listed(call, "x1"), listed(call, "x2")
    assert one["strategy"] == other["strategy"] == "popular"
    assert one["items"] == other["items"]


def test_explain_tells_the_parts_and_they_add_up(call: Caller) -> None:
    rows = (call("GET", "/v1/users/dan/recommendations?explain=true").json or {})["items"]
    assert all(row["score"] == pytest.approx(sum(row["parts"].values()), abs=1e-5) for row in rows)


def test_the_recommendation_id_is_signed_and_carries_version_time_and_seed(call: Caller, app: Application) -> None:
    content = app.extensions["kith"].signer.read("recommendation", listed(call, "eve")["recommendationId"])
    assert content["v"] == "v1"
    assert abs(content["t"] / 1000 - datetime.now(UTC).timestamp()) < 60
    assert 0 <= content["s"] < 2**32


def test_share_targets_rank_and_leave_out_buyers_and_who_got_it(call: Caller) -> None:
    path = "/v1/users/ann/share-targets?itemId=i07"
    first = call("GET", path).json or {}
    assert {row["userId"] for row in first["targets"]} == {"ben", "cat", "dan"}
    assert all("friend" in row["reasons"] for row in first["targets"])
    call.tell(
        event("purchase", "ben", itemId="i07", valueMinor=5, currency="EUR"),
        event("share", "ann", itemId="i07", recipientIds=["cat"]),
    )
    assert [row["userId"] for row in (call("GET", path).json or {})["targets"]] == ["dan"]
    other = {
        row["userId"]: row for row in (call("GET", "/v1/users/ann/share-targets?itemId=i08").json or {})["targets"]
    }
    assert "sharedBefore" in other["cat"]["reasons"]
    # half of one fresh share, and 0.5 S/D = 0.5 * 3/4 of the formula
    assert other["cat"]["score"] >= 0.5 + 0.375 - 1e-3


def test_influencers_page_by_cursor_and_a_new_version_ends_it(call: Caller, graph: Graph, settings: Settings) -> None:
    page = call("GET", "/v1/influencers?limit=2").json or {}
    assert [row["userId"] for row in page["influencers"]] == ["ben", "eve"]
    following = call("GET", f"/v1/influencers?limit=2&cursor={page['cursor']}").json or {}
    assert [(row["rank"], row["userId"]) for row in following["influencers"]] == [(3, "cat"), (4, "dan")]
    assert_problem(call("GET", f"/v1/influencers?category=books&cursor={page['cursor']}"), 409)
    assert_problem(call("GET", "/v1/influencers?cursor=forged"), 422)
    shoes = call("GET", "/v1/influencers?category=shoes").json or {}
    assert "cat" in [row["userId"] for row in shoes["influencers"]]


def test_similar_items_and_search(call: Caller) -> None:
    near = call("GET", "/v1/items/i20/similar?limit=3").json or {}
    assert (near["strategy"], ids(near)) == ("published", ["i16", "i24", "i12"])
    call("PUT", "/v1/items/brand-new", json={"title": "new", "category": "music"})
    fresh = call("GET", "/v1/items/brand-new/similar?limit=3").json or {}
    assert all(small_shop.category(item) == "music" for item in ids(fresh))
    page = call("GET", "/v1/items?category=games&limit=4").json or {}
    rest = call("GET", f"/v1/items?category=games&limit=50&cursor={page['cursor']}").json or {}
    found = ids(page) + ids(rest)
    assert found == [item for item in small_shop.ITEMS if small_shop.category(item) == "games"]
    assert_problem(call("GET", f"/v1/items?category=books&cursor={page['cursor']}"), 422)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/users/eve/recommendations?explain=true", answers.Recommendations),
        ("/v1/users/eve/recommendations", answers.Recommendations),
        ("/v1/users/ann/share-targets?itemId=i09", answers.ShareTargets),
        ("/v1/users/eve/profile", answers.Profile),
        ("/v1/users/eve/influence", answers.Influence),
        ("/v1/items/i20/similar", answers.SimilarItems),
        ("/v1/influencers", answers.Influencers),
        ("/v1/influencers?category=shoes", answers.Influencers),
        ("/v1/items?q=thing", answers.Items),
        ("/v1/models", Models),
        ("/v1/models/v1", VersionCard),
        ("/live", answers.Live),
        ("/ready", answers.Ready),
    ],
)
def test_what_is_answered_is_what_the_document_says(call: Caller, path: str, model: type[BaseModel]) -> None:
    response = call("GET", path)
    assert response.status_code == 200, response.text
    model.model_validate(response.json)


def test_profile_and_influence(call: Caller) -> None:
    call("PUT", "/v1/users/eve", json={"city": "Oslo", "age": 30})
    profile = call("GET", "/v1/users/eve/profile").json or {}
    assert profile["attributes"] == {"city": "Oslo", "age": 30}
    assert (profile["influenceScore"], profile["modelVersion"]) == (4.0, "v1")
    influence = call("GET", "/v1/users/eve/influence").json or {}
    assert influence["influenceScore"] == 4.0
    assert influence["influenceLow"] == pytest.approx(4.0 - 1.96 * 0.2, abs=1e-3)
    assert influence["influenceHigh"] == pytest.approx(4.0 + 1.96 * 0.2, abs=1e-3)
    first = influence["influences"][0]
    assert (first["userId"], first["probability"], first["reasons"]) == ("ben", 0.5, [])
    friends = call("GET", "/v1/users/ann/influence").json or {}
    assert friends["influences"][0]["reasons"] == ["friend"]
    nobody = call("GET", "/v1/users/fay/influence").json or {}
    assert (nobody["influenceScore"], nobody["influenceLow"], nobody["influences"]) == (None, None, [])


def test_upserts_tell_new_from_changed_and_deletes_end_it(call: Caller) -> None:
    assert call("PUT", "/v1/users/zed", json={}).status_code == 201
    assert call("PUT", "/v1/users/zed", json={"city": "Rome"}).status_code == 200
    assert call("PUT", "/v1/users/zed/friends/ann", json={}).status_code == 201
    assert call("DELETE", "/v1/users/zed/friends/ann").status_code == 204
    assert_problem(call("DELETE", "/v1/users/zed/friends/ann"), 404)
    assert call("DELETE", "/v1/users/zed").status_code == 204
    assert_problem(call("DELETE", "/v1/users/zed"), 404)
    batch = call("POST", "/v1/users:batch", json=[{"userId": "y1"}, {"userId": 7}, 3]).json or {}
    assert (batch["created"], [each["index"] for each in batch["rejected"]]) == (1, [1, 2])
    refused = assert_problem(call("POST", "/v1/items:batch", json=[{"itemId": ""}]), 422)
    assert refused["rejected"][0]["problem"]["errors"][0]["pointer"] == "/itemId"
    wrong = assert_problem(call("PUT", "/v1/items/i00", json={"embedding_a": [1]}), 422)
    assert wrong["errors"][0]["pointer"] == "/embedding_a"


def test_each_event_is_judged_alone(call: Caller) -> None:
    good, other = event("like", "eve", itemId="i11"), event("like", "eve", itemId="i12")
    late = {**other, "eventId": "late", "occurredAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    mixed = call("POST", "/v1/events", json=[good, {**good, "itemId": "i13"}, good, late])
    assert mixed.status_code == 202
    body = mixed.json or {}
    assert (body["accepted"], body["duplicates"]) == (1, 1)
    assert [(each["index"], each["problem"]["status"]) for each in body["rejected"]] == [(1, 409), (3, 422)]
    again = call("POST", "/v1/events", json=good)
    assert (again.status_code, again.json) == (202, {"accepted": 0, "duplicates": 1, "rejected": []})
    none = assert_problem(call("POST", "/v1/events", json={"type": "like"}), 422)
    assert none["rejected"][0]["index"] == 0
    assert_problem(call("POST", "/v1/events", json=[]), 422)
    assert_problem(call("POST", "/v1/events", json=7), 422)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/trainings", "/v1/users:batch", "/v1/items:batch"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 5000 + b"]" * 5000,
        b'{"a": NaN}',
        b'{"userId": "\\ud800"}',
        b'[{"userId": "a\\u0000"}]',
        b'[{"userId": "a", "age": 9223372036854775808}]',
        b'[{"itemId": "a", "age": 9223372036854775808}]',
        b'[{"userId": "a", "userId": "a"}]',
        b'{"a": "\xff"}',
        b"null",
        b'"text"',
        b"[[[[1]]]]",
        b'{"seed": 1e300}',
    ],
)
def test_bad_bodies_are_refused_and_nothing_breaks(call: Caller, path: str, body: bytes) -> None:
    response = call("POST", path, data=body, content_type="application/json")
    assert response.status_code in (400, 422), response.text
    assert_problem(response, response.status_code)


def test_bodies_too_large_or_of_another_type_are_refused(call: Caller, settings: Settings) -> None:
    assert_problem(call("POST", "/v1/events", data=b" " * (settings.max_body_bytes + 1)), 413)
    assert_problem(call("POST", "/v1/events", data=b"{}", content_type="text/plain"), 415)
    assert_problem(call("POST", "/v1/events", data=b"{}"), 415)


def test_unknown_addresses_methods_and_parameters_are_problems(call: Caller, app: Application) -> None:
    assert_problem(call("GET", "/v1/nothing"), 404)
    wrong = call("PUT", "/v1/events", json={})
    assert_problem(wrong, 405)
    assert "POST" in wrong.headers["Allow"]
    assert_problem(call("GET", "/v1/users/nobody/recommendations"), 404)
    bad = assert_problem(call("GET", "/v1/users/ann/recommendations?limit=1000&x=1"), 422)
    assert {each["pointer"] for each in bad["errors"]} == {"/limit", "/x"}
    assert_problem(call("GET", "/v1/users/" + "a" * 300 + "/profile"), 422)
    assert_problem(call("GET", "/v1/users/a%00b/profile"), 422)
    given = app.test_client().get("/live", headers={"X-Request-Id": "mine-1"})
    assert given.headers["X-Request-Id"] == "mine-1"


def test_every_address_names_a_scope_and_keeps_to_it(app: Application, graph: Graph) -> None:
    client = app.test_client()
    scopes = {name: {"Authorization": f"Bearer {keys.create(graph, [name])}"} for name in ("read", "ingest")}
    public = {"/live", "/ready", "/openapi.json", "/docs"}
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static" or rule.rule.startswith("/console"):  # tests/integration/test_console.py
            continue
        needed = getattr(app.view_functions[rule.endpoint], SCOPE_ATTRIBUTE)
        assert (needed == "public") == (rule.rule in public), rule.rule
        if needed == "local":  # tests/integration/test_metrics.py
            assert rule.rule == "/metrics"
            continue
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        for verb in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            if needed == "public":
                continue
            refused = client.open(path, method=verb)
            assert_problem(refused, 401)
            assert refused.headers["WWW-Authenticate"].startswith("Bearer")
            for name, headers in scopes.items():
                if name != needed:
                    assert_problem(client.open(path, method=verb, headers=headers), 403)


def test_a_training_is_accepted_also_without_a_broker(
    app: Application, graph: Graph, settings: Settings, broker_url: str
) -> None:
    silent = dataclasses.replace(settings, broker_port=free_ports(1)[0], broker_url="", signing_key="k" * 32)
    other = create_app(silent)
    headers = {"Authorization": f"Bearer {keys.create(graph, ['admin'])}"}
    response = other.test_client().post("/v1/trainings", json={"epochs": 1}, headers=headers)
    assert response.status_code == 202, response.text
    job = response.json or {}
    assert response.headers["Location"] == f"/v1/jobs/{job['jobId']}"
    followed = app.test_client().get(response.headers["Location"], headers=headers)
    assert (followed.json or {})["state"] == "queued"
    assert jobs.get(graph, job["jobId"])["options"]["epochs"] == 1
    ended = app.test_client().delete(response.headers["Location"], headers=headers)
    assert (ended.status_code, (ended.json or {})["state"]) == (202, "cancelled")
    other.extensions["kith"].close()


def test_models_are_listed_and_unknown_ones_not_published(call: Caller) -> None:
    body = call("GET", "/v1/models").json or {}
    assert body["published"]["modelVersion"] == "v1"
    assert [each["modelVersion"] for each in body["models"]] == ["v1"]
    assert_problem(call("POST", "/v1/models/nothing:publish"), 404)
    assert_problem(call("POST", "/v1/models/..:publish"), 404)
    accepted = call("POST", "/v1/models/v1:publish")
    assert accepted.status_code == 202
    assert (accepted.json or {})["kind"] == "publish"
    assert (accepted.json or {})["options"] == {"modelVersion": "v1", "force": False}


def test_a_version_is_published_by_force_if_the_body_says_so(call: Caller) -> None:
    forced = call("POST", "/v1/models/v1:publish", json={"force": True})
    assert (forced.json or {})["options"]["force"] is True
    for wrong in ({"force": "yes"}, {"forced": True}, []):
        assert_problem(call("POST", "/v1/models/v1:publish", json=wrong), 422)
    document = call("GET", "/openapi.json").json or {}
    body = document["paths"]["/v1/models/{version}:publish"]["post"]["requestBody"]
    assert body["required"] is False
    assert document["paths"]["/v1/trainings"]["post"]["requestBody"]["required"] is True


def test_a_models_card_is_read_and_an_unknown_models_is_not_there(call: Caller) -> None:
    body = call("GET", "/v1/models/v1").json or {}
    assert (body["modelVersion"], body["live"], body["heldBack"]) == ("v1", True, False)
    assert isinstance(body["card"], dict)
    assert_problem(call("GET", "/v1/models/v2"), 404)
    assert_problem(call("GET", "/v1/models/.."), 404)


def test_ready_says_what_is_there(app: Application) -> None:
    body = app.test_client().get("/ready").json or {}
    assert (body["status"], body["broker"], body["modelVersion"]) == ("ready", "ready", "v1")


def test_not_ready_while_neo4j_plans_the_first_statements(
    settings: Settings, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = threading.Event()
    monkeypatch.setattr(rehearsal, "rehearse", lambda graph: planned.wait(60))
    young = create_app(dataclasses.replace(settings, broker_url=broker_url, signing_key="k" * 32))
    young.extensions["kith"].warm_up()
    client = young.test_client()
    response = client.get("/ready")
    assert_problem(response, 503)
    assert int(response.headers["Retry-After"]) >= 1
    assert client.get("/live").status_code == 200
    planned.set()
    until(lambda: client.get("/ready").status_code == 200)
    young.extensions["kith"].close()


def test_without_neo4j_every_answer_is_a_503_within_five_seconds(settings: Settings, broker_url: str) -> None:
    gone = dataclasses.replace(
        settings, bolt_port=free_ports(1)[0], broker_url=broker_url, neo4j_password="x", signing_key="k" * 32
    )
    client = create_app(gone).test_client()
    key = "kith_" + "0" * 16 + "_" + "0" * 64
    began = datetime.now(UTC)
    response = client.get("/v1/users/ann/recommendations", headers={"Authorization": f"Bearer {key}"})
    assert_problem(response, 503)
    assert int(response.headers["Retry-After"]) >= 1
    assert (datetime.now(UTC) - began).total_seconds() < 5
    assert_problem(client.get("/ready"), 503)
    assert client.get("/live").status_code == 200


def test_the_document_is_openapi_31_with_the_problems_of_every_address(app: Application) -> None:
    client = app.test_client()
    document = client.get("/openapi.json").json or {}
    assert document["openapi"].startswith("3.1")
    operations = {
        (verb, path): operation for path, verbs in document["paths"].items() for verb, operation in verbs.items()
    }
    served = {
        (verb.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for verb in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.split(".")[0] not in ("static", "openapi", "metrics", "console")
    }
    assert set(operations) == served
    assert len({operation["operationId"] for operation in operations.values()}) == len(operations)
    for (verb, path), operation in operations.items():
        assert {"405", "500", "503"} <= operation["responses"].keys(), (verb, path)
        assert path in ("/live", "/ready") or {"401", "403"} <= operation["responses"].keys()
        named = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))
        assert all(response.get("description") for response in operation["responses"].values())
    for reference in set(re.findall(r'"\$ref":\s*"#/([^"]+)"', client.get("/openapi.json").text)):
        at: Any = document
        for part in reference.split("/"):
            at = at[part]


def test_the_docs_page_asks_nothing_of_other_hosts(app: Application) -> None:
    page = app.test_client().get("/docs")
    assert page.status_code == 200
    assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", page.text)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_a_friends_share_shows_with_its_reason_until_consent_goes(call: Caller) -> None:
    before = ids(listed(call, "ann", 40)).index("i38")
    call("POST", "/v1/events", json=event("share", "ben", itemId="i38"))
    after = listed(call, "ann", 40)
    assert ids(after).index("i38") < before - 5
    assert "friendShared" in after["items"][ids(after).index("i38")]["reasons"]
    assert call("PUT", "/v1/users/ben/consent", json={"consent": ["personalisation"]}).status_code == 200
    assert ids(listed(call, "ann", 40)).index("i38") == before


def test_a_cascade_and_the_list_of_those_that_grow(call: Caller, graph: Graph, settings: Settings) -> None:
    first = event("share", "xia", itemId="i05", campaignId="autumn")
    later = event("share", "yan", itemId="i05", parentShareId=first["eventId"])
    assert call("POST", "/v1/events", json=[first, later]).status_code == 202
    while cascades.count(graph, settings):
        pass
    found = call("GET", f"/v1/cascades/{later['eventId']}").json or {}
    Cascade.model_validate(found)
    assert (found["shareId"], found["cascadeSize"], found["recentShares"]) == (
        first["eventId"],
        2,
        pytest.approx(2, abs=0.1),
    )
    assert [row["userId"] for row in found["shares"]] == ["xia", "yan"]
    assert (found["forecastSize"], found["forecasts"], found["unusual"]) == (None, [], [])
    made = forecasts.Forecasted(first["eventId"], None, shares=2, size=5, low=3, high=9, codes=("burst",))
    assert forecasts.write(graph, [made], 1_780_000_000_000) == {"burst": 1}
    found = call("GET", f"/v1/cascades/{later['eventId']}").json or {}
    Cascade.model_validate(found)
    at = {"at": "2026-05-28T20:26:40.000Z", "size": 5, "low": 3, "high": 9}
    assert (found["forecasts"], found["forecastAt"], found["unusual"]) == ([at], at["at"], ["burst"])
    page = call("GET", "/v1/cascades?campaignId=autumn&limit=1").json or {}
    Cascades.model_validate(page)
    assert [row["shareId"] for row in page["cascades"]] == [first["eventId"]]
    assert (page["cascades"][0]["unusual"], page["cascades"][0]["forecastSize"]) == (["burst"], 5)
    rest = call("GET", f"/v1/cascades?campaignId=autumn&limit=1&cursor={page['cursor']}").json or {}
    assert rest == {"cascades": [], "cursor": None}
    assert_problem(call("GET", f"/v1/cascades?limit=1&cursor={page['cursor']}"), 409)
    assert_problem(call("GET", "/v1/cascades/nothing"), 404)
    assert_problem(call("GET", "/v1/cascades?active=perhaps"), 422)


def test_how_shares_spread(call: Caller, graph: Graph, settings: Settings) -> None:
    first = event("share", "xia", itemId="i06", campaignId="winter", channel="mail")
    later = event("share", "yan", itemId="i06", parentShareId=first["eventId"])
    opened = event("open", "zoe", shareId=first["eventId"])
    assert call("POST", "/v1/events", json=[first, later, opened]).status_code == 202
    while cascades.count(graph, settings):
        pass
    found = call("GET", "/v1/spread?by=item&itemId=i06").json or {}
    Spread.model_validate(found)
    assert (found["by"], found["maturityS"], found["groupCount"], found["truncated"]) == ("item", 259_200, 1, False)
    (group,) = found["groups"]
    assert (group["key"], group["shares"], group["kFactor"], group["amplification"]) == ("i06", 2, 0.5, 2.0)
    assert (group["reproductionNumber"], group["censoredParents"], group["conversionRate"]) == (None, 2, 0.0)
    assert not {"xia", "yan", "zoe", first["eventId"]} & {str(value) for value in group.values()}
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    by_campaign = call("GET", f"/v1/spread?by=campaign&campaignId=winter&until={tomorrow}&limit=1").json or {}
    assert [(each["key"], each["shares"]) for each in by_campaign["groups"]] == [("winter", 1)]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("by=week", "/by"),
        ("since=yesterday", "/since"),
        ("limit=0", "/limit"),
        ("maturityS=0", "/maturityS"),
        ("users=all", "/users"),
        ("since=2020-01-01&until=2024-01-01", "/since"),
        ("until=0001-01-01", "/since"),
    ],
)
def test_a_spread_report_out_of_bounds_is_a_problem(call: Caller, query: str, pointer: str) -> None:
    body = assert_problem(call("GET", f"/v1/spread?{query}"), 422)
    assert pointer in [error["pointer"] for error in body["errors"]]
