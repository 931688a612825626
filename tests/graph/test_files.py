"""Import of folders on a real Neo4j: bad rows aside, twice the same as once, cut off and begun again."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from graph import files
from graph.connection import Graph
from graph.digest import digest
from graph.errors import InputError
from graph.events import ingest
from graph.settings import CONSENT_PURPOSES, Settings

Cypher = Callable[..., list[dict[str, Any]]]

TABLES = {
    "users": (
        "userId,createdAt,city,age,consent\n"
        "ada,2026-01-02T03:04:05Z,Graz,36,all\n"
        "bob,,,,none\n"
        "cem,,Bonn,,sharing|analytics\n"
    ),
    "items": (
        "itemId,title,category,price,currency,rating,available,code\n"
        "cup,A cup,kitchen,19.99,EUR,4.5,true,007\n"
        "fan,A fan,home,500,JPY,4,false,008\n"
    ),
    "friends": "userId,friendId,since,strength\nbob,ada,2026-01-01,2.5\nada,cem,,\n",
    "follows": "userId,friendId,since\nada,bob,2026-01-01T00:00:00+02:00\n",
    "interactions": (
        "eventId,userId,itemId,type,occurredAt,valueMinor,currency,rating,device\n"
        "e1,ada,cup,like,2026-01-01T10:00:00Z,,,,phone\n"
        "e2,ada,cup,purchase,2026-01-01T11:00:00Z,1999,EUR,,\n"
        "e3,bob,cup,rate,,,,4,\n"
        ",bob,fan,view,2026-01-01T12:00:00Z,,,,\n"
        ",bob,fan,view,2026-01-01T13:00:00Z,,,,\n"
        ",dee,jar,save,,,,,\n"
    ),
    "shares": (
        "shareId,userId,itemId,occurredAt,channel,parentShareId,recipientId\n"
        "s2,bob,cup,2026-01-03,app,s1,cem\n"
        "s1,ada,cup,2026-01-02,app,,bob\n"
        "s1,ada,cup,2026-01-02,app,,cem\n"
    ),
    "opens": "eventId,userId,shareId,occurredAt\no1,bob,s1,2026-01-02T01:00:00Z\n,cem,s2,\n",
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with every table."""
    made = tmp_path / "shop"
    made.mkdir()
    for name, text in TABLES.items():
        (made / f"{name}.csv").write_text(text)
    return made


def quarantined(report: files.ImportReport) -> list[tuple[str, int, str]]:
    """Return what lies in the quarantine file."""
    if not report.quarantine:
        return []
    with Path(report.quarantine).open(newline="", encoding="utf-8") as file:
        return [(row["file"], int(row["line"]), row["reason"]) for row in csv.DictReader(file)]


