from __future__ import annotations

import random
from collections import Counter

import pytest

from engine.serving.exploration import POOL, drawn_places, explore


def test_without_a_share_the_best_are_listed() -> None:
    places = explore(30, 10, 0.0, random.Random(1))
    assert [place.candidate for place in places] == list(range(10))
    assert {place.propensity for place in places} == {1.0}


def test_the_same_seed_draws_the_same_list() -> None:
    assert explore(100, 10, 0.3, random.Random(5)) == explore(100, 10, 0.3, random.Random(5))
    assert explore(100, 10, 0.3, random.Random(5)) != explore(100, 10, 0.3, random.Random(6))


@pytest.mark.parametrize(("limit", "share", "drawn"), [(10, 0.0, 0), (10, 0.01, 1), (10, 0.25, 2), (10, 0.5, 5)])
def test_a_share_is_a_number_of_places(limit: int, share: float, drawn: int) -> None:
    assert drawn_places(limit, share) == drawn


def test_what_is_drawn_is_in_the_list_as_often_as_its_propensity_says() -> None:
    times, draws = Counter[int](), 20_000
    generator = random.Random(0)
    for _ in range(draws):
        times.update(place.candidate for place in explore(100, 10, 0.2, generator))
    assert all(times[n] == draws for n in range(8))
    expected = 2 / POOL
    tolerance = 5 * (expected * (1 - expected) / draws) ** 0.5
    assert all(times[n] / draws == pytest.approx(expected, abs=tolerance) for n in range(8, 8 + POOL))
    assert sum(times[n] for n in range(8 + POOL, 100)) == 0


def test_weighing_by_propensity_finds_the_mean_of_what_is_drawn_from() -> None:
    """Inverse propensity scoring: the mean reward of candidates nobody would list, from lists alone."""
    reward = {n: float(n % 3 == 0) for n in range(100)}
    generator, total, draws = random.Random(2), 0.0, 20_000
    for _ in range(draws):
        drawn = [place for place in explore(100, 10, 0.2, generator) if place.is_drawn]
        total += sum(reward[place.candidate] / place.propensity for place in drawn)
    true = sum(reward[n] for n in range(8, 8 + POOL))
    assert total / draws == pytest.approx(true, rel=0.05)


def test_drawn_places_stand_anywhere() -> None:
    generator = random.Random(3)
    at = Counter(n for _ in range(5_000) for n, p in enumerate(explore(100, 10, 0.1, generator)) if p.is_drawn)
    assert min(at.values()) > 350
    assert len(at) == 10


def test_few_candidates_are_all_listed() -> None:
    places = explore(3, 10, 0.5, random.Random(1))
    assert sorted(place.candidate for place in places) == [0, 1, 2]
    assert {place.propensity for place in places} == {1.0}
    assert explore(0, 10, 0.5, random.Random(1)) == []
