"""One version for every reader: two slots, one writer, consent, rollback, the analysts' names."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.types import Artifact, RankedLists
from graph import jobs, publication, slots
from graph.canonical import finish_canonical
from graph.connection import Graph
from graph.errors import ConflictError, InputError, NotFoundError
from graph.settings import Settings

Cypher = Callable[..., list[dict[str, Any]]]
ALL = ["personalisation", "sharing", "analytics"]
USERS, ITEMS = 6, 4


def ranked(rows: list[list[int]], width: int, reasons: bool = False) -> RankedLists:
    target = np.full((len(rows), width), -1, dtype=np.int32)
    score = np.zeros((len(rows), width), dtype=np.float32)
    for row, wanted in enumerate(rows):
        target[row, : len(wanted)] = wanted
        score[row, : len(wanted)] = [1 - 0.25 * k for k in range(len(wanted))]
    codes = np.full((len(rows), width, 2), 255, dtype=np.uint8)
    codes[..., 0] = 2
    return RankedLists(target, score, codes if reasons else None)


def model(version: str, mark: float = 1.0) -> Artifact:
    """Users u0..u5 and items i0..i3; user k is recommended items k%4 and (k+1)%4, influences user (k+1)%6."""
    turned = np.eye(8, dtype=np.float32)
    return Artifact(
        model_version=version,
        snapshot_id="s1",
        trained_at_s=1_700_000_000,
        code_version="test",
        user_ids=np.array([f"u{k}" for k in range(USERS)], dtype=object),
        item_ids=np.array([f"i{k}" for k in range(ITEMS)], dtype=object),
        user_embedding=turned[:USERS],
        item_embedding=turned[:ITEMS],
        influence_score=np.array([mark + k for k in range(USERS)], dtype=np.float32),
        influence_percentile=np.linspace(0, 100, USERS, dtype=np.float32),
        influence_error=np.linspace(0, 1, USERS, dtype=np.float32),
        recommended=ranked([[k % ITEMS, (k + 1) % ITEMS] for k in range(USERS)], 3, reasons=True),
        similar=ranked([[(k + 1) % ITEMS] if k else [] for k in range(ITEMS)], 2),
        influences=ranked([[(k + 1) % USERS] for k in range(USERS)], 1),
        metrics={"recall@20": 0.25, "n": 3, "card": {"epochs": 2}},
    )


@pytest.fixture
def quick(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(slots, "READ_MARGIN_S", 0.0)
    return replace(settings, read_timeout_s=0.2, home=tmp_path)


@pytest.fixture(autouse=True)
def people(empty: None, graph: Graph, cypher: Cypher) -> None:
    cypher("UNWIND range(0, $n - 1) AS k CREATE (:User {userId: 'u' + k, consent: $all})", n=USERS, all=ALL)
    cypher("UNWIND range(0, $n - 1) AS k CREATE (:Item {itemId: 'i' + k, category: 'c' + (k % 2)})", n=ITEMS)


def rows(cypher: Cypher) -> dict[str, dict[str, Any]]:
    """What a reader of the API sees of each user: the pattern of docs/adr/0007."""
    found = cypher(
        "MATCH (p:Published {key: 'live'}) MATCH (u:User) "
        "WITH p, u, CASE p.slot WHEN 'a' THEN u.build_a ELSE u.build_b END = p.build AS valid WHERE valid "
        "RETURN u.userId AS id, p.modelVersion AS version, "
        "CASE p.slot WHEN 'a' THEN u.influenceScore_a ELSE u.influenceScore_b END AS score, "
        "CASE p.slot WHEN 'a' THEN u.recommendedItems_a ELSE u.recommendedItems_b END AS items, "
        "CASE p.slot WHEN 'a' THEN u.recommendedReasons_a ELSE u.recommendedReasons_b END AS reasons, "
        "CASE p.slot WHEN 'a' THEN u.influencesUsers_a ELSE u.influencesUsers_b END AS users"
    )
    return {row.pop("id"): row for row in found}


def test_a_version_is_written_whole(graph: Graph, cypher: Cypher, quick: Settings) -> None:
    assert publication.published(graph) is None
    told: list[float] = []
    report = publication.publish(graph, quick, model("m1"), progress=lambda fraction, doing: told.append(fraction))
    assert (report.publication_seq, report.slot, report.users, report.items) == (1, "a", USERS, ITEMS)
    assert told == sorted(told)
    assert told[-1] == 1.0
    seen = rows(cypher)
    assert seen["u3"] == {"version": "m1", "score": 4.0, "items": ["i3", "i0"], "reasons": [767, 767], "users": ["u4"]}
    assert len(seen) == USERS
    item = cypher("MATCH (i:Item {itemId: 'i1'}) RETURN i.similarItems_a AS s, i.similarScores_a AS p")[0]
    assert item == {"s": ["i2"], "p": [1.0]}
    assert cypher("MATCH (i:Item {itemId: 'i0'}) RETURN i.similarItems_a AS s")[0]["s"] == []
    nearest = cypher(
        "CYPHER 25 MATCH (v:User) SEARCH v IN (VECTOR INDEX user_embedding_a FOR $v LIMIT 1) RETURN v.userId AS id",
        v=np.eye(8)[2].tolist(),
    )
    assert nearest == [{"id": "u2"}]


def test_versions_alternate_between_the_slots_and_models_are_listed(
    graph: Graph, cypher: Cypher, quick: Settings
) -> None:
    reports = [publication.publish(graph, quick, model(f"m{k}", mark=10.0 * k)) for k in (1, 2, 3)]
    assert [(report.slot, report.publication_seq) for report in reports] == [("a", 1), ("b", 2), ("a", 3)]
    assert rows(cypher)["u0"]["score"] == 30.0
    live = publication.published(graph)
    assert live is not None
    assert (live["modelVersion"], live["publicationSeq"], live["canonical"]) == ("m3", 3, True)
    listed = publication.list_models(graph)
    assert [(m["modelVersion"], m["live"], m["inSlot"]) for m in listed] == [
        ("m3", True, True),
        ("m2", False, True),
        ("m1", False, False),
    ]
    assert publication.show_model(graph, "m3")["card"] == {"recall@20": 0.25, "n": 3, "card": {"epochs": 2}}
    assert cypher("MATCH (m:ModelVersion {modelVersion: 'm3'}) RETURN m.`recall@20` AS r, m.n AS n") == [
        {"r": 0.25, "n": 3}
    ]
    with pytest.raises(NotFoundError):
        publication.show_model(graph, "m9")


def test_the_analysts_names(graph: Graph, cypher: Cypher, quick: Settings) -> None:
    cypher("MATCH (u:User {userId: 'u5'}), (i:Item {itemId: 'i0'}) CREATE (u)-[:LIKED]->(i)")
    cypher("MATCH (u:User {userId: 'u0'}), (i:Item) WHERE i.itemId IN ['i0', 'i1'] CREATE (u)-[:PURCHASED]->(i)")
    publication.publish(graph, quick, model("m1"))
    user = cypher("MATCH (u:User {userId: 'u2'}) RETURN u.modelVersion AS v, u.influenceScore AS s, u.embedding AS e")[
        0
    ]
    assert user == {"v": "m1", "s": 3.0, "e": np.eye(8)[2].tolist()}
    assert cypher(
        "MATCH (:User {userId: 'u3'})-[r:RECOMMENDED]->(i) "
        "RETURN i.itemId AS i, r.rank AS k, round(r.score, 6) AS s, r.reasons AS c, r.modelVersion AS v ORDER BY k"
    ) == [  # the chances whose logits are 1 and 0.75
        {"i": "i3", "k": 1, "s": 0.731059, "c": ["friends"], "v": "m1"},
        {"i": "i0", "k": 2, "s": 0.679179, "c": ["friends"], "v": "m1"},
    ]
    assert cypher("MATCH (:User {userId: 'u5'})-[r:INFLUENCES]->(v) RETURN v.userId AS v, r.probability AS p") == [
        {"v": "u0", "p": 1.0}
    ]
    assert cypher("MATCH (i)-[r:SIMILAR]->(j) RETURN i.itemId AS i, j.itemId AS j ORDER BY i") == [
        {"i": f"i{k}", "j": f"i{(k + 1) % ITEMS}"} for k in (1, 2, 3)
    ]
    assert cypher(
        "MATCH (u)-[r:INFLUENTIAL_IN]->(c:Category) RETURN c.name AS c, u.userId AS u, r.score AS s ORDER BY c, s DESC"
    ) == [
        {"c": "c0", "u": "u5", "s": pytest.approx(6 * 1 / 6)},
        {"c": "c0", "u": "u0", "s": pytest.approx(1 * 1 / 7)},
        {"c": "c1", "u": "u0", "s": pytest.approx(1 * 1 / 7)},
    ]
    before = cypher("MATCH ()-[r]->() RETURN type(r) AS t, count(*) AS n ORDER BY t")
    assert finish_canonical(graph)
    assert cypher("MATCH ()-[r]->() RETURN type(r) AS t, count(*) AS n ORDER BY t") == before


def test_rollback_flips_back_without_writing_rows(graph: Graph, cypher: Cypher, quick: Settings) -> None:
    with pytest.raises(NotFoundError):
        publication.rollback(graph, quick)
    publication.publish(graph, quick, model("m1", mark=10))
    with pytest.raises(NotFoundError):
        publication.rollback(graph, quick)
    publication.publish(graph, quick, model("m2", mark=20))
    builds = "MATCH (u:User {userId: 'u0'}) RETURN u.build_a AS a, u.build_b AS b"
    before = cypher(builds)
    now = publication.rollback(graph, quick)
    assert (now["modelVersion"], now["publicationSeq"], now["slot"]) == ("m1", 3, "a")
    assert cypher(builds) == before
    assert rows(cypher)["u0"]["score"] == 10.0
    assert cypher("MATCH (u:User {userId: 'u0'}) RETURN u.influenceScore AS s") == [{"s": 10.0}]
    now = publication.rollback(graph, quick, "m2")
    assert (now["modelVersion"], now["publicationSeq"]) == ("m2", 4)
    with pytest.raises(ConflictError):
        publication.rollback(graph, quick, "m2")
    with pytest.raises(NotFoundError):
        publication.rollback(graph, quick, "../m2")


def test_consent_is_respected_when_rows_are_written_and_after(
    graph: Graph, cypher: Cypher, quick: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cypher("MATCH (u:User {userId: 'u0'}) SET u.consent = []")
    cypher("MATCH (u:User {userId: 'u1'}) SET u.consent = ['personalisation']")
    clear = publication.clear_slot

    def withdrawn_meanwhile(on: Graph, writer: slots.Writer) -> None:
        cypher("MATCH (u:User {userId: 'u2'}) SET u.consent = null")
        clear(on, writer)

    monkeypatch.setattr(publication, "clear_slot", withdrawn_meanwhile)
    report = publication.publish(graph, quick, model("m1"))
    assert report.users == USERS - 1
    seen = rows(cypher)
    assert sorted(seen) == ["u1", "u3", "u4", "u5"]
    assert (seen["u1"]["score"], seen["u1"]["users"], seen["u1"]["items"]) == (None, None, ["i1", "i2"])
    left = cypher(
        "MATCH (u:User) WHERE u.userId IN ['u0', 'u2'] UNWIND keys(u) AS k "
        "WITH k WHERE NOT k IN ['userId', 'consent'] RETURN collect(k) AS k"
    )
    assert left == [{"k": []}]
    ends = cypher("MATCH (u)-[:INFLUENCES]->(v) RETURN u.userId AS u, v.userId AS v ORDER BY u")
    assert ends == [{"u": "u3", "v": "u4"}, {"u": "u4", "v": "u5"}]
    cypher("MATCH (u:User {userId: 'u4'}) SET u.consent = ['personalisation']")
    finish_canonical(graph)
    assert cypher("MATCH (u)-[:INFLUENCES]->(v) RETURN count(*) AS n") == [{"n": 0}]


def test_users_of_an_older_version_leave_the_slot(graph: Graph, cypher: Cypher, quick: Settings) -> None:
    for version in ("m1", "m2"):
        publication.publish(graph, quick, model(version), canonical=False)
    cypher("CREATE (:User {userId: 'new', consent: $all})", all=ALL)
    whole = model("m3")
    fewer = replace(
        whole,
        user_ids=np.array([*whole.user_ids[:-1], "gone"], dtype=object),
    )
    report = publication.publish(graph, quick, fewer)
    assert report.users == USERS - 1
    assert sorted(rows(cypher)) == ["u0", "u1", "u2", "u3", "u4"]
    u5 = cypher("MATCH (u:User {userId: 'u5'}) RETURN u.embedding_a AS a, u.build_a AS b, u.modelVersion AS v")
    assert u5 == [{"a": None, "b": None, "v": None}]


def test_two_publishers_cannot_interleave(graph: Graph, cypher: Cypher, quick: Settings) -> None:
    first = slots.begin(graph, quick, None, wait_s=0)
    with pytest.raises(ConflictError):
        publication.publish(graph, quick, model("m1"), wait_s=0.5)
    cypher("MATCH (w:KithPublication) SET w.writerUntil = datetime() - duration({seconds: 1})")
    publication.publish(graph, quick, model("m2"))
    with pytest.raises(ConflictError):
        slots.write_slot(graph, first, model("m1", mark=99), lambda fraction, doing: None)
    with pytest.raises(ConflictError):
        slots.clear_slot(graph, first)
    with pytest.raises(ConflictError):
        publication._flip(graph, first, model("m1"), None)
    assert publication.published(graph)["modelVersion"] == "m2"  # type: ignore[index]
    assert rows(cypher)["u0"]["score"] == 1.0


def test_a_failed_publication_leaves_readers_and_frees_the_slot(graph: Graph, cypher: Cypher, quick: Settings) -> None:
    publication.publish(graph, quick, model("m1"))

    def stop(fraction: float, doing: str) -> None:
        raise RuntimeError("asked to stop")

    with pytest.raises(RuntimeError):
        publication.publish(graph, quick, model("m2"), progress=stop)
    assert rows(cypher)["u0"]["version"] == "m1"
    assert publication.publish(graph, quick, model("m3"), wait_s=0).publication_seq == 2


def test_a_lost_job_flips_nothing_and_its_next_worker_takes_over_at_once(
    graph: Graph, cypher: Cypher, quick: Settings
) -> None:
    job_id = jobs.create(graph, "train", {})["jobId"]
    lost = jobs.claim(graph, job_id, "w1", lease_s=0.1)
    assert lost is not None
    slots.begin(graph, quick, lost, wait_s=0)
    time.sleep(0.3)
    held = jobs.claim(graph, job_id, "w2", lease_s=60)
    assert held is not None
    with pytest.raises(ConflictError):
        publication.publish(graph, quick, model("m1"), job_fence=lost)
    report = publication.publish(graph, quick, model("m1"), job_fence=held, wait_s=0)
    assert report.publication_seq == 1


def test_a_job_lost_while_writing_does_not_flip(graph: Graph, cypher: Cypher, quick: Settings) -> None:
    job_id = jobs.create(graph, "train", {})["jobId"]
    claim = jobs.claim(graph, job_id, "w1", lease_s=60)
    assert claim is not None

    def lose(fraction: float, doing: str) -> None:
        cypher("MATCH (j:KithJob {jobId: $id}) SET j.fence = j.fence + 1", id=job_id)

    with pytest.raises(ConflictError):
        publication.publish(graph, quick, model("m1"), job_fence=claim, progress=lose)
    assert publication.published(graph) is None


def test_the_slot_that_was_live_is_left_alone_for_the_read_timeout(graph: Graph, quick: Settings) -> None:
    slow = replace(quick, read_timeout_s=1.5)
    publication.publish(graph, slow, model("m1"), canonical=False)
    assert publication.publish(graph, slow, model("m2"), canonical=False).wait_s > 0.5


@pytest.mark.parametrize(
    "broken",
    [
        {"influence_score": np.array([np.nan] * USERS, dtype=np.float32)},
        {"user_embedding": np.full((USERS, 8), np.inf, dtype=np.float32)},
        {"item_embedding": np.eye(8, dtype=np.float32)[:3]},
        {"recommended": ranked([[ITEMS]] * USERS, 1, reasons=True)},
    ],
)
def test_a_broken_artifact_is_refused_before_anything_is_written(
    graph: Graph, quick: Settings, broken: dict[str, Any]
) -> None:
    with pytest.raises(InputError):
        publication.publish(graph, quick, replace(model("m1"), **broken))
    assert publication.published(graph) is None


def test_old_artifacts_are_swept_but_never_those_in_the_slots(graph: Graph, quick: Settings) -> None:
    kept = replace(quick, kept_artifacts=1)
    for age, name in enumerate(("m3", "m2", "m1", "m0")):
        folder = kept.artifacts / name
        folder.mkdir(parents=True)
        os.utime(folder, (time.time() - age * 100, time.time() - age * 100))
    (kept.artifacts / ".partial").mkdir()
    for version in ("m1", "m2"):
        publication.publish(graph, kept, model(version), canonical=False)
    assert publication.sweep_artifacts(graph, kept) == ["m0"]
    assert sorted(each.name for each in kept.artifacts.iterdir()) == [".partial", "m1", "m2", "m3"]
