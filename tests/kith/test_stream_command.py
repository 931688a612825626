"""`kith stream status | dead | replay` on a real Valkey and a real Neo4j."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from graph.connection import Graph
from graph.settings import Settings
from kith.cli import main
from kith.doctor import parts
from tests.workers.processes import beside, environment
from tests.workers.streams import NAME, add, event, letters, likes
from workers.event_stream import COPIED_BYTES, EventStream
from workers.intake import Intake
from workers.patience import Patience

Kith = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def chosen(settings: Settings, broker_url: str, tmp_path: Path) -> Settings:
    return beside(settings, tmp_path, broker_url=broker_url, event_stream=NAME, unknown_ids="refuse")


@pytest.fixture
def kith(chosen: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kith:
    """Run a command in the environment of the settings and return its exit code and its JSON."""
    for name, value in environment(chosen).items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        code = main(["stream", *words, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    return run


@pytest.mark.usefixtures("empty")
def test_dead_letters_are_shown_and_written_once_their_cause_is_mended(
    kith: Kith, chosen: Settings, graph: Graph, broker: redis.Redis, cypher: Any
) -> None:
    assert kith("status") == (1, {"stream": NAME, "state": None})
    assert [finding.ok for finding in parts.event_stream(chosen)] == [False]
    long = event("like", "long", userId="u1", itemId="i1", properties={"words": "w" * COPIED_BYTES})
    ids = add(broker, [*likes(1), b"{", long])
    stream = EventStream(broker, NAME, "a")
    stream.prepare()
    Intake(stream, graph, chosen, Patience("Neo4j", threading.Event())).take(stream.read(3, 100_000))
    code, told = kith("status")
    assert (code, told["state"]["waiting"], told["state"]["deadLetters"]) == (0, 0, 3)
    assert told["state"]["entries"] == {"accepted": 0, "duplicate": 0, "refused": 3, "trimmed": 0}
    assert [(finding.ok, finding.note) for finding in parts.event_stream(chosen)] == [(True, False), (True, True)]
    code, told = kith("dead")
    newest, second, oldest = sorted(told["deadLetters"], key=lambda row: row["entryId"], reverse=True)
    assert [row["entryId"] for row in (oldest, second, newest)] == ids
    assert (oldest["reason"], newest["event"]) == ("userId is not known", "")
    code, told = kith("replay", oldest["id"], second["id"], "1-1")
    assert (code, told["replayed"][oldest["id"]]) == (1, "userId is not known")
    assert told["replayed"]["1-1"] == "there is no such dead letter"
    assert len(letters(broker)) == 3
    cypher("UNWIND ['0', '1'] AS k CREATE (:User {userId: 'u' + k}) CREATE (:Item {itemId: 'i' + k})")
    code, told = kith("replay", oldest["id"], newest["id"])
    assert (code, set(told["replayed"].values())) == (0, {"accepted"})
    assert [each["entryId"] for each in letters(broker)] == [ids[1]]
    written = cypher("MATCH (u)-[r:LIKED]->(i) RETURN u.userId AS u, i.itemId AS i ORDER BY u")
    assert [(row["u"], row["i"]) for row in written] == [("u0", "i0"), ("u1", "i1")]


def test_a_mistake_is_one_line(
    kith: Kith, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broker: redis.Redis
) -> None:
    assert main(["stream", "replay", "MATCH (n)"]) == 2
    assert main(["stream", "dead", "--limit", "0"]) == 2
    monkeypatch.setenv("KITH_BROKER_URL", "redis://127.0.0.1:1/0")
    assert main(["stream", "status"]) == 1
    monkeypatch.delenv("KITH_EVENT_STREAM")
    assert main(["stream", "status"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 4


def test_a_table_for_people(kith: Kith, broker: redis.Redis, capsys: pytest.CaptureFixture[str]) -> None:
    add(broker, [b"{"])
    stream = EventStream(broker, NAME, "a")
    stream.prepare()
    stream.bury([(stream.read(1, 100)[0], "not JSON")])
    assert main(["stream", "status"]) == main(["stream", "dead"]) == 0
    told = capsys.readouterr().out
    assert "0 entries wait" in told
    assert "not JSON" in told
