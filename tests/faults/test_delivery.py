"""R4: an event that is sent ten times from eight clients takes effect once, also after its effect was deleted.
R7: the commit is done and the answer is lost, on the way to the client or on the way from Neo4j: one effect each.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graph.connection import Graph
from graph.digest import digest
from graph.event_shapes import SHAPES
from graph.settings import Settings
from tests.faults.conftest import FULL, Report
from tests.faults.served import Answer, Client, Cut, Shop, new_key, served

pytestmark = [pytest.mark.timeout(1_800 if FULL else 280), pytest.mark.usefixtures("empty")]

Cypher = Callable[..., list[dict[str, Any]]]
Event = dict[str, Any]

SEED = 20_261_123
CLIENTS, DELIVERIES = 8, 10
ROUNDS = 10 if FULL else 1
CUTS = 200 if FULL else 10
COMMIT = b"\x00\x02\xb0\x12\x00\x00"
"""Bolt's COMMIT as a driver sends it: a chunk of two bytes, a structure without fields and with this signature."""
START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)


def event(kind: str, event_id: str, minute: int = 0, **fields: Any) -> Event:
    return {"eventId": event_id, "type": kind, "occurredAt": (START + timedelta(minutes=minute)).isoformat(), **fields}


@pytest.fixture(scope="module")
def bolt(settings: Settings) -> Iterator[Cut]:
    """The API server's way to Neo4j, on which the answer to a commit can be lost."""
    with Cut(int(settings.bolt_uri.rpartition(":")[2]), lambda part: part.endswith(COMMIT)).open() as cut:
        yield cut


@pytest.fixture(scope="module")
def shop(
    settings: Settings, graph: Graph, bolt: Cut, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    address = f"bolt://127.0.0.1:{bolt.port}"
    through = dataclasses.replace(settings, neo4j_uri=address, neo4j_password=settings.password())
    with served(through, broker_url, tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def clients(shop: Shop, graph: Graph, empty: None) -> Iterator[list[Client]]:
    key = new_key(graph)
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Client(shop.port, key)) for _ in range(CLIENTS)]


def given(round_: int) -> list[Event]:
    """Return what must be there before the events of `one_of_each`."""
    n = f":{round_}"
    return [
        event("purchase", f"bought{n}", userId="ben", itemId=f"pan{n}", valueMinor=900, currency="EUR"),
        event("share", f"root{n}", userId="ben", itemId=f"pan{n}"),
        event("friend", f"were{n}", userId=f"ann{n}", friendId="ben"),
        event("follow", f"did{n}", userId=f"ann{n}", friendId="ben"),
    ]


def one_of_each(round_: int) -> dict[str, tuple[Event, Event, str]]:
    """Return for every type an event, another body for its id, and a query that counts its effects."""
    n = f":{round_}"
    act = {"userId": f"ada{n}", "itemId": f"cup{n}"}
    acts = "MATCH (:User {{userId: $u}})-[r:{}]->(:Item {{itemId: $i}}) RETURN count(r) AS n"
    tie = {"userId": f"ada{n}", "friendId": f"bob{n}"}
    was = {"userId": f"ann{n}", "friendId": "ben"}
    ended = "MATCH (e:KithEndedTie {userId: $u}) WHERE e.tieKey STARTS WITH '[\"%s\"' RETURN count(e) AS n"
    found: dict[str, tuple[Event, Event, str]] = {}

    def add(kind: str, counted: str, other: Event, minute: int = 0, **fields: Any) -> None:
        one = event(kind, f"{kind}{n}", minute, **fields)
        found[kind] = (one, {**one, **other}, counted)

    add("view", acts.format("VIEWED").replace("count(r)", "sum(r.count)"), {"itemId": "other"}, **act)
    for kind, name in (("like", "LIKED"), ("comment", "COMMENTED"), ("save", "SAVED"), ("hide", "HIDDEN")):
        add(kind, acts.format(name), {"userId": "other"}, **act)
    add("addToCart", acts.format("ADDED_TO_CART"), {"channel": "mail"}, **act)
    add("rate", acts.format("RATED"), {"rating": 2}, rating=4, **act)
    add("click", acts.format("CLICKED"), {"recommendationId": "r2"}, recommendationId="r1", **act)
    paid = {"valueMinor": 500, "currency": "EUR", "shareId": f"root{n}"}
    add("purchase", acts.format("PURCHASED"), {"valueMinor": 501}, **act, **paid)
    add(
        "refund", "MATCH ()-[p:PURCHASED {eventId: $p}]->() RETURN coalesce(sum(p.refundedMinor), 0) / 7 AS n",
        {"valueMinor": 8}, purchaseEventId=f"bought{n}", valueMinor=7,
    )  # fmt: skip
    add(
        "share", "MATCH (u:User {userId: $u})-[r:SHARED]->(s:Share {shareId: $e})-[:OF_ITEM]->(:Item {itemId: $i}) "
        "MATCH (s)-[t:SENT_TO]->(:User {userId: 'ben'}) MATCH (s)-[w:RESHARE_OF]->() RETURN count(*) AS n",
        {"recipientIds": ["bob"]}, recipientIds=["ben"], parentShareId=f"root{n}", **act,
    )  # fmt: skip
    add(
        "open", "MATCH (:User {userId: $u})-[r:OPENED]->(:Share {shareId: $s}) RETURN count(r) AS n",
        {"platform": "web"}, userId=f"ada{n}", shareId=f"root{n}",
    )  # fmt: skip
    ties = "MATCH (:User {{userId: $u}})-[r:{}]-(:User {{userId: $f}}) RETURN count(r) AS n"
    add("friend", ties.format("FRIEND"), {"strength": 3}, strength=2, **tie)
    add("follow", ties.format("FOLLOWS"), {"friendId": "other"}, **tie)
    add("block", ties.format("BLOCKED"), {"channel": "app"}, **tie)
    add("unfriend", ended % "FRIEND", {"friendId": "other"}, 5, **was)
    add("unfollow", ended % "FOLLOWS", {"friendId": "other"}, 5, **was)
    assert found.keys() == SHAPES.keys()
    return found