def test_every_table_arrives(graph: Graph, settings: Settings, cypher: Cypher, shop: Path) -> None:
    report = files.import_folder(graph, settings, shop)
    assert (report.dataset, report.form, report.quarantined, report.quarantine) == ("shop", "tables", 0, "")
    assert report.rows == {
        "users": 3, "items": 2, "friends": 2, "follows": 1, "interactions": 6, "shares": 2, "opens": 2,
    }  # fmt: skip
    assert (report.accepted, report.duplicates) == (10, 0)
    assert cypher(
        "MATCH (u:User) RETURN u.userId AS u, u.city AS city, u.age AS age, u.consent AS consent, u.stub AS stub, "
        "toString(u.createdAt) AS at ORDER BY u"
    ) == [
        {"u": "ada", "city": "Graz", "age": 36, "consent": list(CONSENT_PURPOSES), "stub": None,
         "at": "2026-01-02T03:04:05Z"},
        {"u": "bob", "city": None, "age": None, "consent": [], "stub": None, "at": None},
        {"u": "cem", "city": "Bonn", "age": None, "consent": ["sharing", "analytics"], "stub": None, "at": None},
        {"u": "dee", "city": None, "age": None, "consent": list(CONSENT_PURPOSES), "stub": True, "at": None},
    ]  # fmt: skip
    assert cypher(
        "MATCH (i:Item) RETURN i.itemId AS i, i.priceMinor AS p, i.rating AS r, i.available AS a, i.code AS c "
        "ORDER BY i"
    ) == [
        {"i": "cup", "p": 1999, "r": 4.5, "a": True, "c": "007"},
        {"i": "fan", "p": 500, "r": 4.0, "a": False, "c": "008"},
        {"i": "jar", "p": None, "r": None, "a": None, "c": None},
    ]
    assert cypher(
        "MATCH (a:User)-[r:FRIEND|FOLLOWS]->(b) RETURN type(r) AS t, a.userId AS a, b.userId AS b, r.strength AS s, "
        "toString(r.since) AS at ORDER BY t, b"
    ) == [
        {"t": "FOLLOWS", "a": "ada", "b": "bob", "s": None, "at": "2025-12-31T22:00:00Z"},
        {"t": "FRIEND", "a": "ada", "b": "bob", "s": 2.5, "at": "2026-01-01T00:00:00Z"},
        {"t": "FRIEND", "a": "ada", "b": "cem", "s": 1.0, "at": None},
    ]
    assert cypher(
        "MATCH (u:User)-[r]->(i:Item) RETURN type(r) AS t, u.userId AS u, i.itemId AS i, r.eventId IN $given AS given, "
        "r.count AS n, r.rating AS rating, r.valueMinor AS v, r.device AS d ORDER BY t",
        given=["e1", "e2", "e3"],
    ) == [
        {"t": "LIKED", "u": "ada", "i": "cup", "given": True, "n": None, "rating": None, "v": None, "d": "phone"},
        {"t": "PURCHASED", "u": "ada", "i": "cup", "given": True, "n": None, "rating": None, "v": 1999, "d": None},
        {"t": "RATED", "u": "bob", "i": "cup", "given": True, "n": None, "rating": 4.0, "v": None, "d": None},
        {"t": "SAVED", "u": "dee", "i": "jar", "given": False, "n": None, "rating": None, "v": None, "d": None},
        {"t": "VIEWED", "u": "bob", "i": "fan", "given": None, "n": 2, "rating": None, "v": None, "d": None},
    ]
    assert cypher(
        "MATCH (s:Share) OPTIONAL MATCH (s)-[:SENT_TO]->(u) WITH s, u ORDER BY u.userId "
        "RETURN s.shareId AS s, s.rootShareId AS r, s.depth AS d, collect(u.userId) AS to ORDER BY s"
    ) == [
        {"s": "s1", "r": "s1", "d": 0, "to": ["bob", "cem"]},
        {"s": "s2", "r": "s1", "d": 1, "to": ["cem"]},
    ]
    assert cypher("MATCH (u)-[o:OPENED]->(s) RETURN u.userId AS u, s.shareId AS s ORDER BY u") == [
        {"u": "bob", "s": "s1"},
        {"u": "cem", "s": "s2"},
    ]
    assert cypher("MATCH (e:Event) RETURN DISTINCT e.imported AS i") == [{"i": True}]


def test_twice_is_as_once_from_csv_or_parquet(graph: Graph, settings: Settings, shop: Path, tmp_path: Path) -> None:
    files.import_folder(graph, settings, shop)
    once = digest(graph)
    again = files.import_folder(graph, settings, shop)
    assert (again.accepted, again.duplicates) == (0, 10)
    assert digest(graph) == once
    other = tmp_path / "columns" / "shop"
    other.mkdir(parents=True)
    for path in shop.iterdir():
        frame = pd.read_csv(path, dtype={"code": str, "age": "Int64"})
        for name in ("occurredAt", "since", "createdAt"):
            if name in frame:
                frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
        frame.to_parquet(other / f"{path.stem}.parquet")
    third = files.import_folder(graph, settings, other)
    assert (third.accepted, third.duplicates, third.quarantined) == (0, 10, 0)
    assert digest(graph) == once


