"""`GET /v1/users/{id}/share-targets` on a real graph: who is left out, the cap, strangers, the command."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from api.app import Application, create_app
from api.shapes.answers import ShareTargets
from graph import entities, events, keys
from graph.connection import Graph
from graph.settings import Settings
from tests.graph import small_shop
from tests.graph.small_shop import event

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def app(settings: Settings, graph: Graph) -> Iterator[Application]:
    small_shop.fill(graph, settings)
    made = create_app(dataclasses.replace(settings, share_cap=3, share_cap_hours=2.0, signing_key="k" * 32))
    yield made
    made.extensions["kith"].close()


@pytest.fixture(scope="module")
def ask(app: Application, graph: Graph) -> Ask:
    client, headers = app.test_client(), {"Authorization": f"Bearer {keys.create(graph, ['read'])}"}

    def asked(user: str, item: str, status: int = 200, **query: Any) -> dict[str, Any]:
        path = f"/v1/users/{user}/share-targets"
        response = client.get(path, query_string={"itemId": item, **query}, headers=headers)
        assert response.status_code == status, response.text
        return response.json or {}

    return asked


def users(told: dict[str, Any]) -> list[str]:
    return [row["userId"] for row in told["targets"]]


def ago(hours: float = 0.0) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


def test_strangers_are_off_unless_asked_for_and_stand_below_the_known(ask: Ask) -> None:
    known = ask("ann", "i07", limit=10)
    assert sorted(users(known)) == ["ben", "cat", "dan"]
    assert known["capped"] == 0
    more = ask("ann", "i07", limit=10, strangers="true")
    assert more["targets"][:3] == known["targets"]
    (eve,) = more["targets"][3:]  # fay is newer than the version and acted on nothing
    assert (eve["userId"], eve["rank"], eve["reasons"]) == ("eve", 4, ["similarTaste"])
    assert eve["score"] < min(row["score"] for row in known["targets"])
    assert users(ask("ann", "i07", limit=3, strangers="true")) == users(known)
    ShareTargets.model_validate(more)


def test_who_acts_on_the_category_is_a_stranger_too(ask: Ask, graph: Graph, settings: Settings) -> None:
    events.ingest(graph, settings, [event("t0", "like", "fay", ago(), itemId="i11")])  # shoes, like i07
    assert {"userId": "fay", "reasons": ["interestedInCategory"]}.items() <= {
        row["userId"]: {key: row[key] for key in ("userId", "reasons")}
        for row in ask("ann", "i07", limit=10, strangers="true")["targets"]
    }["fay"].items()
    entities.set_consent(graph, "fay", ["personalisation"])
    assert "fay" not in users(ask("ann", "i07", limit=10, strangers="true"))


def test_a_user_without_anybody_gets_strangers_only(ask: Ask) -> None:
    assert ask("eve", "i07")["targets"] == []
    found = ask("eve", "i07", strangers="true")
    # cat: similarity (1 + cos 0.75) / 2 to eve, interest (1 + cos 0.481) / 2 in i07; a third of their sum
    assert found["targets"][0]["score"] == pytest.approx(0.6030, abs=1e-3)
    assert users(found) == ["cat", "dan", "ben", "ann"]
    assert all("similarTaste" in row["reasons"] for row in found["targets"])


def test_who_was_sent_enough_is_left_out_and_counted(ask: Ask, graph: Graph, settings: Settings) -> None:
    def send(n: int, sender: str, hours: float) -> None:
        events.ingest(
            graph, settings, [event(f"t{n}", "share", sender, ago(hours), itemId="i20", recipientIds=["cat"])]
        )

    send(1, "ben", 0.5)
    send(2, "dan", 1.5)
    send(3, "dan", 3.0)  # before the window
    assert "cat" in users(ask("ann", "i07"))
    send(4, "eve", 0.1)
    told = ask("ann", "i07")
    assert (sorted(users(told)), told["capped"]) == (["ben", "dan"], 1)


def test_without_consent_there_are_no_targets(ask: Ask, graph: Graph) -> None:
    entities.set_consent(graph, "dan", ["personalisation", "analytics"])
    assert "dan" not in users(ask("ann", "i07", limit=10, strangers="true"))
    assert ask("dan", "i07", limit=10, strangers="true")["targets"] == []


def test_what_is_wrong_is_said(ask: Ask) -> None:
    assert "no user nobody" in ask("nobody", "i07", status=404)["detail"]
    assert "no item nothing" in ask("ann", "nothing", status=404)["detail"]
    assert ask("ann", "i07", status=422, strangers="perhaps")["errors"][0]["pointer"] == "/strangers"


def test_the_command_shows_the_same(
    ask: Ask, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kith import cli

    for variable, value in dataclasses.replace(settings, share_cap=3, share_cap_hours=2.0).environment().items():
        if variable.startswith(("KITH_", "NEO4J_")):
            monkeypatch.setenv(variable, value)
    assert cli.main(["share-targets", "ann", "i07", "--strangers", "--json"]) == 0
    told = orjson.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert users(told) == users(ask("ann", "i07", strangers="true", limit=10))
    assert cli.main(["share-targets", "ann", "i07"]) == 0
    assert "1 more were sent enough shares lately" in capsys.readouterr().out