def effects(cypher: Cypher, one: Event, query: str) -> int:
    names = {"u": "userId", "i": "itemId", "f": "friendId", "s": "shareId", "p": "purchaseEventId", "e": "eventId"}
    return cypher(query, **{short: one.get(name) for short, name in names.items()})[0]["n"]


def at_once(clients: list[Client], bodies: list[Event]) -> list[Answer]:
    """Send the bodies, one a request, from all clients; the first of each client starts at the same moment."""
    start = threading.Barrier(len(clients))

    def send(number: int) -> list[Answer]:
        start.wait(10)
        return [clients[number].patient(body) for body in bodies[number :: len(clients)]]

    with ThreadPoolExecutor(len(clients)) as pool:
        return list(itertools.chain.from_iterable(pool.map(send, range(len(clients)))))


def undo(cypher: Cypher, client: Client, round_: int) -> None:
    """Take every effect back: as a client would where there is a way, else by hand."""
    n = f":{round_}"
    response, _ = client.call("DELETE", f"/v1/users/ada{n}/friends/bob{n}")
    assert response.status == 204
    back = [
        event("unfollow", f"gone{n}", 9, userId=f"ada{n}", friendId=f"bob{n}"),
        event("friend", f"again{n}", 9, userId=f"ann{n}", friendId="ben"),
        event("follow", f"anew{n}", 9, userId=f"ann{n}", friendId="ben"),
    ]
    assert client.patient(back).accepted == len(back)
    cypher("MATCH (s:Share {shareId: $s}) DETACH DELETE s", s=f"share{n}")
    cypher("MATCH ()-[p:PURCHASED {eventId: $p}]->() DELETE p", p=f"bought{n}")
    cypher("MATCH (:User {userId: $u})-[r]->() WHERE NOT type(r) IN ['FRIEND', 'FOLLOWS'] DELETE r", u=f"ada{n}")


def test_ten_times_from_eight_clients_every_type_once(clients: list[Client], cypher: Cypher, report: Report) -> None:
    for round_ in range(ROUNDS):
        assert clients[0].patient(given(round_)).accepted == 4
        for one, _, query in one_of_each(round_).values():
            said = at_once(clients, [one] * DELIVERIES)
            found = effects(cypher, one, query)
            report.attempted += len(said)
            report.acknowledged += sum(each.accepted + each.duplicates for each in said)
            report.lost += found == 0
            report.duplicated += max(found - 1, 0) + (sum(each.accepted for each in said) - 1)
            report.unexpected += sum(each.status != 202 for each in said)
    assert (report.lost, report.duplicated, report.unexpected) == (0, 0, 0)
    assert report.acknowledged == report.attempted == ROUNDS * len(SHAPES) * DELIVERIES


def test_after_its_effect_was_deleted_it_stays_deleted(
    clients: list[Client], graph: Graph, cypher: Cypher, report: Report
) -> None:
    for round_ in range(ROUNDS):
        every = one_of_each(round_)
        assert clients[0].patient(given(round_)).accepted == 4
        assert clients[0].patient([one for one, _, _ in every.values()]).accepted == len(SHAPES)
        undo(cypher, clients[0], round_)
        before = digest(graph)
        for one, _, query in every.values():
            gone = effects(cypher, one, query)
            said = at_once(clients, [one] * DELIVERIES)
            report.attempted += len(said)
            report.acknowledged += sum(each.duplicates for each in said)
            report.duplicated += effects(cypher, one, query) != gone
            report.unexpected += sum(each.status != 202 or each.accepted > 0 for each in said)
        assert digest(graph) == before
    assert (report.duplicated, report.unexpected) == (0, 0)
    assert report.acknowledged == report.attempted


