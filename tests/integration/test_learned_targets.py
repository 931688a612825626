"""The learned P(i->j) of share targets: what the model folder holds, as far as both agree to it now."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from api.app import create_app
from api.shapes.answers import ShareTargets
from engine.artifact import read_artifact
from engine.interest.training import EncoderSettings
from engine.propagation import itemlearning
from engine.strategy.model import PlanModel, read_plan_model
from engine.training import TrainSettings, train
from engine.world import World, WorldSettings, generate, write
from graph import entities, keys, publication, snapshot
from graph.connection import Graph
from graph.files import import_folder
from graph.settings import Settings

Ask = Callable[..., list[dict[str, Any]]]
VERSION = "learned"
FEWEST = 20
"""Acts of a window that are enough here: a world with 200 of them takes minutes."""


@pytest.fixture(scope="module")
def world() -> World:
    return generate(WorldSettings(users=250, items=100, events=9_000, seed=4, end_s=int(time.time())))


@pytest.fixture(scope="module")
def home(world: World, settings: Settings, graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("learned")
    write(world, folder / "world")
    import_folder(graph, settings, folder / "world", quarantine=folder / "quarantine.csv")
    snapshot.settle(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(itemlearning, "FEWEST", FEWEST)
        quick = TrainSettings(model_version=VERSION, threads=1, encoder=EncoderSettings(epochs=2, steps=4))
        train(snapshot.export(graph, settings), quick, settings.artifacts / VERSION)
    publication.publish(graph, settings, read_artifact(settings.artifacts / VERSION))
    return settings


@pytest.fixture(scope="module")
def ask(home: Settings, graph: Graph) -> Iterator[Ask]:
    app = create_app(dataclasses.replace(home, share_cap=0, signing_key="k" * 32))
    client, headers = app.test_client(), {"Authorization": f"Bearer {keys.create(graph, ['read'])}"}

    def asked(user: str, item: str) -> list[dict[str, Any]]:
        response = client.get(
            f"/v1/users/{user}/share-targets", query_string={"itemId": item, "limit": 100}, headers=headers
        )
        assert response.status_code == 200, response.text
        ShareTargets.model_validate(response.json)
        return (response.json or {})["targets"]

    yield asked
    app.extensions["kith"].close()


@pytest.fixture(scope="module")
def sharer(world: World) -> str:
    return str(world.shares["userId"].value_counts().index[0])


def version(home: Settings, sharer: str) -> tuple[PlanModel, dict[str, float], float, float]:
    """Return the version as plans read it, P(u->v) of the sharer's ties by user id, and what being sent adds."""
    model = read_plan_model(home.artifacts / VERSION)
    sent = read_artifact(home.artifacts / VERSION).metrics["influence"]["items"]["sent"]
    assert sent["model"] == "sent"
    own = model.user_ids[model.edges.source] == sharer
    ends = model.user_ids[model.edges.target[own]]
    return model, dict(zip(ends, model.edges.probability[own].tolist(), strict=True)), sent["base"], sent["slope"]


def test_it_is_what_plans_take_of_the_version_and_what_being_sent_adds(
    ask: Ask, home: Settings, world: World, sharer: str
) -> None:
    item = str(world.items["itemId"][7])
    model, chance, base, slope = version(home, sharer)
    assert model.spread is not None
    added = dict(
        zip(model.user_ids, model.spread.log_odds(np.flatnonzero(model.item_ids == item)).tolist(), strict=True)
    )
    told = {each["userId"]: each for each in ask(sharer, item)}
    learned = {user: each for user, each in told.items() if each["probabilityBy"] == "learned"}
    assert len(learned) >= 3
    for user, each in learned.items():
        odds = np.log(chance[user] / (1 - chance[user])) + added[user]
        assert each["probability"] == pytest.approx(1 / (1 + np.exp(-(base + slope * odds))), abs=2e-6)
    for user in told.keys() - learned.keys():
        assert user not in chance
        assert told[user]["probability"] == told[user]["formula"]


def test_who_takes_back_consent_to_personalisation_has_the_formula(
    ask: Ask, graph: Graph, world: World, sharer: str
) -> None:
    item = str(world.items["itemId"][7])
    withdrawn = next(each["userId"] for each in ask(sharer, item) if each["probabilityBy"] == "learned")
    entities.set_consent(graph, withdrawn, ["sharing"])
    told = {each["userId"]: each for each in ask(sharer, item)}
    assert (told[withdrawn]["probabilityBy"], told[withdrawn]["probability"]) == ("formula", told[withdrawn]["formula"])
    assert "learned" in {each["probabilityBy"] for each in told.values()}
    entities.set_consent(graph, sharer, ["sharing"])
    assert {each["probabilityBy"] for each in ask(sharer, item)} == {"formula"}


def test_an_item_newer_than_the_version_adds_nothing(ask: Ask, graph: Graph, home: Settings, sharer: str) -> None:
    entities.set_consent(graph, sharer, ["personalisation", "sharing"])
    entities.upsert_items(graph, [{"itemId": "just-in", "title": "New"}])
    _, chance, base, slope = version(home, sharer)
    learned = [each for each in ask(sharer, "just-in") if each["probabilityBy"] == "learned"]
    assert learned
    for each in learned:
        p = chance[each["userId"]]
        odds = np.exp(base) * (p / (1 - p)) ** slope
        assert each["probability"] == pytest.approx(odds / (1 + odds), abs=2e-6)
