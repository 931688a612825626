"""The main job on the real stack: import, one training job through the queue, answers over HTTP and on the terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.artifact import read_snapshot
from engine.influence import rrsets
from engine.influence.seeding import spread_of
from engine.propagation.sharetarget.shop import history_of
from engine.serving.bundle import load
from engine.serving.sharetarget.history import NOT_OPENED
from engine.serving.sharetarget.ranker import EventRows, Question, TieRows
from engine.world import World, WorldSettings, generate, write
from graph import keys
from graph.connection import Graph
from graph.settings import Settings
from kith.demo.client import Client
from tests.workers.processes import ROOT, environment, until

SMALL = WorldSettings(users=300, items=120, events=9_000, seed=3, end_s=int(time.time()))
pytestmark = pytest.mark.timeout(560)

Kith = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def world(kith: Kith, running: Settings) -> World:
    """A small world, imported, trained on and published."""
    made = generate(SMALL)
    write(made, running.home / "world")
    kith("import", running.home / "world")
    ended = kith("train", "--wait", "--epochs", 6)
    assert ended["state"] == "done"
    return made


@pytest.fixture(scope="module")
def client(world: World, running: Settings, graph: Graph) -> Client:
    return Client(f"http://127.0.0.1:{running.api_port}", keys.create(graph, ("read", "ingest", "admin")))


def most_active(world: World, rank: int) -> str:
    likes = world.interactions.loc[world.interactions["type"] == "like", "userId"].value_counts()
    return str(likes.index[rank])


def test_a_published_list_has_reasons_and_none_of_what_was_seen(client, world):
    user = most_active(world, 0)
    answer = client.get(f"/v1/users/{user}/recommendations", limit=10, explain="true")
    assert answer["strategy"] == "published"
    assert [entry["rank"] for entry in answer["items"]] == list(range(1, 11))
    assert all(entry["reasons"] for entry in answer["items"])
    acted = world.interactions.query("userId == @user and type != 'view'")["itemId"]
    assert not set(acted) & {entry["itemId"] for entry in answer["items"]}


def test_three_likes_in_a_category_raise_its_share(client, world):
    user = most_active(world, 20)
    category_of = dict(zip(world.items["itemId"], world.items["category"], strict=True))

    def top() -> list[str]:
        return [e["itemId"] for e in client.get(f"/v1/users/{user}/recommendations", limit=10)["items"]]

    listed = top()
    before = Counter(category_of[item] for item in listed)
    known = set(world.interactions.loc[world.interactions["userId"] == user, "itemId"])
    fresh = {
        category: [item for item, its in category_of.items() if its == category and item not in known]
        for category in set(category_of.values())
    }
    category = max(sorted(fresh), key=lambda name: (before[name] <= 3, len(fresh[name])))
    # Not from the list itself: what is liked leaves it, and would take its own category's share away.
    liked = [item for item in fresh[category] if item not in listed][:3]
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    events = [
        {"eventId": f"live-{item}", "type": "like", "userId": user, "itemId": item, "occurredAt": now} for item in liked
    ]
    assert client.post("/v1/events", events)["accepted"] == 3
    after = top()
    assert Counter(category_of[item] for item in after)[category] > before[category]
    assert not set(liked) & set(after)
    assert client.post("/v1/events", events) == {"accepted": 0, "duplicates": 3, "rejected": []}


def test_a_newcomer_with_likes_is_served_inductively(client, world):
    client.post("/v1/users:batch", [{"userId": "newcomer"}])
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    items = world.items["itemId"][:3]
    client.post(
        "/v1/events",
        [
            {"eventId": f"new-{item}", "type": "like", "userId": "newcomer", "itemId": item, "occurredAt": now}
            for item in items
        ],
    )
    answer = client.get("/v1/users/newcomer/recommendations", limit=5)
    assert answer["strategy"] == "inductive"
    assert len(answer["items"]) == 5


def test_terminal_and_api_answer_alike(client, kith, world):
    user, item = most_active(world, 1), str(world.items["itemId"][0])
    told = kith("recommend", user, "--limit", 5)
    asked = client.get(f"/v1/users/{user}/recommendations", limit=5)
    assert [e["itemId"] for e in told["items"]] == [e["itemId"] for e in asked["items"]]
    assert [e["itemId"] for e in kith("similar", item)["items"]] == [
        e["itemId"] for e in client.get(f"/v1/items/{item}/similar", limit=10)["items"]
    ]
    assert [e["userId"] for e in kith("influencers")["influencers"]] == [
        e["userId"] for e in client.get("/v1/influencers", limit=10)["influencers"]
    ]
    sharer = str(world.shares["userId"].value_counts().index[0])
    assert [e["userId"] for e in kith("share-targets", sharer, item)["targets"]] == [
        e["userId"] for e in client.get(f"/v1/users/{sharer}/share-targets", itemId=item, limit=10)["targets"]
    ]


def test_the_exported_folder_is_the_graph(kith, world, running):
    told = kith("export-graph", running.home / "snapshot")
    snapshot = read_snapshot(running.home / "snapshot")
    assert told["users"] == len(snapshot.users)
    assert set(world.users["userId"]) <= set(snapshot.users.ids)
    pairs = world.friends.drop_duplicates()
    assert len(snapshot.friends) == len(pairs)
    assert len(snapshot.shares) == world.shares["shareId"].nunique()


def test_share_targets_are_ranked_as_the_trained_ranker_does_on_the_whole_history(client, kith, world, running):
    kith("export-graph", running.home / "whole")
    snapshot = read_snapshot(running.home / "whole")
    history, users, items = history_of(snapshot), snapshot.users.ids, snapshot.items.ids
    events = EventRows(
        users[history.sender].tolist(),
        items[history.item].tolist(),
        users[history.recipient].tolist(),
        history.time_s.tolist(),
        (history.opened_s < NOT_OPENED).tolist(),
    )
    friends = snapshot.friends
    ties = TieRows(users[friends.source].tolist(), users[friends.target].tolist(), friends.columns["strength"].tolist())
    compared = 0
    for sharer in world.shares["userId"].value_counts().index[:6]:
        item = str(world.items["itemId"][compared % 100])
        told = client.get(f"/v1/users/{sharer}/share-targets", itemId=item, limit=100)
        assert told["strategy"] == "learned"
        ranker = load(running.artifacts / told["modelVersion"]).share_ranker
        assert ranker is not None
        served = [row["userId"] for row in told["targets"]]
        question = Question(str(sharer), item, int(time.time()))
        whole = ranker.rank(question, events, ties, len(served), allowed=frozenset(served))
        assert [each.user_id for each in whole] == served
        compared += len(served)
    assert compared >= 12


def test_an_item_that_came_after_training_stands_in_lists_by_its_attributes(client, kith, world):
    user = most_active(world, 0)
    first = client.get(f"/v1/users/{user}/recommendations", limit=1)["items"][0]["itemId"]
    like = world.items.set_index("itemId").loc[first]
    told = {name: str(like[name]) for name in ("title", "description", "category", "brand")}
    item = {**told, "itemId": "just-in", "priceMinor": 1999, "currency": "EUR", "stock": 5}
    client.post("/v1/items:batch", [item])

    seen: list[dict[str, Any]] = []

    def is_listed() -> bool:  # by the process that happens to answer: each finds new items for itself
        rows = client.get(f"/v1/users/{user}/recommendations", limit=100)["items"]
        seen[:] = [row for row in rows if row["itemId"] == "just-in"]
        return bool(seen)

    until(is_listed, 60)
    assert seen[0]["reasons"] == ["attributes"]
    assert [row for row in kith("recommend", user, "--limit", 100)["items"] if row["itemId"] == "just-in"] == seen
    client.post("/v1/items:batch", [{**item, "stock": 0}])
    until(lambda: not any(is_listed() for _ in range(8)), 20)


def test_a_campaign_is_planned_over_http_and_on_the_terminal(client, kith, world):
    asked = {"category": str(world.items["category"].iloc[0]), "k": 15, "seed": 3}
    told = client.post("/v1/campaigns:plan?wait=10", asked)
    if "jobId" in told:  # the first plan of an installation is compiled
        until(lambda: client.get(f"/v1/jobs/{told['jobId']}")["state"] == "done", 120)
        told = client.get(f"/v1/jobs/{told['jobId']}")["result"]
    assert kith("campaign", "plan", "--category", asked["category"], "-k", 15, "--seed", 3) == told
    assert (told["interest"], len(told["seeds"])) == ("category", 15)
    assert all(told["spread"] > rival["spread"] for rival in told["comparisons"].values())
    rows = {str(user): row for row, user in enumerate(world.users["userId"])}
    network = rrsets.prepare(world.truth.probabilities)
    rng = np.random.default_rng(1)

    def true_spread(users: Any) -> float:
        return spread_of(network, np.array(users), rng)[0]

    by_chance = [true_spread(rng.choice(len(rows), 15, replace=False)) for _ in range(20)]
    assert true_spread([rows[seed["userId"]] for seed in told["seeds"]]) > 1.1 * max(by_chance)


def test_a_second_training_and_back(kith, world):
    first = kith("models", "list")["published"]
    assert kith("train", "--wait", "--epochs", 2, "--seed", 1)["state"] == "done"
    second = kith("models", "list")["published"]
    back = kith("models", "rollback")["published"]
    assert second["modelVersion"] != first["modelVersion"]
    assert back["modelVersion"] == first["modelVersion"]
    assert first["publicationSeq"] < second["publicationSeq"] < back["publicationSeq"]


def test_importing_twice_changes_nothing(kith, world, running):
    again = kith("import", running.home / "world")
    assert again["accepted"] == 0
    assert again["quarantined"] == 0


def test_a_user_nobody_knows_is_a_problem_with_a_name(client):
    with pytest.raises(urllib.error.HTTPError) as refused:
        client.get("/v1/users/nobody/recommendations")
    problem = json.loads(refused.value.read())
    assert refused.value.code == 404
    assert refused.value.headers["Content-Type"] == "application/problem+json"
    assert "nobody" in problem["detail"]


def test_a_folder_that_is_not_there_is_one_line(running):
    done = subprocess.run(
        [sys.executable, "-m", "kith.cli", "import", str(Path(running.home) / "nothing")],
        cwd=ROOT,
        env={**environment(running), "PYTHONWARNINGS": "ignore"} | {"HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "nothing" in done.stderr
