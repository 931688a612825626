"""The console through the application itself: sessions, forms, addresses and errors; its pages are in tests/browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import Application, create_app
from api.keyring import SCOPE_ATTRIBUTE
from graph import cascades, entities, events, keys
from graph.connection import Graph
from graph.settings import Settings
from tests.workers.processes import beside

COOKIE = "kith_session"


@pytest.fixture(scope="module")
def app(
    settings: Settings, graph: Graph, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Application]:
    entities.upsert_items(graph, [{"itemId": "lamp", "title": "Lamp"}])
    told = {"type": "share", "userId": "ann", "itemId": "lamp", "occurredAt": datetime.now(UTC).isoformat()}
    shared = [{**told, "eventId": "s0"}, {**told, "eventId": "s1", "userId": "ben", "parentShareId": "s0"}]
    assert events.ingest(graph, settings, shared).accepted == 2
    cascades.count(graph, settings)
    home = tmp_path_factory.mktemp("api")
    made = create_app(beside(settings, home, broker_url=broker_url, signing_key="k" * 32))
    yield made
    made.extensions["kith"].close()


@pytest.fixture
def client(app: Application) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="module")
def key(graph: Graph) -> str:
    return keys.create(graph, ["read"], label="growth")


def token_of(response: TestResponse) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', response.text)
    assert found is not None
    return found[1]


def log_in(client: FlaskClient, key: str, **given: str) -> TestResponse:
    form = {"csrf": token_of(client.get("/console/login")), "key": key, **given}
    return client.post("/console/login", data=form)


def test_a_key_is_traded_for_a_session_that_logs_out(client: FlaskClient, key: str) -> None:
    assert client.get("/console/cascades").headers["Location"] == "/console/login?next=/console/cascades"
    done = log_in(client, key)
    assert (done.status_code, done.headers["Location"]) == (303, "/console/cascades")
    assert key not in str(done.headers)
    page = client.get("/console/cascades")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "Lamp" in page.text
    assert client.get("/console/cascade/s1").status_code == 200
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    out = client.post("/console/logout", data={"csrf": token_of(page)})
    assert (out.status_code, client.get_cookie(COOKIE)) == (303, None)
    client.set_cookie(COOKIE, cookie.value)
    assert client.get("/console/cascades").status_code == 303  # a copy of the cookie is worth nothing either


def test_pages_say_what_a_browser_may_do(client: FlaskClient, key: str) -> None:
    done = log_in(client, key)
    flags = next(each for each in done.headers.getlist("Set-Cookie") if each.startswith(f"{COOKIE}="))
    assert "HttpOnly" in flags
    assert "SameSite=Strict" in flags
    assert "Max-Age=28800" in flags
    assert "Secure" not in flags
    page = client.get("/console/cascades")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"


def test_behind_https_the_cookie_is_secure(client: FlaskClient, key: str) -> None:
    form = {"csrf": token_of(client.get("/console/login")), "key": key}
    done = client.post("/console/login", data=form, headers={"X-Forwarded-Proto": "https"})
    flags = next(each for each in done.headers.getlist("Set-Cookie") if each.startswith(f"{COOKIE}="))
    assert "Secure" in flags


def test_a_form_of_another_site_does_nothing(client: FlaskClient, app: Application, key: str) -> None:
    token = token_of(client.get("/console/login"))
    for form, headers in (
        ({"key": key}, {}),
        ({"key": key, "csrf": "forged"}, {}),
        ({"key": key, "csrf": token_of(app.test_client().get("/console/login"))}, {}),  # another browser's
        ({"key": key, "csrf": token}, {"Origin": "http://elsewhere.example"}),
        ({"key": key, "csrf": token}, {"Origin": "null"}),
    ):
        refused = client.post("/console/login", data=form, headers=headers)
        assert (refused.status_code, refused.mimetype) == (403, "text/html"), (form, headers)
    assert client.get_cookie(COOKIE) is None
    log_in(client, key)
    assert client.post("/console/logout", data={"csrf": token}).status_code == 403
    assert client.get("/console/cascades").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("/console/cascade/s0?a=b", "/console/cascade/s0?a=b"),
        ("//elsewhere.example/console/", "/console/cascades"),
        ("https://elsewhere.example/console/x", "/console/cascades"),
        ("/console/\\elsewhere.example", "/console/cascades"),
        ("/v1/models", "/console/cascades"),
        ("/console/login", "/console/cascades"),
        ("", "/console/cascades"),
    ],
)
def test_a_login_leads_to_our_pages_only(client: FlaskClient, key: str, wanted: str, place: str) -> None:
    assert log_in(client, key, next=wanted).headers["Location"] == place


def test_a_key_that_may_not_read_does_not_open_the_console(client: FlaskClient, graph: Graph) -> None:
    for text, status, word in (
        (keys.create(graph, ["ingest"]), 403, "scope read"),
        ("kith_" + "0" * 16 + "_" + "0" * 64, 401, "unknown"),
        ("nonsense", 401, "unknown"),
        ("", 401, "unknown"),
    ):
        refused = log_in(client, text)
        assert (refused.status_code, word in refused.text) == (status, True)
        assert not text or text not in refused.text
    assert client.get_cookie(COOKIE) is None


def test_a_revoked_key_ends_its_sessions(client: FlaskClient, graph: Graph, app: Application) -> None:
    text = keys.create(graph, ["read"])
    log_in(client, text)
    keys.revoke(graph, text.split("_")[1])
    app.extensions["kith"].keyring.forget(getattr(client.get_cookie(COOKIE), "value", ""))
    assert client.get("/console/cascades").status_code == 303


def test_a_session_opens_the_console_and_nothing_else(client: FlaskClient, key: str) -> None:
    log_in(client, key)
    assert client.get("/v1/cascades").status_code == 401
    assert client.get("/console/").headers["Location"] == "/console/cascades"
    assert client.get("/console").status_code == 308


def test_errors_are_pages(client: FlaskClient, key: str) -> None:
    log_in(client, key)
    for path, status in (
        ("/console/cascade/nothing", 404),
        ("/console/nothing", 404),
        ("/console/static/nothing.js", 404),
        ("/console/static/../app.py", 404),
        ("/console/cascades?itemId=" + "x" * 2000, 422),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (status, "text/html"), path


def test_every_page_wants_a_session(client: FlaskClient, app: Application) -> None:
    public = {"/console/login", "/console/static/<path:name>"}
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/console")]
    assert len(rules) >= 8
    for rule in rules:
        needed = getattr(app.view_functions[rule.endpoint], SCOPE_ATTRIBUTE)
        assert needed == ("public" if rule.rule in public else "read"), rule.rule
        if rule.rule not in public:
            path = re.sub(r"<[^>]+>", "x", rule.rule)
            for given in ({}, {"Cookie": f"{COOKIE}=kiths_{'0' * 64}"}, {"Authorization": "Bearer nonsense"}):
                for verb in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                    refused = client.open(path, method=verb, headers=given)
                    assert refused.status_code == (303 if verb == "GET" else 401), (verb, path)
                    assert verb != "GET" or refused.headers["Location"].startswith("/console/login?next=/console")


def test_a_link_from_another_site_asks_again_from_our_own_page(client: FlaskClient) -> None:
    answer = client.get("/console/cascades", headers={"Sec-Fetch-Site": "cross-site"})
    assert 'http-equiv="refresh"' in answer.text
    assert client.get("/console/cascades", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303