def test_an_event_of_the_api_is_not_doubled_by_an_import(graph: Graph, settings: Settings, shop: Path) -> None:
    sent = [
        {"eventId": "e1", "type": "like", "userId": "ada", "itemId": "cup", "occurredAt": "2026-01-01T11:00:00+01:00",
         "properties": {"device": "phone"}},
        {"eventId": "e2", "type": "purchase", "userId": "ada", "itemId": "cup", "occurredAt": "2026-01-01T11:00:00Z",
         "valueMinor": 1999, "currency": "EUR"},
        {"eventId": "s1", "type": "share", "userId": "ada", "itemId": "cup", "occurredAt": "2026-01-02T00:00:00Z",
         "channel": "app", "recipientIds": ["cem", "bob"]},
        {"eventId": "o1", "type": "open", "userId": "bob", "shareId": "s1", "occurredAt": "2026-01-02T01:00:00Z"},
    ]  # fmt: skip
    assert ingest(graph, settings, sent, imported=True).accepted == 4
    report = files.import_folder(graph, settings, shop)
    assert (report.accepted, report.duplicates, report.quarantined) == (6, 4, 0)
    assert ingest(graph, settings, sent, imported=True).duplicates == 4


def test_an_event_with_another_body_goes_to_quarantine(graph: Graph, settings: Settings, shop: Path) -> None:
    sent = {"eventId": "e1", "type": "save", "userId": "ada", "itemId": "cup", "occurredAt": "2026-01-01T10:00:00Z"}
    ingest(graph, settings, [sent], imported=True)
    report = files.import_folder(graph, settings, shop)
    assert quarantined(report) == [("interactions.csv", 2, "eventId is already there with another body")]


