"""The served ranker: the same targets from an excerpt as from the whole history, reasons, limits, and arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import ArtifactError, DataError
from engine.serving.sharetarget import history as module
from engine.serving.sharetarget.model import BELOW, RankModel, screened
from engine.serving.sharetarget.population import COUNTS, Population
from engine.serving.sharetarget.ranker import EventRows, Question, Ranker, TieRows
from engine.serving.sharetarget.signals import COLUMNS
from engine.serving.sharetarget.trees import Trees
from tests.engine.serving.sharetarget.shareloops import Loops
from tests.engine.serving.sharetarget.test_share_signals import LIMITS, T0, USERS, random_rows

WIDTH = len(COLUMNS)


def user_id(number: int) -> str:
    return f"u{number:03d}"


def model(seed: int = 0, screened: int = 100) -> RankModel:
    rng = np.random.default_rng(seed)
    shapes = {"w": (WIDTH,), "A": (WIDTH, 6), "a": (6,), "B": (6, 3), "b": (3,), "c": (3,)}
    nets = tuple({k: rng.normal(size=v).astype(np.float32) for k, v in shapes.items()} for _ in range(2))
    ones = np.ones(WIDTH, dtype=np.float32)
    return RankModel(ones * 0.1, ones, rng.normal(size=WIDTH).astype(np.float32), nets, screened, trees(rng), 0.25)


def trees(rng: np.random.Generator) -> Trees:
    feature = rng.integers(0, WIDTH, (5, 3)).astype(np.int32)
    return Trees(feature, *(rng.normal(size=(5, width)).astype(np.float32) for width in (3, 4)))


def ranker(seed: int = 0, users: int = USERS) -> Ranker:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(3.0, (users, len(COUNTS))).astype(np.float32)
    sends, receives = (rng.normal(size=(users, 3)).astype(np.float32) * 0.05 for _ in range(2))
    nearest = rng.integers(-1, users, (users, 2)).astype(np.int64)
    alike = rng.integers(-1, users, (users, 2)).astype(np.int64)
    people = Population(counts, sends, receives, nearest, alike, np.array([3, 1, 7]))
    return Ranker(model(seed), people, np.array([user_id(u) for u in range(users)], dtype=object))


def event_rows(rows: list[tuple], now: int) -> EventRows:
    return EventRows(
        [user_id(r[0]) for r in rows],
        [f"i{r[1]:02d}" for r in rows],
        [user_id(r[2]) for r in rows],
        [r[3] for r in rows],
        [r[4] is not None and r[4] < now for r in rows],
    )


@pytest.mark.parametrize("seed", range(6))
def test_an_excerpt_gives_the_targets_of_the_whole_history(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LIMITS.items():
        monkeypatch.setattr(module, name, value)
    rng = np.random.default_rng(seed)
    rows, now = random_rows(rng), T0 + 3 * 86_400
    u, i = int(rng.integers(0, USERS)), int(rng.integers(0, 12))
    part = sorted(Loops(rows, u, i, now, now, tuple(LIMITS.values())).excerpt(), key=str)
    question, served = Question(user_id(u), f"i{i:02d}", now), ranker(seed)
    ties = TieRows([user_id(u)], [user_id((u + 5) % USERS)], [2.0])
    whole = served.rank(question, event_rows(rows, now), ties, 50)
    small = served.rank(question, event_rows(part, now), ties, 50)
    assert len(part) < len(rows)
    assert [each.user_id for each in small] == [each.user_id for each in whole]
    assert [each.reasons for each in small] == [each.reasons for each in whole]
    assert [each.score for each in small] == pytest.approx([each.score for each in whole], rel=1e-5)


def test_reasons_say_what_is_there() -> None:
    events = EventRows(
        ["u000", "u001", "u002", "u002", "u005"],
        ["a", "b", "c", "shoe", "shoe"],
        ["u001", "u000", "u001", "u004", "u006"],
        [T0, T0 + 1, T0 + 2, T0 + 3, T0 + 4],
        [True, False, False, False, False],
    )
    ties = TieRows(["u000", "u002"], ["u010", "u010"], [1.0, 1.0])
    found = {
        each.user_id: each.reasons
        for each in ranker(users=20).rank(Question("u000", "shoe", T0 + 60), events, ties, 50)
    }
    plain = {user: set(codes) - {"similarTaste"} for user, codes in found.items()}
    assert plain["u001"] == {"openedBefore", "sharedBefore", "sharesBack", "friendsShared"}  # 2 shared the shoe
    assert plain["u002"] == {"friendsOfFriends", "interest"}  # met by 1, shared the shoe
    assert plain["u010"] == {"friend", "friendsShared"}
    assert plain["u006"] == {"interest"}
    assert "u000" not in found
    assert all(found.values())


def test_without_strangers_only_the_known_are_named() -> None:
    events = EventRows(["u000"], ["a"], ["u001"], [T0], [True])
    question = Question("u000", "b", T0 + 5)
    known = ranker().rank(question, events, TieRows(), 10, strangers=False)
    assert [each.user_id for each in known] == ["u001"]
    assert len(ranker().rank(question, events, TieRows(), 10)) >= 3
    assert ranker().rank(question, events, TieRows(), 10, allowed=frozenset()) == []
    assert len(ranker().rank(question, events, TieRows(), 2)) == 2


def test_a_user_newer_than_the_model_gets_the_active_receivers() -> None:
    found = ranker().rank(Question("new", "b", T0), EventRows(), TieRows(), 5)
    assert {each.user_id for each in found} == {"u001", "u003", "u007"}
    assert {each.reasons for each in found} == {("activeReceiver",)}
    assert sum(each.score for each in found) == pytest.approx(1.0)


def test_who_receives_as_the_last_partner_does_is_of_similar_taste_and_not_active() -> None:
    one = ranker()
    alike = np.full((USERS, 2), -1)
    alike[5, 0] = 9
    people = replace(
        one.population, alike=alike, nearest=np.full((USERS, 1), -1), sends=np.zeros((USERS, 3), np.float32)
    )
    events = EventRows(["new"], ["a"], ["u005"], [T0], [True])
    found = replace(one, population=people).rank(Question("new", "b", T0 + 9), events, TieRows(), 9)
    reasons = {each.user_id: each.reasons for each in found}
    assert reasons["u009"] == ("similarTaste",)
    assert reasons["u003"] == ("activeReceiver",)
    assert set(reasons) == {"u001", "u003", "u005", "u007", "u009"}


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(DataError, match="differ in length"):
        ranker().rank(Question("u000", "a", T0), EventRows(["u001"], ["a"], ["u002"], [1, 2], [True]), TieRows(), 5)


def test_arrays_give_the_ranker_back() -> None:
    one = ranker()
    again = Ranker.from_arrays(one.to_arrays(), one.user_ids)
    events = EventRows(["u000", "u004"], ["a", "a"], ["u001", "u000"], [T0, T0 + 9], [True, False])
    question = Question("u000", "a", T0 + 99)
    assert again.rank(question, events, TieRows(), 9) == one.rank(question, events, TieRows(), 9)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays: arrays.pop("counts"),
        lambda arrays: arrays.pop("alike"),
        lambda arrays: arrays.pop("trees.value"),
        lambda arrays: arrays.pop("screen"),
        lambda arrays: arrays.update(mean=np.zeros(3, np.float32)),
        lambda arrays: arrays.update(active=np.array([USERS])),
        lambda arrays: arrays.update(sends=np.zeros((2, 3), np.float32)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(spoil) -> None:
    arrays = dict(ranker().to_arrays())
    spoil(arrays)
    with pytest.raises(ArtifactError):
        Ranker.from_arrays(arrays, ranker().user_ids)


def test_the_networks_score_what_the_screen_lets_through() -> None:
    rng = np.random.default_rng(2)
    x, row = rng.normal(size=(7, WIDTH)).astype(np.float32), np.array([0, 0, 0, 0, 1, 1, 1])
    small = model(screened=2)
    z = np.clip(x - 0.1, -6, 6)
    first = z @ small.screen
    score = small.score(x, row)
    for part in (slice(0, 4), slice(4, 7)):
        best = set(np.argsort(-first[part])[:2].tolist())
        assert {place for place, value in enumerate(score[part]) if value > -BELOW / 2} == best
    at = int(np.argmax(first[:4]))
    nets = [
        z[at] @ n["w"] + np.maximum(np.maximum(z[at] @ n["A"] + n["a"], 0) @ n["B"] + n["b"], 0) @ n["c"]
        for n in small.networks
    ]
    grown = small.trees.score(z[at : at + 1])[0]
    assert score[at] == pytest.approx(0.75 * np.mean(nets) + 0.25 * grown, rel=1e-4)
    alone = replace(small, trees=None)
    assert alone.score(x, row)[at] == pytest.approx(np.mean(nets), rel=1e-4)
    assert screened(np.array([1.0, 3.0, 2.0, 5.0]), np.array([0, 0, 0, 1]), 2).tolist() == [1, 2, 3]
