"""S2 on events: 100,000 raw bodies; no 5xx, no dead worker, nothing invalid written, each good event there once."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from graph import cascades
from graph.connection import Graph
from graph.settings import Settings
from tests.faults.conftest import FULL, Report
from tests.faults.raw_bodies import Body, made_up
from tests.faults.served import WAIT_S, Shop, new_key, served

pytestmark = [pytest.mark.timeout(7_200 if FULL else 280), pytest.mark.usefixtures("empty")]

Cypher = Callable[..., list[dict[str, Any]]]

SEED = 20_261_126
BODIES = 100_000 if FULL else 2_000
CLIENTS = 4
PATIENCE_S = 0.3
"""How long a client waits on a request that it did not end, before it hangs up."""
INVALID = """MATCH ()-[r]->()
WHERE (r.valueMinor IS NOT NULL AND NOT (r.valueMinor IS :: INTEGER AND 0 <= r.valueMinor <= 1000000000000))
   OR (r.rating IS NOT NULL AND NOT (r.rating IS :: FLOAT AND 0 <= r.rating <= 5))
   OR (r.currency IS NOT NULL AND NOT r.currency =~ '[A-Z]{3}')
   OR (r.eventId IS NOT NULL AND COUNT { MATCH (:Event {eventId: r.eventId}) } <> 1)
   OR r.occurredAt > datetime() + duration('PT5M')
RETURN count(r) AS n"""
BAD_IDS = """MATCH (n) WHERE n:User OR n:Item OR n:Share OR n:Event
WITH coalesce(n.userId, n.itemId, n.shareId, n.eventId) AS id
WHERE id IS NULL OR NOT id IS :: STRING OR size(id) = 0 OR size(id) > 256 OR id CONTAINS $nul
RETURN count(*) AS n"""
EFFECTS = """MATCH ()-[r]->() WHERE r.eventId IS NOT NULL AND NOT r:CONVERTED
RETURN r.eventId AS id, count(r) AS n
UNION ALL MATCH (s:Share) RETURN s.shareId AS id, count(s) AS n"""


@dataclass
class Said:
    """What a client was told."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By kind of body; 0: hung up on without an answer."""
    faults: list[tuple[int, str, int]] = field(default_factory=list)
    """Number, kind and status of what should not have been answered so."""
    good: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    """Ids of events that perhaps are valid and whose request got no answer."""
    accepted: int = 0


class RawClient:
    """A client that sends bytes as they are, on one connection as long as that works."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n".encode()
        self._socket: socket.socket | None = None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def send(self, body: Body) -> tuple[int, bytes]:
        """Send a body and return the status and the answer; 0 where the server hung up."""
        lines = b"".join(f"{name}: {value}\r\n".encode() for name, value in body.headers)
        head = self._head + b"Content-Type: application/json\r\n" + lines
        if body.framing is not None:
            self.close()
            try:
                return self._exchange(head + body.framing(body.raw), WAIT_S if body.good else PATIENCE_S)
            finally:
                self.close()
        whole = head + b"Content-Length: %d\r\n\r\n" % len(body.raw) + body.raw
        status, answer = self._exchange(whole, WAIT_S)
        if status == 0:  # it closed an idle connection, or hangs up on this body: a second, fresh one tells
            self.close()
            status, answer = self._exchange(whole, WAIT_S)
        return status, answer

    def _exchange(self, raw: bytes, wait_s: float) -> tuple[int, bytes]:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(WAIT_S)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read all
            self._socket.sendall(raw)
        self._socket.settimeout(wait_s)
        response = http.client.HTTPResponse(self._socket, method="POST")
        try:
            response.begin()
            answer = response.read()
        except (http.client.HTTPException, OSError):
            self.close()
            return 0, b""
        if response.will_close:
            self.close()
        return response.status, answer


def send_all(shop: Shop, key: str, numbers: range) -> Said:
    said = Said()
    client = RawClient(shop.port, key)
    for number in numbers:
        body = made_up(number, SEED)
        status, answer = client.send(body)
        said.statuses[body.kind, status] += 1
        told = json.loads(answer) if status in (202, 422) else {}
        said.accepted += told.get("accepted", 0)
        said.good.update(body.good)
        if body.may_pass and status == 0:
            said.unknown.add(f"bad{number}")
        if body.good:
            right = status == 202 and told["accepted"] + told["duplicates"] == len(body.good)
        else:
            right = 400 <= status < 500 or (body.may_pass and status == 202) or (body.framing and status == 0)
        if not right:
            said.faults.append((number, body.kind, status))
    client.close()
    return said


@pytest.fixture(scope="module")
def shop(settings: Settings, graph: Graph, broker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with served(settings, broker_url, tmp_path_factory.mktemp("api")) as running:
        yield running


def test_raw_bodies_kill_nobody_and_write_nothing_invalid(
    shop: Shop, settings: Settings, graph: Graph, cypher: Cypher, report: Report
) -> None:
    report.seed = SEED
    before = shop.workers()
    key = new_key(graph)
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        parts = [range(number, BODIES, CLIENTS) for number in range(CLIENTS)]
        said = list(pool.map(lambda numbers: send_all(shop, key, numbers), parts))
    statuses = sum((one.statuses for one in said), Counter())
    faults = [fault for one in said for fault in one.faults]
    print(f"seconds={time.monotonic() - began:.0f} statuses={dict(Counter(s for _, s in statuses.elements()))}")
    print("\n".join(f"{kind:20} {status:4} {count:6}" for (kind, status), count in sorted(statuses.items())))
    good = set().union(*(one.good for one in said))
    ledger = {row["id"] for row in cypher("MATCH (e:Event) RETURN e.eventId AS id")}
    effects = {row["id"]: row["n"] for row in cypher(EFFECTS)}
    report.attempted, report.acknowledged = BODIES, sum(one.accepted for one in said)
    report.lost = len(good - ledger)
    ledger -= set().union(*(one.unknown for one in said))
    report.duplicated = sum(n - 1 for n in effects.values()) + max(len(ledger) - report.acknowledged, 0)
    report.unexpected = len(faults) + len({one for one in ledger if one.startswith("bad")} - may_pass())
    report.recovered = len(shop.workers() & before)
    assert faults == [], f"{len(faults)} wrong answers, the first: {faults[:5]}"
    assert (report.lost, report.duplicated, report.unexpected) == (0, 0, 0)
    assert shop.workers() == before
    assert len(ledger) == report.acknowledged
    assert cypher(INVALID) == [{"n": 0}]
    assert cypher(BAD_IDS, nul="\x00") == [{"n": 0}]
    while cascades.count(graph, settings):  # nothing that was written stops the counting
        pass


def may_pass() -> set[str]:
    """Return the ids of events of which one field was changed, perhaps to something that is valid too."""
    bodies = (made_up(number, SEED) for number in range(BODIES))
    return {f"bad{number}" for number, body in enumerate(bodies) if body.may_pass}