def test_bad_rows_are_set_aside_and_good_ones_go_in(
    graph: Graph, settings: Settings, cypher: Cypher, tmp_path: Path
) -> None:
    made = tmp_path / "poison"
    made.mkdir()
    (made / "users.csv").write_bytes(
        b"userId,score,createdAt\nada,1.5,\n,2,\nbob,nan,\ncem,inf,\ndee,1,soon\nada,1.5,\nada,9,\n\xff\xfe,1,\n"
        b"n\x00l,1,\n" + b"x" * 257 + b",1,\nlate,1,2999-01-01\nfew\n"
    )
    (made / "items.csv").write_text(
        "itemId,price,priceMinor,currency\ncup,1,,EUR\nfan,1,100,EUR\njar,1,,\nmug,x,,EUR\nrug,0.001,,EUR\npan,,1.5,EUR\n"
        "pot,1,,euro\n"
    )
    (made / "friends.csv").write_text(
        "userId,friendId,strength\nada,ada,1\nada,bob,2\nbob,ada,2\nbob,ada,3\ncem,ada,-1\nbob,,1\n"
    )
    (made / "interactions.csv").write_text(
        "eventId,userId,itemId,type,valueMinor,currency,rating\ne1,ada,cup,like,,,\ne1,ada,cup,like,,,\ne1,ada,cup,save,,,\n"
        "e2,ada,cup,dance,,,\ne3,ada,cup,rate,,,\ne4,ada,cup,rate,,,9\ne5,ada,cup,purchase,5,,\ne6,ada,cup,purchase,5.5,EUR,\n"
    )
    (made / "shares.csv").write_text(
        "shareId,userId,itemId,recipientId\ns1,ada,cup,bob\ns1,ada,cup,cem\ns1,bob,cup,dee\n"
    )
    (made / "opens.csv").write_text("userId,shareId\nbob,s1\nbob,\n")
    for _ in range(2):
        report = files.import_folder(graph, settings, made)
        assert quarantined(report) == [
            ("friends.csv", 2, "is a tie of a user to the same user"),
            ("friends.csv", 5, "an earlier row with this tie says something else"),
            ("friends.csv", 6, "strength is not a number from 0 to 1e+06"),
            ("friends.csv", 7, "friendId is missing"),
            ("interactions.csv", 4, "an earlier row with this eventId says something else"),
            (
                "interactions.csv",
                5,
                "type is none of addToCart, click, comment, hide, like, purchase, rate, save, view",
            ),
            ("interactions.csv", 6, "rating is missing"),
            ("interactions.csv", 7, "rating is not a number from 0 to 5"),
            ("interactions.csv", 8, "valueMinor has no currency"),
            ("interactions.csv", 9, "valueMinor is not a whole number from 0 to 1e+12"),
            ("items.csv", 3, "price and priceMinor are both there"),
            ("items.csv", 4, "price has no currency"),
            ("items.csv", 5, "price must be a number"),
            ("items.csv", 6, "price has more decimals than EUR has"),
            ("items.csv", 7, "price priceMinor is not a whole number from 0"),
            ("items.csv", 8, "currency must be an ISO 4217 code such as EUR"),
            ("opens.csv", 3, "shareId is missing"),
            ("shares.csv", 4, "an earlier row with this shareId says something else"),
            ("users.csv", 3, "userId is missing"),
            ("users.csv", 4, "score must be finite"),
            ("users.csv", 5, "score must be finite"),
            ("users.csv", 6, "createdAt is not an ISO 8601 time"),
            ("users.csv", 8, "an earlier row with this userId says something else"),
            ("users.csv", 9, "userId must not hold a lone surrogate"),
            ("users.csv", 10, "userId must not hold NUL"),
            ("users.csv", 11, "userId must have at most 256 characters"),
            ("users.csv", 12, "createdAt lies in the future"),
            ("users.csv", 13, "has 1 fields instead of 3"),
        ]
        counts = cypher("MATCH ()-[r]->() RETURN type(r) AS t, count(*) AS n ORDER BY t")
        assert counts == [
            {"t": "FRIEND", "n": 1},
            {"t": "LIKED", "n": 1},
            {"t": "OF_ITEM", "n": 1},
            {"t": "OPENED", "n": 1},
            {"t": "SENT_TO", "n": 2},
            {"t": "SHARED", "n": 1},
        ]
        assert cypher("MATCH (u:User {userId: 'ada'}) RETURN u.score AS s") == [{"s": 1.5}]


def test_a_reserved_column_is_refused_before_anything_is_written(
    graph: Graph, settings: Settings, cypher: Cypher, tmp_path: Path
) -> None:
    (tmp_path / "users.csv").write_text("userId,embedding_a\nada,1\n")
    with pytest.raises(InputError, match=r"users.csv, line 1, column 'embedding_a' is a name"):
        files.import_folder(graph, settings, tmp_path)
    (tmp_path / "users.csv").unlink()
    (tmp_path / "interactions.csv").write_text("userId,itemId,type,refundedMinor\nada,cup,purchase,1\n")
    with pytest.raises(InputError, match=r"interactions.csv, line 1, column 'refundedMinor' is a name"):
        files.import_folder(graph, settings, tmp_path)
    assert cypher("MATCH (u:User) RETURN u") == []


