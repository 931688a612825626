"""Whom to show an item to, by numbers worked out by hand."""

from __future__ import annotations

import pytest

from engine.serving import audience
from engine.serving.audience import Prospect


def test_a_listed_item_has_the_lists_chance() -> None:
    assert audience.published(Prospect("u", listed=0.3, last_listed=0.1, similarity=0.9)) == pytest.approx(0.3)


def test_an_item_that_is_not_listed_is_wanted_less_than_the_last_one_on_the_list() -> None:
    # closeness 2 * 0.75 - 1 = 0.5 of the last chance
    assert audience.published(Prospect("u", last_listed=0.1, similarity=0.75)) == pytest.approx(0.05)
    assert audience.published(Prospect("u", last_listed=0.1, similarity=0.4)) == 0.0
    assert audience.published(Prospect("u", last_listed=0.1)) == 0.0
    assert audience.published(Prospect("u", similarity=0.9)) == 0.0


def test_interactions_add_to_the_chance_and_fade() -> None:
    assert audience.interest(Prospect("u", acts=[("ADDED_TO_CART", 0.0)])) == pytest.approx(0.25)
    assert audience.interest(Prospect("u", acts=[("ADDED_TO_CART", 3 * 86_400)])) == pytest.approx(0.125)
    # 1 - (1 - 0.3) (1 - 0.25) (1 - 0.02); of the two views the newest counts
    both = Prospect("u", listed=0.3, acts=[("ADDED_TO_CART", 0.0), ("VIEWED", 9e9), ("VIEWED", -1.0)])
    assert audience.interest(both) == pytest.approx(1 - 0.7 * 0.75 * 0.98)


def test_the_score_counts_whom_the_user_would_reach() -> None:
    user = Prospect("u", listed=0.3, influence=6.0, reach=3, friends=4)
    assert audience.score(user, 0.0) == pytest.approx(0.3)
    # 0.3 * (1 + 0.2 * 5 * 3/4)
    assert audience.score(user, 0.2) == pytest.approx(0.525)
    assert audience.score(Prospect("u", listed=0.3, influence=6.0), 0.2) == pytest.approx(0.3)
    assert audience.score(Prospect("u", listed=0.3, reach=3, friends=4), 1.0) == pytest.approx(0.3)
    assert audience.score(Prospect("u", listed=0.3, influence=0.2, reach=1, friends=1), 1.0) == pytest.approx(0.3)


def test_the_order_is_by_score_then_id_and_the_indifferent_are_left_out() -> None:
    given = [
        Prospect("d", listed=0.2),
        Prospect("c", similarity=0.99),
        Prospect("b", listed=0.2),
        Prospect("a", listed=0.1, influence=20.0, reach=1, friends=1),
    ]
    assert [each.prospect.user_id for each in audience.rank(given, 0.0)] == ["b", "d", "a"]
    assert [each.prospect.user_id for each in audience.rank(given, 1.0)] == ["a", "b", "d"]


def test_extreme_logits_stay_chances() -> None:
    assert audience.chance(1e4) == 1.0
    assert audience.chance(-1e4) == 0.0
    assert audience.chance(0.0) == 0.5
    assert audience.chance(None) is None


def test_reasons_say_what_holds() -> None:
    assert audience.reasons(Prospect("u", last_listed=0.5, similarity=0.7, percentile=50.0)) == ()
    acts = [("VIEWED", 1.0), ("COMMENTED", 1.0), ("LIKED", 1.0), ("ADDED_TO_CART", 1.0)]
    everything = Prospect("u", listed=0.5, similarity=0.75, percentile=90.0, acts=acts)
    assert audience.reasons(everything) == audience.AUDIENCE_REASONS