def test_another_body_under_the_same_id_is_a_conflict(
    clients: list[Client], graph: Graph, cypher: Cypher, report: Report
) -> None:
    for round_ in range(ROUNDS):
        every = one_of_each(round_)
        assert clients[0].patient(given(round_)).accepted == 4
        for one, other, _ in every.values():
            said = at_once(clients, [one, other] * DELIVERIES)
            taken = Counter(number % 2 for number, each in enumerate(_in_order(said)) if each.status == 202)
            report.attempted += len(said)
            report.acknowledged += taken.total()
            report.duplicated += sum(each.accepted for each in said) - 1
            report.unexpected += taken.total() != DELIVERIES or len(taken) != 1
            report.unexpected += sum(
                (each.status, each.problems) != (422, (409,)) for each in said if each.status != 202
            )
        before = digest(graph)
        mixed = [body for one, other, _ in every.values() for body in (one, other)]
        said = at_once(clients, mixed)
        report.unexpected += sum(each.duplicates for each in said) != len(every)
        whole = clients[0].post(mixed)
        report.unexpected += (whole.status, whole.duplicates, whole.problems) != (202, len(every), (409,) * len(every))
        assert digest(graph) == before
    assert (report.duplicated, report.unexpected) == (0, 0)
    assert cypher("MATCH (e:Event) RETURN count(e) AS n") == [{"n": ROUNDS * (len(SHAPES) + 4)}]


def _in_order(said: list[Answer]) -> list[Answer]:
    """Return the answers in the order of the bodies, as `at_once` was given them."""
    count = len(said)
    order = [number for client in range(CLIENTS) for number in range(count)[client::CLIENTS]]
    return [each for _, each in sorted(zip(order, said, strict=True), key=lambda pair: pair[0])]


def visit(number: int) -> list[Event]:
    """Return a request whose events would be seen twice if they took effect twice."""
    return [
        event("view", f"v{number}", userId="ada", itemId="cup"),
        event("refund", f"r{number}", purchaseEventId="bought:0", valueMinor=1),
        event("like", f"l{number}", userId="ada", itemId="cup"),
        event("share", f"s{number}", userId="ada", itemId="cup", parentShareId="root:0", recipientIds=["ben"]),
        event("open", f"o{number}", userId="ada", shareId="root:0"),
    ]


SUMS = """MATCH (:User {userId: 'ada'})-[v:VIEWED]->(:Item {itemId: 'cup'})
MATCH ()-[p:PURCHASED {eventId: 'bought:0'}]->()
RETURN v.count AS view, p.refundedMinor AS refund, COUNT { ()-[:LIKED]->() } AS like,
  COUNT { (:Share)-[:RESHARE_OF]->(:Share {shareId: 'root:0'}) } AS share, COUNT { ()-[:OPENED]->() } AS open"""


def judge(report: Report, cypher: Cypher) -> None:
    """Count what is there of so many visits as were attempted."""
    for found in cypher(SUMS)[0].values():
        report.lost += max(report.attempted - found, 0)
        report.duplicated += max(found - report.attempted, 0)
    assert (report.lost, report.duplicated, report.unexpected) == (0, 0, 0)
    assert report.acknowledged == report.attempted


def is_in_ledger(cypher: Cypher, number: int) -> bool:
    return cypher("MATCH (e:Event {eventId: $id}) RETURN count(e) AS n", id=f"v{number}") == [{"n": 1}]


def test_the_answer_is_lost_on_its_way_to_the_client(shop: Shop, graph: Graph, cypher: Cypher, report: Report) -> None:
    key = new_key(graph)
    with Cut(shop.port, lambda part: part.startswith(b"POST ")).open() as cut, Client(cut.port, key) as other:
        assert other.patient(given(0)).accepted == 4
        for number in range(CUTS):
            report.attempted += 1
            with Client(cut.port, key) as client:
                cut.armed.set()
                with pytest.raises((http.client.BadStatusLine, ConnectionError)):
                    client.post(visit(number))
            report.recovered += is_in_ledger(cypher, number)
            with Client(cut.port, key) as client:
                again = client.post(visit(number))
            report.acknowledged += again.status == 202
            report.unexpected += (again.accepted, again.duplicates) != (0, 5)
        assert all(answer.startswith(b"HTTP/1.1 202 ") for answer in cut.lost)
    assert len(cut.lost) == report.recovered == CUTS
    judge(report, cypher)


def test_the_answer_to_the_commit_is_lost_on_its_way_from_neo4j(
    shop: Shop, bolt: Cut, graph: Graph, cypher: Cypher, report: Report
) -> None:
    report.seed = SEED
    chance = random.Random(SEED)
    with Client(shop.port, new_key(graph)) as client:
        assert client.patient(given(0)).accepted == 4
        for number in range(CUTS):
            report.attempted += 1
            bolt.armed.set()
            first = client.post(visit(number))
            bolt.armed.clear()
            report.recovered += first.status == 503 and is_in_ledger(cypher, number)
            report.unexpected += first.status not in (202, 503) or (first.status == 503 and not first.retry_after)
            again = [client.post(visit(number)) for _ in range(chance.randrange(1, 4))]
            report.unexpected += any(each.status != 202 for each in again)
            report.acknowledged += again[-1].duplicates + again[-1].accepted == 5
    assert report.recovered > CUTS // 2
    judge(report, cypher)