def test_cut_off_and_begun_again_it_is_as_if_never_cut(
    graph: Graph, settings: Settings, cypher: Cypher, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.import_folder(graph, settings, shop)
    whole = digest(graph)
    monkeypatch.setattr(files, "BATCH", 1)
    for stop_after in range(1, 16, 2):
        cypher("MATCH (n) WHERE NOT n:KithSchema DETACH DELETE n")
        calls = iter(range(100))

        def stop(stage: str, done: int, total: int, calls: Any = calls, stop_after: int = stop_after) -> None:
            if next(calls) >= stop_after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            files.import_folder(graph, settings, shop, progress=stop)
        files.import_folder(graph, settings, shop)
        assert digest(graph) == whole


def test_progress_reaches_the_total_of_every_stage(graph: Graph, settings: Settings, shop: Path) -> None:
    seen: dict[str, list[tuple[int, int]]] = {}
    files.import_folder(graph, settings, shop, progress=lambda s, d, t: seen.setdefault(s, []).append((d, t)))
    assert list(seen) == ["users", "items", "friends", "follows", "interactions", "shares", "opens"]
    assert all(steps[-1][0] == steps[-1][1] and steps == sorted(steps) for steps in seen.values())


def test_unknown_users_of_ties_are_set_aside_where_they_may_not_be_created(
    graph: Graph, settings: Settings, cypher: Cypher, shop: Path
) -> None:
    (shop / "friends.csv").write_text("userId,friendId\nada,bob\nada,zoe\n")
    report = files.import_folder(graph, replace(settings, unknown_ids="refuse"), shop)
    assert quarantined(report) == [
        ("friends.csv", 3, "names an unknown user"),
        ("interactions.csv", 7, "userId is not known"),
    ]
    assert cypher("MATCH (u:User) RETURN count(u) AS n") == [{"n": 3}]


def test_an_ended_friendship_is_not_brought_back(graph: Graph, settings: Settings, cypher: Cypher, shop: Path) -> None:
    files.import_folder(graph, settings, shop)
    end = {
        "eventId": "x1",
        "type": "unfriend",
        "userId": "ada",
        "friendId": "cem",
        "occurredAt": "2026-02-01T00:00:00Z",
    }
    ingest(graph, settings, [end], imported=True)
    files.import_folder(graph, settings, shop)
    assert cypher("MATCH (:User {userId: 'ada'})-[f:FRIEND]->(b) RETURN b.userId AS b") == [{"b": "bob"}]


def test_people_of_a_public_benchmark_agree_to_everything(
    graph: Graph, settings: Settings, cypher: Cypher, tmp_path: Path
) -> None:
    made = tmp_path / "tiny"
    made.mkdir()
    (made / "train.csv").write_text("user,item\n0,6\n0,7\n")
    (made / "test.csv").write_text("user,item\n0,9\n")
    (made / "social.csv").write_text("user,friend\n0,1\n1,0\n")
    report = files.import_folder(graph, replace(settings, consent_default=()), made)
    assert (report.form, report.accepted, report.quarantined) == ("interactions", 2, 0)
    assert cypher("MATCH (u:User) RETURN u.userId AS u, u.consent AS c ORDER BY u") == [
        {"u": "tiny:u0", "c": list(CONSENT_PURPOSES)},
        {"u": "tiny:u1", "c": list(CONSENT_PURPOSES)},
    ]
    assert cypher("MATCH (:User)-[:LIKED]->(i) RETURN i.itemId AS i ORDER BY i") == [
        {"i": "tiny:i6"},
        {"i": "tiny:i7"},
    ]
    assert cypher("MATCH ()-[f:FRIEND]->() RETURN count(f) AS n") == [{"n": 1}]


def test_a_cascade_has_one_root_and_no_invented_parents(
    graph: Graph, settings: Settings, cypher: Cypher, tmp_path: Path
) -> None:
    made = tmp_path / "tags"
    made.mkdir()
    (made / "cascades.txt").write_text("0 566 100,7 200.5,\n")
    files.import_folder(graph, settings, made)
    assert cypher(
        "MATCH (u)-[:SHARED]->(s:Share) RETURN u.userId AS u, s.rootShareId AS r, s.depth AS d ORDER BY u"
    ) == [
        {"u": "tags:u0", "r": "tags:s1-0", "d": 0},
        {"u": "tags:u566", "r": "tags:s1-0", "d": 1},
        {"u": "tags:u7", "r": "tags:s1-0", "d": 1},
    ]
    assert cypher("MATCH ()-[r:RESHARE_OF]->() RETURN r") == []
