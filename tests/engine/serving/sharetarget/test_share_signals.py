"""Signals against plain loops on random histories, ranks by hand, and the same numbers from an excerpt."""

from __future__ import annotations

import numpy as np
import pytest

from engine.serving.sharetarget import history as module
from engine.serving.sharetarget.candidates import Known
from engine.serving.sharetarget.evidence import look_at, nearness, place_in_line
from engine.serving.sharetarget.history import NOT_OPENED, History, ask
from engine.serving.sharetarget.population import COUNTS, Population
from engine.serving.sharetarget.signals import COLUMNS, GROUPS, signals
from engine.serving.sharetarget.ties import Ties
from tests.engine.serving.sharetarget.shareloops import Loops

USERS, ITEMS = 24, 12
T0 = 1_700_000_000
LIMITS = {"OWN_EVENTS": 25, "PARTNERS": 6, "CIRCLE_EVENTS": 9, "ITEM_EVENTS": 12}
RANKS = {
    "sent_last_rank",
    "sent_rank",
    "received_rank",
    "adamic_adar_rank",
    "vector_rank",
    "next_rank",
    "next_last_rank",
}


def random_rows(rng: np.random.Generator, events: int = 400) -> list[tuple]:
    users = rng.permutation(USERS)[(rng.pareto(1.0, (events, 2)) * 2).astype(int) % USERS]
    rows = []
    for sender, recipient in users.tolist():
        if sender == recipient:
            continue
        time = T0 + int(rng.integers(0, 3 * 86_400))
        opened = time + int(rng.integers(0, 7_200)) if rng.random() < 0.7 else None
        rows.append((sender, int(rng.integers(0, ITEMS)), recipient, time, opened))
    return rows


def history_of(rows: list[tuple]) -> History:
    columns = [list(column) for column in zip(*rows, strict=True)]
    opened = [NOT_OPENED if at is None else at for at in columns[4]]
    return History.of(*columns[:4], opened, users=USERS, items=ITEMS)


def random_population(rng: np.random.Generator) -> Population:
    counts = rng.poisson(3.0, (USERS, len(COUNTS))).astype(np.float32)
    sends, receives = (rng.normal(size=(USERS, 3)).astype(np.float32) for _ in range(2))
    nearest = rng.integers(-1, USERS, (USERS, 2)).astype(np.int64)
    alike = rng.integers(-1, USERS, (USERS, 2)).astype(np.int64)
    return Population(counts, sends, receives, nearest, alike, rng.permutation(USERS)[:4].astype(np.int64))


def random_ties(rng: np.random.Generator) -> dict[tuple[int, int], float]:
    pairs = {tuple(sorted(rng.choice(USERS, 2, replace=False).tolist())) for _ in range(30)}
    return {pair: float(rng.integers(1, 5)) for pair in sorted(pairs)}


def ties_of(ties: dict[tuple[int, int], float]) -> Ties:
    one, other = (np.array([pair[end] for pair in ties]) for end in (0, 1))
    return Ties.of(one, other, np.array(list(ties.values())), users=USERS)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limits", [{}, LIMITS], ids=["wide", "narrow"])
