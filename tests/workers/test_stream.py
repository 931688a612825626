"""The consumer on a real Valkey and a real Neo4j: the effect of POST /v1/events, once; dead letters; suspects."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest
import redis

from api.app import create_app
from graph import keys
from graph.connection import Graph
from graph.digest import digest
from graph.errors import SettingsError
from graph.settings import Settings
from kith.stack import checks
from tests.workers.processes import until
from tests.workers.streams import NAME, add, consuming, counts, event, is_done, letters, likes, pending
from workers import alive, event_stream, intake, queue
from workers.event_stream import GROUP, EventStream
from workers.intake import Intake
from workers.patience import Patience

Cypher = Callable[..., list[dict[str, Any]]]
BYTES = 1_000_000
DONE_S = 120.0

pytestmark = pytest.mark.usefixtures("empty")

EVERY_TYPE = [
    event("view", "1", userId="ada", itemId="tea"),
    event("view", "2", userId="ada", itemId="tea"),
    event("rate", "3", userId="ada", itemId="tea", rating=4.5, channel="app"),
    event("refund", "4", purchaseEventId="5", valueMinor=100),
    event("purchase", "5", userId="bob", itemId="cup", valueMinor=1999, currency="EUR", shareId="7"),
    event("share", "6", userId="bob", itemId="tea", parentShareId="7"),
    event("share", "7", userId="ada", itemId="tea", recipientIds=["bob", "cyd"]),
    event("open", "8", userId="bob", shareId="7"),
    event("friend", "9", userId="bob", friendId="ada", strength=2),
    event("follow", "10", userId="cyd", friendId="ada"),
    event("unfollow", "11", userId="cyd", friendId="ada"),
    event("block", "12", userId="cyd", friendId="bob"),
    event("click", "13", userId="cyd", itemId="tea", recommendationId="r"),
    event("like", "1", userId="ada", itemId="cup"),
    event("like", "14", userId="ada", itemId=""),
    event("like", "15", userId="ada", itemId="tea"),
    event("like", "15", userId="ada", itemId="tea"),
]
"""Every relationship that an event makes, two of the same id and body, one with another body, one that is refused."""


@pytest.fixture
def chosen(settings: Settings, broker_url: str) -> Settings:
    return dataclasses.replace(settings, broker_url=broker_url, event_stream=NAME, signing_key="k" * 32)


def through(chosen: Settings, graph: Graph, broker: redis.Redis, *, consumers: int = 1) -> None:
    """Consume until nothing is left."""
    with consuming(chosen, graph, "first"):
        if consumers == 1:
            until(lambda: is_done(broker), DONE_S)
        else:
            with consuming(chosen, graph, "second"):
                until(lambda: is_done(broker), DONE_S)


def test_the_effect_is_that_of_the_api(chosen: Settings, graph: Graph, broker: redis.Redis, cypher: Cypher) -> None:
    app = create_app(chosen)
    bearer = {"Authorization": f"Bearer {keys.create(graph, ['ingest'])}"}
    answer = app.test_client().post("/v1/events", json=EVERY_TYPE, headers=bearer)
    app.extensions["kith"].close()
    assert answer.json is not None
    assert (answer.json["accepted"], answer.json["duplicates"]) == (14, 1)
    by_api = digest(graph)
    cypher("MATCH (n) WHERE NOT n:KithSchema DETACH DELETE n")
    assert digest(graph) != by_api
    ids = add(broker, EVERY_TYPE)
    through(chosen, graph, broker)
    assert digest(graph) == by_api
    assert counts(broker) == {"accepted": 14, "duplicate": 1, "refused": 2}
    told = {each["index"]: each["problem"]["detail"] for each in answer.json["rejected"]}
    assert {ids.index(each["entryId"]): each["reason"] for each in letters(broker)} == told


def test_the_same_entries_again_change_nothing(chosen: Settings, graph: Graph, broker: redis.Redis) -> None:
    given = likes(1_200)
    add(broker, given)
    through(chosen, graph, broker)
    once = digest(graph)
    add(broker, given)
    broker.xgroup_setid(NAME, GROUP, "0")
    through(chosen, graph, broker)
    assert digest(graph) == once
    assert counts(broker) == {"accepted": 1_200, "duplicate": 2_400}


def test_two_consumers_share_the_work_and_do_none_twice(chosen: Settings, graph: Graph, broker: redis.Redis) -> None:
    add(broker, likes(3_000))
    through(chosen, graph, broker, consumers=2)
    assert counts(broker) == {"accepted": 3_000}
    assert {each["name"] for each in broker.xinfo_consumers(NAME, GROUP)} == {b"first", b"second"}
    assert graph.read("monitor.state")[0]["ledgerEvents"] == 3_000


def test_what_cannot_be_read_is_a_dead_letter_and_holds_nobody_up(
    chosen: Settings, graph: Graph, broker: redis.Redis
) -> None:
    bad = {
        b"{": "not JSON",
        b"[]": "must be an object",
        b'{"eventId": "a", "eventId": "b"}': "a key stands twice",
        b'{"eventId": "x", "rating": NaN}': "not JSON",
        b"\xff": "not JSON",
        b"[" * 2_000: "not JSON",
        b'"' + b"x" * 2_000 + b'"': "more than KITH_MAX_BODY_BYTES",
    }
    ids = add(broker, [*bad, likes(1)[0]])
    ids.append(broker.xadd(NAME, {"data": "{}"}).decode())
    through(dataclasses.replace(chosen, max_body_bytes=2_000), graph, broker)
    told = {each["entryId"]: each["reason"] for each in letters(broker)}
    for entry_id, reason in zip(ids, [*bad.values(), None, "one field event"], strict=True):
        assert reason is None or reason in told[entry_id]
    assert counts(broker) == {"accepted": 1, "refused": 8}


def taker(chosen: Settings, graph: Graph, broker: redis.Redis, consumer: str) -> tuple[EventStream, Intake]:
    stream = EventStream(broker, NAME, consumer)
    stream.prepare()
    return stream, Intake(stream, graph, chosen, Patience("Neo4j", threading.Event()))


def test_an_entry_that_goes_on_ending_consumers_is_given_up_and_its_batch_is_not(
    chosen: Settings, graph: Graph, broker: redis.Redis
) -> None:
    ids = add(broker, likes(3))
    stream, work = taker(chosen, graph, broker, "a")
    stream.read(3, BYTES)
    for _ in range(intake.SUSPICIOUS - 1):
        stream.take_over(3, BYTES)
    entries = stream.take_over(3, BYTES)
    assert [each.deliveries for each in entries] == [intake.SUSPICIOUS] * 3
    broker.hset(f"{NAME}:trials", ids[1], intake.MOST_DEATHS)
    work.take(entries)
    assert [(each["entryId"], orjson.loads(each["event"])["eventId"]) for each in letters(broker)] == [(ids[1], "e1")]
    assert "ended 2 times" in letters(broker)[0]["reason"]
    assert pending(broker) == 0
    assert counts(broker) == {"accepted": 2, "refused": 1}
    assert broker.hgetall(f"{NAME}:trials") == {}


def test_an_event_that_the_graph_alone_does_not_take_is_given_up(
    chosen: Settings, graph: Graph, broker: redis.Redis, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "TRIES_IN_VAIN", 1)
    cypher("CREATE CONSTRAINT once FOR ()-[r:LIKED]-() REQUIRE r.channel IS UNIQUE")
    try:
        add(broker, [{**each, "channel": f"c{k % 2}"} for k, each in enumerate(likes(3))])
        stream, work = taker(chosen, graph, broker, "a")
        work.take(stream.read(3, BYTES))
    finally:
        cypher("DROP CONSTRAINT once")
    assert [(orjson.loads(each["event"])["eventId"], each["reason"]) for each in letters(broker)] == [
        ("e2", "cannot be written: UnavailableError")
    ]
    assert counts(broker) == {"accepted": 2, "refused": 1}
    assert cypher("MATCH (e:Event) RETURN collect(e.eventId) AS ids")[0]["ids"] == ["e0", "e1"]


def test_the_state_that_metrics_and_doctor_show(chosen: Settings, graph: Graph, broker: redis.Redis) -> None:
    assert queue.event_stream(dataclasses.replace(chosen, event_stream="")) is None
    assert queue.event_stream(chosen) is None
    add(broker, [*likes(3), b"{"])
    broker.xadd(NAME, {"event": "late"}, id="9999999999999-0")
    stream, work = taker(chosen, graph, broker, alive.name())
    state = queue.event_stream(chosen)
    assert state is not None
    assert (state.waiting, state.pending, state.dead_letters) == (5, 0, 0)
    assert 0 <= state.oldest_s < 10
    entries = stream.read(4, BYTES)
    state = queue.event_stream(chosen)
    assert state is not None
    assert (state.waiting, state.pending) == (1, 4)
    assert 0 <= state.oldest_s < 10
    work.take(entries)
    state = queue.event_stream(chosen)
    assert state is not None
    # What is left lies in the future, by its id.
    assert (state.waiting, state.pending, state.oldest_s, state.dead_letters) == (1, 0, 0.0, 1)
    assert state.counts == {"accepted": 3, "duplicate": 0, "refused": 1, "trimmed": 0}
    assert checks.stream("", chosen)
    broker.xgroup_delconsumer(NAME, GROUP, alive.name())
    assert not checks.stream("", chosen)
    assert checks.stream("", dataclasses.replace(chosen, broker_url="redis://127.0.0.1:1/0")) is None
    broker.set("text", "x")
    with pytest.raises(queue.QueueUnavailableError, match="WRONGTYPE"):
        queue.event_stream(dataclasses.replace(chosen, event_stream="text"))


def test_a_stream_that_was_deleted_is_begun_again(chosen: Settings, graph: Graph, broker: redis.Redis) -> None:
    with consuming(chosen, graph):
        add(broker, likes(2))
        until(lambda: is_done(broker), DONE_S)
        broker.delete(NAME)
        add(broker, likes(3))
        until(lambda: is_done(broker), DONE_S)
    assert counts(broker) == {"accepted": 3, "duplicate": 2}


def test_while_it_waits_for_the_graph_a_batch_is_not_taken_away(
    chosen: Settings, graph: Graph, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    (added,) = add(broker, likes(1))
    stream, _ = taker(chosen, graph, broker, "a")
    stream.read(1, BYTES)
    broker.xclaim(NAME, GROUP, "a", 0, [added], idle=90_000, justid=True)
    other = EventStream(broker, NAME, "b")
    assert other._left(10) == {added: (pytest.approx(90_000, abs=5_000), 1)}
    stream.keep([added])
    assert other._left(10) == {}
    assert event_stream.TAKE_OVER_S < 90


def test_a_broker_address_that_only_the_queue_knows_is_refused(chosen: Settings) -> None:
    with pytest.raises(SettingsError, match="KITH_BROKER_URL"):
        queue.event_stream(dataclasses.replace(chosen, broker_url="sentinel://127.0.0.1:1"))
