"""Plans on a real graph: who may take part now, what is refused, costs, quotas; ties are known by heart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from api.shapes.campaigns import CampaignPlan
from engine.errors import ArtifactError, DataError
from engine.types import ItemSpread
from graph import entities, events
from graph.connection import Graph
from graph.errors import ConflictError, InputError, NotFoundError
from graph.plan_request import CostModel, PlanRequest
from graph.settings import Settings
from tests.graph import campaign_shop, small_shop
from tests.graph.small_shop import event
from workers.planning import make_plan

Cypher = Callable[..., list[dict[str, Any]]]
Plan = Callable[..., dict[str, Any]]


@pytest.fixture
def plan(empty: None, settings: Settings, graph: Graph, cypher: Cypher) -> Plan:
    small_shop.fill(graph, settings)
    campaign_shop.write_folder(settings)

    def made(**given: Any) -> dict[str, Any]:
        asked = {"item_id": "i00", **given} if "category" not in given else given
        return make_plan(graph, settings, PlanRequest(**asked))

    return made


def seeds(found: dict[str, Any]) -> list[str]:
    return [seed["userId"] for seed in found["seeds"]]


def test_a_plan_for_an_item(plan: Plan) -> None:
    found = plan(k=2)
    CampaignPlan.model_validate(found)
    assert seeds(found) == ["ann", "dan"]
    assert found["spread"] == pytest.approx(4.205, abs=0.02)
    assert found["spreadLow"] <= 4.205 <= found["spreadHigh"] <= found["bestSpreadHigh"] + 0.2
    assert [seed["marginalSpread"] for seed in found["seeds"]] == pytest.approx([2.7, 1.505], abs=0.02)
    assert [seed["spreadAlone"] for seed in found["seeds"]] == pytest.approx([2.7, 1.55], abs=0.02)
    assert [seed["influenceScore"] for seed in found["seeds"]] == [1.0, 2.0]
    assert [seed["reasons"] for seed in found["seeds"]] == [[], ["newCircle"]]
    assert found["people"] == {"known": 5, "reachable": 5, "reachedBefore": 0, "eligible": 5}
    assert (found["modelVersion"], found["interest"], found["costMinor"]) == ("v1", "item", None)
    assert found["comparisons"]["topDegree"]["spread"] <= found["spread"] + 0.01
    assert found["curve"][0]["spread"] == 0.0
    assert found["curve"][-1]["spread"] == pytest.approx(found["spread"], abs=0.02)
    assert plan(k=2) == found
    assert plan(category="books", k=2)["interest"] == "category"


def test_what_items_add_to_ties_is_as_the_version_learned_it(plan: Plan, settings: Settings) -> None:
    assert plan(k=1)["interestLearned"] is False
    # i00 doubles everybody's odds and triples eve's again; other items add nothing.
    version = small_shop.artifact()
    users, items = len(version.user_ids), len(version.item_ids)
    taste, item, bias = np.zeros((users, 1)), np.zeros((items, 1)), np.zeros(items)
    taste[campaign_shop.EVE], item[0], bias[0] = np.log(3), 1.0, np.log(2)
    spread = ItemSpread(*(each.astype(np.float32) for each in (taste, item, bias)), channels={"mail": float(np.log(2))})
    campaign_shop.write_folder(settings, spread=spread)
    found = plan(k=2)
    CampaignPlan.model_validate(found)
    assert (found["interestLearned"], found["interest"]) == (True, "item")
    # Odds 9, 4, 1 and 1/9 become 18, 8, 6 and 2/9: ann reaches 1 + 18/19 + 8/9, dan 1 + 6/7 (1 + 2/11).
    by_id = {seed["userId"]: seed["spreadAlone"] for seed in found["seeds"]}
    assert by_id == {
        "ann": pytest.approx(1 + 18 / 19 + 8 / 9, abs=0.02),
        "dan": pytest.approx(1 + 6 / 7 * (1 + 2 / 11), abs=0.02),
    }
    assert found["seeds"][1]["reasons"] == ["newCircle", "taste"]
    assert plan(item_id="i01", k=1)["spread"] == pytest.approx(2.7, abs=0.02)
    # By mail all odds are twice as large: those of 9 and 4 become 18 and 8.
    by_mail = plan(item_id="i01", k=1, channel="mail")
    assert (by_mail["channelLearned"], by_mail["spread"]) == (True, pytest.approx(1 + 18 / 19 + 8 / 9, abs=0.02))
    by_fax = plan(item_id="i01", k=1, channel="fax")
    assert (by_fax["channelLearned"], by_fax["spread"]) == (False, pytest.approx(2.7, abs=0.02))


def test_consent_deletion_and_what_was_done_count_as_they_are_now(plan: Plan, graph: Graph, settings: Settings) -> None:
    entities.set_consent(graph, "ann", ["personalisation"])
    found = plan(k=2)
    assert seeds(found) == ["dan", "ben"] or seeds(found)[0] == "dan"
    assert "ann" not in seeds(found)
    assert found["people"]["reachable"] == 4
    entities.set_consent(graph, "ann", ["sharing", "personalisation"])
    assert "ann" in seeds(plan(k=2))
    entities.delete_user(graph, "dan")
    found = plan(k=5)
    assert sorted(seeds(found)) == ["ann", "ben", "cat", "eve"]
    now = "2026-11-20T10:00:00Z"
    told = [event("e1", "share", "ben", now, itemId="i00"), event("e2", "view", "cat", now, itemId="i00")]
    assert events.ingest(graph, settings, told).accepted == 2
    found = plan(k=1)
    # Who shared is not reached again: ann reaches herself and cat, who only looked.
    assert (seeds(found), found["people"]["reachedBefore"]) == (["ann"], 1)
    assert found["spread"] == pytest.approx(1.8, abs=0.02)
    assert plan(item_id="i01", k=1)["spread"] == pytest.approx(2.7, abs=0.02)


def test_age_is_asked_where_the_item_asks_for_it(plan: Plan, graph: Graph, settings: Settings) -> None:
    entities.upsert_items(graph, [{"itemId": "wine", "minAge": 18}])
    entities.upsert_users(
        graph, settings, [{"userId": "dan", "birthDate": "1980-02-03"}, {"userId": "ann", "birthDate": "2020-02-03"}]
    )
    found = plan(item_id="wine", k=3)
    assert seeds(found) == ["dan"]
    assert (found["people"]["reachable"], found["interest"]) == (1, "average")


def test_include_exclude_and_what_if(plan: Plan) -> None:
    assert seeds(plan(k=2, include=("cat",))) == ["cat", "ann"]
    assert plan(k=2, include=("cat",))["seeds"][0]["reasons"] == ["included"]
    assert seeds(plan(k=1, exclude=("ann", "nobody"))) == ["dan"]
    found = plan(what_if=("dan", "cat"))
    assert (seeds(found), found["whatIf"], found["guarantee"]) == (["dan", "cat"], True, None)
    assert found["spread"] == pytest.approx(2.55, abs=0.02)
    with pytest.raises(InputError, match="include: ghost is no user"):
        plan(k=2, include=("ghost",))
    with pytest.raises(DataError, match="fay is newer than the version v1"):
        plan(k=2, include=("fay",))
    with pytest.raises(InputError, match="leave include"):
        plan(what_if=("dan",), include=("cat",))


def test_money(plan: Plan, graph: Graph, settings: Settings, cypher: Cypher) -> None:
    # ann has three friends, dan one: by gain per cost eve (100) would come first and leave too little for dan.
    grown = CostModel(per_user_minor=100, per_friend_minor=50)
    found = plan(budget_minor=400, currency="EUR", cost=grown)
    assert {seed["userId"]: seed["costMinor"] for seed in found["seeds"]} == {"ann": 250, "dan": 150}
    assert (found["costMinor"], found["currency"], found["curve"][-1]["costMinor"]) == (400, "EUR", 400.0)
    assert found["spread"] == pytest.approx(4.205, abs=0.02)
    assert all(rival["costMinor"] <= 400 for rival in found["comparisons"].values())
    cypher("MATCH (u:User {userId: 'dan'}) SET u.costMinor = 30")
    cypher("MATCH (u:User {userId: 'ann'}) SET u.costMinor = 'much'")
    own = CostModel(attribute="costMinor")
    found = plan(budget_minor=400, currency="EUR", cost=own)
    assert (seeds(found), found["people"]["eligible"], found["costMinor"]) == (["dan"], 1, 30)
    with pytest.raises(DataError, match="nothing says what ann costs"):
        plan(budget_minor=400, currency="EUR", cost=own, include=("ann",))
    with pytest.raises(DataError, match="nobody may be chosen"):
        plan(budget_minor=20, currency="EUR", cost=own)


def test_a_quota_by_attribute_and_by_community(plan: Plan, cypher: Cypher) -> None:
    cypher("MATCH (u:User) SET u.city = CASE WHEN u.userId IN ['ann', 'dan'] THEN 'Rome' ELSE 'Oslo' END")
    found = plan(k=4, quota_per_community=1, quota_by="city")
    assert len(seeds(found)) == 2
    assert "ann" in seeds(found) and "dan" not in seeds(found)
    # ann, ben and cat are one circle, dan and eve the other.
    assert seeds(plan(k=4, quota_per_community=1)) == ["ann", "dan"]


def test_what_is_not_there(plan: Plan, settings: Settings, graph: Graph, cypher: Cypher) -> None:
    with pytest.raises(NotFoundError, match="no item ghost"):
        plan(item_id="ghost", k=1)
    with pytest.raises(NotFoundError, match="no item in the category ghosts"):
        plan(category="ghosts", k=1)
    with pytest.raises(DataError, match="horizon"):
        plan(k=1, horizon_hours=24.0)
    campaign_shop.write_folder(settings, ties=None)
    with pytest.raises(ArtifactError, match="no table edge_source: it cannot be planned with, train anew"):
        plan(k=1)
    elsewhere = dataclasses.replace(settings, home=settings.home / "elsewhere")
    with pytest.raises(ArtifactError, match="is not on this machine"):
        make_plan(graph, elsewhere, PlanRequest(item_id="i00", k=1))
    cypher("MATCH (p:Published) DETACH DELETE p")
    with pytest.raises(ConflictError, match="train first"):
        plan(k=1)


def test_every_wrong_field_of_a_request_is_named() -> None:
    request = PlanRequest(
        k=0,
        budget_minor=5,
        cost=CostModel(per_friend_minor=-1, attribute="embedding_a"),
        epsilon=0.01,
        horizon_hours=float("nan"),
        include=("a", "a"),
        exclude=("a",),
        quota_by="userId",
    )
    with pytest.raises(InputError) as refused:
        request.check()
    assert [each["pointer"] for each in refused.value.errors] == [
        "/itemId", "/k", "/epsilon", "/horizonHours", "/currency", "/cost/perFriendMinor", "/cost/attribute",
        "/include", "/exclude", "/quotaBy", "/quotaPerCommunity",
    ]  # fmt: skip
    assert PlanRequest.of_json(request.to_json() | {"horizonHours": None}) == dataclasses.replace(
        request, horizon_hours=None
    )