def test_every_signal_is_what_a_loop_says(seed: int, limits: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(module, name, value)
    rng = np.random.default_rng(seed)
    rows, ties = random_rows(rng), random_ties(rng)
    user, item = (rng.integers(0, high, 30) for high in (USERS, ITEMS))
    when = T0 + rng.integers(0, 4 * 86_400, 30)
    questions = ask(user, item, when, when - rng.integers(0, 2, 30) * 40_000)
    look = look_at(Known(history_of(rows), random_population(rng), ties_of(ties)), questions)
    found = signals(look)
    checked = set()
    used = tuple({"OWN_EVENTS": 500, "PARTNERS": 200, "CIRCLE_EVENTS": 50, "ITEM_EVENTS": 200, **limits}.values())
    for place, (row, v) in enumerate(zip(look.pairs.row.tolist(), look.pairs.user.tolist(), strict=True)):
        asked = questions.part(slice(row, row + 1))
        values = (int(column[0]) for column in (asked.user, asked.item, asked.time_s, asked.seen_s))
        expected = Loops(rows, *values, limits=used).signals(v, ties)
        for at, (_, name) in enumerate(COLUMNS):
            if name in expected:
                assert found[place, at] == pytest.approx(expected[name], rel=1e-4, abs=1e-5), (name, row, v)
                checked.add(name)
    of_population = {name for group, name in COLUMNS if group in ("population", "vectors")}
    assert checked == {name for _, name in COLUMNS} - RANKS - of_population
    assert np.isfinite(found).all()


def test_signals_of_the_population_are_its_figures() -> None:
    rng = np.random.default_rng(5)
    population = random_population(rng)
    known = Known(history_of(random_rows(rng, 60)), population, ties_of({}))
    look = look_at(known, ask(np.array([3]), np.array([1]), np.array([T0 + 86_400])))
    columns = {name: signals(look)[:, at] for at, (_, name) in enumerate(COLUMNS)}
    for place, v in enumerate(look.pairs.user):
        assert columns["all_lately"][place] == pytest.approx(np.log1p(population.counts[v, 1]))
        there = float((population.sends[3] * population.receives[v]).sum())
        back = float((population.sends[v] * population.receives[3]).sum())
        assert columns["vector"][place] == pytest.approx(np.clip(there, -6, 6), abs=1e-5)
        assert columns["vector_back"][place] == pytest.approx(np.clip(back, -6, 6), abs=1e-5)


def test_likeness_is_the_cosine_of_those_who_are_shared_with() -> None:
    """0 sent to 1 three days ago and to 2 just now; 3 sent to 0 just now."""
    receives = np.zeros((USERS, 2), np.float32)
    receives[:5] = [[0.0, 2.0], [1.0, 0.0], [0.0, 3.0], [3.0, 4.0], [5.0, 0.0]]
    nobody_near = np.full((USERS, 1), -1)
    counts = np.zeros((USERS, len(COUNTS)), np.float32)
    people = Population(counts, receives, receives, nobody_near, nobody_near, np.array([4]))
    now, days = T0 + 3 * 86_400, 3 * 86_400
    rows = [(0, 1, 1, now - days - 1, None), (0, 2, 2, now - 1, None), (3, 3, 0, now - 1, None)]
    look = look_at(Known(history_of(rows), people, ties_of({})), ask(*(np.array([each]) for each in (0, 0, now))))
    columns = {name: signals(look)[:, at] for at, (_, name) in enumerate(COLUMNS)}
    of_four = look.pairs.user.tolist().index(4)
    assert columns["alike"][of_four] == pytest.approx(0.0)
    # Half of [1, 0] and all of [0, 1]; of an hour's half-life nothing is left of the first.
    assert columns["alike_sent"][of_four] == pytest.approx(0.5 / np.hypot(0.5, 1.0), abs=1e-4)
    assert columns["alike_now"][of_four] == pytest.approx(0.0, abs=1e-6)
    assert columns["alike_received"][of_four] == pytest.approx(0.6)


def test_a_place_in_line_is_one_by_the_rank_and_equals_share_the_first() -> None:
    row = np.array([0, 0, 0, 0, 1, 1])
    value = np.array([2.0, 5.0, 2.0, 0.0, 0.0, 3.0])
    assert place_in_line(row, value).tolist() == [0.5, 1.0, 0.5, 0.0, 0.0, 1.0]


def test_nearness_falls_with_age_and_is_nothing_without_one() -> None:
    assert nearness(np.array([0.0, 60.0, 180.0, np.inf])).tolist() == pytest.approx([1.0, 0.5, 1 / 3, 0.0])


def test_a_question_without_any_history_has_strangers_only() -> None:
    rng = np.random.default_rng(1)
    population = random_population(rng)
    empty = History.of([], [], [], [], users=USERS, items=ITEMS)
    look = look_at(Known(empty, population, ties_of({})), ask(np.array([0]), np.array([0]), np.array([T0])))
    near = np.concatenate([population.nearest[0], population.alike[0]])
    assert set(look.pairs.user.tolist()) == {*population.active.tolist(), *near[near >= 0].tolist()} - {0}
    assert signals(look).shape == (len(look.pairs), len(COLUMNS))


def test_groups_have_signals_of_their_own() -> None:
    names = [name for _, name in COLUMNS]
    assert len(set(names)) == len(names)
    assert {group for group, _ in COLUMNS} == set(GROUPS)
