"""A cascade as server-sent events, from a real server: whole, then news, through a restart of the server."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from api import server
from graph import cascades, entities, events, keys, sessions
from graph.connection import Graph
from graph.server.process import free_ports
from graph.settings import Settings
from tests.workers.processes import answers, beside, process, until

Cypher = Callable[..., list[dict[str, Any]]]
Event = tuple[str, str, dict[str, Any]]
SOON_S = 10.0
STREAMS = 2


@pytest.fixture(scope="module")
def chosen(settings: Settings, graph: Graph, broker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    entities.upsert_items(graph, [{"itemId": "lamp", "title": "Lamp"}])
    (port,) = free_ports(1)
    given: dict[str, Any] = {"broker_url": broker_url, "signing_key": "k" * 40, "api_port": port, "api_workers": 1}
    return beside(settings, tmp_path_factory.mktemp("api"), **given, api_threads=1, api_streams=STREAMS)


@contextlib.contextmanager
def serving(chosen: Settings) -> Iterator[subprocess.Popen[bytes]]:
    _, _, *arguments = server.command(chosen)
    with process(arguments, chosen, chosen.logs / "api.log") as parent:
        until(lambda: answers(f"http://127.0.0.1:{chosen.api_port}/ready"))
        yield parent


@pytest.fixture(scope="module")
def served(chosen: Settings) -> Iterator[Settings]:
    with serving(chosen):
        yield chosen


@pytest.fixture(scope="module")
def key(graph: Graph) -> str:
    return keys.create(graph, ["read"])


class Reader:
    """Reads a stream in a thread of its own and keeps its events."""

    def __init__(self, chosen: Settings, share_id: str, headers: dict[str, str], query: str = "") -> None:
        self.told: list[Event] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", chosen.api_port, timeout=30)
        self._connection.request("GET", f"/v1/cascades/{share_id}/stream{query}", headers=headers)
        self.response = self._connection.getresponse()
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        if self.response.status == 200:
            self._thread.start()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError, AttributeError):  # a closed connection ends it
            for line in self.response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "event" in fields:
                    self.told.append((fields["event"], fields["id"], json.loads(fields["data"])))
                    fields = {}
        self.ended.set()

    def wait(self, condition: Callable[[list[Event]], bool]) -> list[Event]:
        until(lambda: condition(self.told), SOON_S)
        return self.told

    def close(self) -> None:
        self._connection.sock.shutdown(2)
        self._connection.close()


@contextlib.contextmanager
def reading(chosen: Settings, share_id: str, headers: dict[str, str], query: str = "") -> Iterator[Reader]:
    reader = Reader(chosen, share_id, headers, query)
    ends = time.monotonic() + SOON_S
    while reader.response.status == 503 and time.monotonic() < ends:  # the place of one who left is free after 5 s
        time.sleep(0.2)
        reader = Reader(chosen, share_id, headers, query)
    try:
        yield reader
    finally:
        if not reader.ended.is_set() and reader.response.status == 200:
            reader.close()


def bearer(key: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **more}


def share(graph: Graph, settings: Settings, user: str, share_id: str, parent: str | None = None) -> None:
    at = datetime.now(UTC).isoformat()
    event = {"eventId": share_id, "type": "share", "userId": user, "itemId": "lamp", "occurredAt": at}
    outcome = events.ingest(graph, settings, [{**event, **({"parentShareId": parent} if parent else {})}])
    assert outcome.accepted == 1
    while cascades.count(graph, settings):
        pass


def test_a_cascade_is_told_whole_and_then_its_news(served: Settings, graph: Graph, key: str) -> None:
    share(graph, served, "ann", "a0")
    with reading(served, "a0", bearer(key)) as reader:
        assert reader.response.headers["Content-Type"].startswith("text/event-stream")
        assert reader.response.headers["Cache-Control"] == "no-store"
        name, _, whole = reader.wait(lambda told: len(told) == 1)[0]
        assert name == "cascade"
        assert (whole["cascadeSize"], whole["itemTitle"], whole["truncated"]) == (1, "Lamp", False)
        assert [(one["shareId"], one["userId"]) for one in whole["shares"]] == [("a0", "ann")]
        began = time.monotonic()
        share(graph, served, "ben", "a1", "a0")
        name, _, change = reader.wait(lambda told: len(told) == 2)[1]
        assert time.monotonic() - began < 3
        assert (name, change["cascadeSize"], change["cascadeDepth"], change["gone"]) == ("change", 2, 1, [])
        assert {one["shareId"]: one["parentShareId"] for one in change["shares"]} == {"a0": None, "a1": "a0"}


def test_who_comes_again_hears_what_is_news(served: Settings, graph: Graph, key: str) -> None:
    share(graph, served, "ann", "b0")
    with reading(served, "b0", bearer(key)) as reader:
        last = reader.wait(lambda told: len(told) == 1)[0][1]
    for headers, query in ((bearer(key, **{"Last-Event-ID": last}), ""), (bearer(key), f"?lastEventId={last}")):
        with reading(served, "b0", headers, query) as reader:
            time.sleep(1)
            assert reader.told == []
    share(graph, served, "ben", "b1", "b0")
    with reading(served, "b0", bearer(key, **{"Last-Event-ID": last})) as reader:
        name, _, whole = reader.wait(lambda told: len(told) == 1)[0]
        assert (name, whole["cascadeSize"]) == ("cascade", 2)


def test_a_cascade_that_joins_another_is_told_anew(served: Settings, graph: Graph, key: str) -> None:
    share(graph, served, "ben", "c1", "c0")
    with reading(served, "c1", bearer(key)) as reader:
        assert reader.wait(lambda told: len(told) == 1)[0][2]["shareId"] == "c1"
        share(graph, served, "ann", "c0")
        reader.wait(lambda told: any(one[2]["shareId"] == "c0" for one in told))
        until(lambda: reader.told[-1][2]["cascadeSize"] == 2, SOON_S)
        first = next(one for one in reader.told if one[2]["shareId"] == "c0")
        assert first[0] == "cascade"


def test_who_withdraws_consent_loses_the_name_within_five_seconds(
    served: Settings, graph: Graph, key: str, cypher: Cypher
) -> None:
    share(graph, served, "dan", "d0")
    with reading(served, "d0", bearer(key)) as reader:
        assert reader.wait(lambda told: len(told) == 1)[0][2]["shares"][0]["userId"] == "dan"
        cypher("MATCH (u:User {userId: 'dan'}) SET u.consent = []")
        began = time.monotonic()
        assert reader.wait(lambda told: len(told) == 2)[1][2]["shares"][0]["userId"] is None
        assert time.monotonic() - began < 5


def test_a_revoked_key_ends_the_stream_within_five_seconds(served: Settings, graph: Graph) -> None:
    share(graph, served, "ann", "e0")
    text = keys.create(graph, ["read"])
    with reading(served, "e0", bearer(text)) as reader:
        reader.wait(lambda told: len(told) == 1)
        keys.revoke(graph, text.split("_")[1])
        assert reader.ended.wait(5)


def test_a_session_is_as_good_as_a_key_here_and_only_here(served: Settings, graph: Graph, key: str) -> None:
    share(graph, served, "ann", "f0")
    found = keys.authenticate(graph, key)
    assert found is not None
    cookie = {"Cookie": f"kith_session={sessions.begin(graph, found)}"}
    with reading(served, "f0", cookie) as reader:
        reader.wait(lambda told: len(told) == 1)
    for headers in ({}, {"Cookie": f"kith_session={key}"}, bearer(keys.create(graph, ["ingest"]))):
        with reading(served, "f0", headers) as reader:
            assert reader.response.status in (401, 403)
    request = urllib.request.Request(f"http://127.0.0.1:{served.api_port}/v1/cascades/f0", headers=cookie)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=5)


def test_streams_are_limited_and_leave_requests_their_turns(served: Settings, graph: Graph, key: str) -> None:
    share(graph, served, "ann", "g0")
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(reading(served, "g0", bearer(key))) for _ in range(STREAMS)]
        for reader in readers:
            reader.wait(lambda told: len(told) == 1)
        assert answers(f"http://127.0.0.1:{served.api_port}/live")
        refused = Reader(served, "g0", bearer(key)).response
        assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
    with reading(served, "g0", bearer(key)) as reader:
        reader.wait(lambda told: len(told) == 1)
    with reading(served, "nothing", bearer(key)) as missing:
        assert missing.response.status == 404


def test_a_stream_goes_on_after_a_restart_of_the_server(
    chosen: Settings, served: Settings, graph: Graph, key: str
) -> None:
    del served
    (port,) = free_ports(1)
    other = beside(chosen, chosen.home, broker_url=chosen.broker_url, api_port=port)
    share(graph, chosen, "ann", "h0")
    with serving(other) as parent, reading(other, "h0", bearer(key)) as reader:
        last = reader.wait(lambda told: len(told) == 1)[0][1]
        began = time.monotonic()
        parent.send_signal(signal.SIGTERM)
        parent.wait(20)
        assert time.monotonic() - began < 5  # an open stream does not hold the server up
        assert reader.ended.wait(5)
    share(graph, chosen, "ben", "h1", "h0")
    with serving(other), reading(other, "h0", bearer(key, **{"Last-Event-ID": last})) as reader:
        assert reader.wait(lambda told: len(told) == 1)[0][2]["cascadeSize"] == 2
