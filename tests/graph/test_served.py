"""Served lists as files: by hour, once, within their limits; and what came of them, joined with real events."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from graph import entities, events, served
from graph.connection import Graph
from graph.rewards import rewards
from graph.settings import Settings
from graph.signing import RECOMMENDATION, Signer
from tests.graph import small_shop

NOON = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


def a_list(name: str, at: datetime = NOON, user: str | None = "ann", items: tuple[str, ...] = ("i1", "i2")) -> dict:
    return {
        "recommendationId": name,
        "userId": user,
        "servedMs": int(at.timestamp() * 1000),
        "modelVersion": "v1",
        "strategy": "published",
        "channel": None,
        "itemId": list(items),
        "score": [1.0 - 0.5 * n for n in range(len(items))],
        "propensity": [1.0] * len(items),
    }


def rows(folder: Path, **between: datetime) -> list[dict[str, Any]]:
    return [row for table in served.read(folder, **between) for row in table.to_pylist()]


def test_a_row_per_listed_item(tmp_path: Path) -> None:
    assert served.write(tmp_path, "1-0", [a_list("r1"), a_list("r2", user=None, items=("i3",))]) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["2026-11-22T12-1-0.parquet"]
    found = rows(tmp_path)
    assert [(row["recommendationId"], row["userId"], row["rank"], row["itemId"]) for row in found] == [
        ("r1", "ann", 1, "i1"),
        ("r1", "ann", 2, "i2"),
        ("r2", None, 1, "i3"),
    ]
    assert found[1]["score"] == 0.5
    assert found[0]["servedAt"] == NOON
    assert "userId" in served.SCHEMA.names


def test_hours_that_are_over_become_one_file_and_lists_that_came_twice_are_one(tmp_path: Path) -> None:
    served.write(tmp_path, "1-0", [a_list("r1"), a_list("r2")])
    served.write(tmp_path, "2-0", [a_list("r2"), a_list("r3", NOON + timedelta(hours=1))])
    served.merge(tmp_path, NOON + timedelta(hours=1))
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["2026-11-22T12.parquet", "2026-11-22T13-2-0.parquet"]
    assert [row["recommendationId"] for row in rows(tmp_path)] == ["r1", "r1", "r2", "r2", "r3", "r3"]
    served.write(tmp_path, "3-0", [a_list("r1"), a_list("r0")])  # late, and once more
    served.merge(tmp_path, NOON + timedelta(hours=1))
    assert len(rows(tmp_path)) == 8
    assert [row["recommendationId"] for row in rows(tmp_path, since=NOON + timedelta(hours=1))] == ["r3", "r3"]
    assert rows(tmp_path, until=NOON) == []


def test_old_hours_and_the_oldest_above_the_room_go(tmp_path: Path) -> None:
    for hours in range(5):
        served.write(tmp_path, "1-0", [a_list(f"r{hours}", NOON - timedelta(hours=hours))])
    assert served.prune(tmp_path, NOON + timedelta(days=30), days=30, megabytes=10) == 4
    assert len(rows(tmp_path)) == 2
    assert served.prune(tmp_path, NOON, days=30, megabytes=0) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"servedMs": "now"}, {"servedMs": -5}, {"itemId": ["i1"]}, {"itemId": [1, 2]}, {"userId": 7}, {"score": None},
        {"propensity": ["x", "y"]}, {"recommendationId": None}, {"itemId": ["i"] * 101},
    ],
)  # fmt: skip
def test_what_is_malformed_is_left_out(tmp_path: Path, change: dict[str, Any]) -> None:
    assert served.write(tmp_path, "1-0", [{**a_list("bad"), **change}, a_list("good")]) == 1
    assert {row["recommendationId"] for row in rows(tmp_path)} == {"good"}


def test_rewards_join_lists_with_the_events_that_name_them(tmp_path: Path, graph: Graph, settings: Settings) -> None:
    own = dataclasses.replace(settings, signing_key="s" * 32)
    anns = Signer("s" * 32).sign(RECOMMENDATION, {"v": "v1", "t": 1, "s": 7})
    forged = Signer("f" * 32).sign(RECOMMENDATION, {"v": "v1", "t": 1, "s": 7})
    entities.upsert_users(
        graph, settings, [{"userId": user, "consent": small_shop.EVERYTHING} for user in ("ann", "ben", "cat")]
    )
    at = datetime.now(UTC)
    lists = [
        {**a_list(anns, at, "ann"), "propensity": [1.0, 0.04]},
        a_list("another", at, "ben"),
        a_list(forged, at, "cat"),
        a_list("nobody's", at, None),
    ]
    served.write(tmp_path, "1-0", lists)
    stamp = at.isoformat()

    def event(name: str, kind: str, user: str, item: str, list_id: str, **more: Any) -> dict[str, Any]:
        return {
            "eventId": name, "type": kind, "userId": user, "itemId": item, "occurredAt": stamp,
            "recommendationId": list_id, **more,
        }  # fmt: skip

    paid = {"valueMinor": 500, "currency": "EUR"}
    given = [
        event("e1", "click", "ann", "i2", anns),
        event("e2", "click", "ann", "i2", anns),
        event("e3", "purchase", "ann", "i2", anns, **paid),
        event("e4", "click", "ann", "i9", anns),  # not in the list
        event("e5", "click", "ben", "i1", anns),  # not ben's list
        event("e6", "purchase", "cat", "i1", forged, **paid),
        {"eventId": "e7", "type": "refund", "purchaseEventId": "e3", "valueMinor": 200, "occurredAt": stamp},
    ]
    assert events.ingest(graph, own, given).rejected == []
    table = pa.concat_tables(list(rewards(graph, tmp_path)))
    found = {(row["userId"], row["itemId"]): row for row in table.to_pylist()}
    assert set(found) == {(user, item) for user in ("ann", "ben", "cat") for item in ("i1", "i2")}
    bought = found["ann", "i2"]
    assert (bought["clicks"], bought["purchases"], bought["valueMinor"], bought["currency"]) == (2, 1, 300, "EUR")
    assert bought["propensity"] == pytest.approx(0.04)
    others = [row for key, row in found.items() if key != ("ann", "i2")]
    assert {(row["clicks"], row["carts"], row["purchases"], row["valueMinor"]) for row in others} == {(0, 0, 0, 0)}
    entities.set_consent(graph, "ann", ["sharing"])
    left = pa.concat_tables(list(rewards(graph, tmp_path)))
    assert set(left["userId"].to_pylist()) == {"ben", "cat"}


def test_forged_names_are_flagged_and_what_happened_counts(graph: Graph, settings: Settings, cypher: Any) -> None:
    own = dataclasses.replace(settings, signing_key="s" * 32)
    good, bad = (Signer(key * 32).sign(RECOMMENDATION, {"t": 1}) for key in ("s", "f"))
    stamp = datetime.now(UTC).isoformat()
    click = {"type": "click", "userId": "fay", "itemId": "i1", "occurredAt": stamp}
    names = (good, bad, "nonsense")
    given = [{**click, "eventId": f"f{n}", "recommendationId": name} for n, name in enumerate(names)]
    assert events.ingest(graph, own, given).accepted == 3
    assert events.ingest(graph, own, given).duplicates == 3
    flags = cypher(
        "MATCH (:User {userId: 'fay'})-[r:CLICKED]->() RETURN r.recommendationForged AS flag ORDER BY r.eventId"
    )
    assert [row["flag"] for row in flags] == [None, True, True]
    assert len(events.ingest(graph, own, [{**given[0], "eventId": "f9", "recommendationForged": False}]).rejected) == 1
