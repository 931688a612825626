"""The fitted model: what it learned from, what it ranks, and that it knows nothing of cascades it was not given."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation.nextsharer.evaluate import cut, learn
from engine.propagation.nextsharer.model import NextSharers, fit_next_sharers, surely_best
from engine.propagation.nextsharer.sequences import Sequences, no_links
from tests.engine.propagation.nextsharer.made_cascades import chains, sequences

USERS, COUNT = 60, 200
SENDER, FOLLOWER = 60, 61
"""The planted pair: both share in train, never in one cascade; one follows the other in every later cascade."""


def planted() -> Sequences:
    rows = chains(COUNT, 3, users=USERS)
    train, _ = cut(COUNT)
    for place in range(0, train, 8):
        rows[place].append(SENDER)
        rows[place + 1].append(FOLLOWER)
    return sequences([*rows[:train], *([SENDER, FOLLOWER, *row] for row in rows[train:])], USERS + 2)


def place_of_follower(model: NextSharers) -> int:
    users, _ = model.rank(np.array([SENDER]), np.array([1e6]), 100)
    return int(np.flatnonzero(np.append(users, FOLLOWER) == FOLLOWER)[0])


@pytest.fixture(scope="module")
def cascades() -> Sequences:
    return planted()


@pytest.fixture(scope="module")
def fitted(cascades) -> NextSharers:
    train, chosen = cut(len(cascades))
    return learn(
        cascades.part(0, train), cascades.part(train, chosen), no_links(), 0, lambda *_: None, compare=False
    ).model


def test_a_pair_planted_in_choosing_tenth_and_test_is_not_known(cascades, fitted):
    train, _ = cut(len(cascades))
    for row in range(len(cascades)):
        users = cascades.user[cascades.indptr[row] : cascades.indptr[row + 1]].tolist()
        assert (SENDER in users and FOLLOWER in users) == (row >= train)
    assert place_of_follower(fitted) > 5
    assert fitted.memory.count[[SENDER, FOLLOWER]].tolist() == [20, 20]
    knowing = fit_next_sharers(cascades, no_links(), 0)  # the same with a leak: this test would see one
    assert place_of_follower(knowing) == 0


def test_memory_is_the_same_whatever_comes_after_train(cascades, fitted):
    train, chosen = cut(len(cascades))
    later = cascades.take(np.arange(len(cascades))[::-1].copy()).part(0, 20)
    other = learn(cascades.part(0, train), later, no_links(), 0, lambda *_: None, compare=False).model
    assert chosen - train == 20
    for name, array in fitted.memory._asdict().items():
        assert np.array_equal(array, getattr(other.memory, name)), name
    for name, array in fitted.ranker.to_arrays().items():
        if name.startswith(("mean", "scale", "screen", "net")):  # the cut chooses number and weight of the trees alone
            assert np.array_equal(array, other.ranker.to_arrays()[name]), name
    assert np.array_equal(fitted.ending.chance, other.ending.chance)


def test_a_chain_goes_on(fitted):
    train = [users.tolist() for users in np.split(planted().user, planted().indptr[1:-1])][:150]
    for first in (0, 24, 54):
        users, score = fitted.rank(np.array([first, first + 1, first + 2]), np.array([1e6, 1e6 + 10, 1e6 + 20]), 10)
        assert any(first in row for row in train)
        assert len(users) == 10
        assert (np.diff(score) <= 0).all()
        assert not set(users.tolist()) & {first, first + 1, first + 2}
        assert users[0] in {first + 3, first + 4}


def test_the_same_seed_gives_the_same_model(cascades):
    past = cascades.part(0, 160)
    first, second = (fit_next_sharers(past, no_links(), 5) for _ in range(2))
    asked = np.array([6, 7]), np.array([1e6, 1e6 + 3])
    for one, other in zip(first.rank(*asked, 50), second.rank(*asked, 50), strict=True):
        assert np.array_equal(one, other)


def test_long_prefixes_and_unknown_users_are_ranked_too(fitted):
    users, _ = fitted.rank(np.arange(USERS), np.zeros(USERS), 100)
    assert set(users.tolist()) <= {SENDER, FOLLOWER}
    assert len(fitted.rank(np.array([1]), np.array([0.0]), 0)[0]) == 0


@pytest.mark.parametrize(
    ("users", "time_s"),
    [([], []), ([1, 1], [0, 1]), ([-1], [0]), ([62], [0]), ([1, 2], [1, 0]), ([1, 2], [0]), ([1], [np.nan])],
)
def test_a_cascade_that_is_none_is_refused(fitted, users, time_s):
    with pytest.raises(DataError):
        fitted.rank(np.array(users), np.array(time_s), 10)


def test_another_choice_must_be_better_by_two_standard_errors():
    usual, other = (120, 0.5), (40, 1.0)
    worth = {usual: np.zeros(100), other: np.zeros(100), (80, 0.0): np.full(100, -1.0)}
    worth[other][:4] = 1.0  # mean .04, deviation .196, error .0196: 2.04 errors
    assert surely_best(worth, usual) == other
    worth[other][3] = 0.0  # mean .03, error .0171: 1.76 errors
    assert surely_best(worth, usual) == usual
    assert surely_best({usual: np.ones(5)}, usual) == usual


def test_too_few_cascades_are_refused(cascades):
    with pytest.raises(DataError, match="19 cascades to learn from; at least 20 are needed"):
        fit_next_sharers(cascades.part(0, 19), no_links(), 0)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (list(range(501)), "has 2 to 500 users"),
        ([3], "has 2 to 500 users"),
        ([1, 600], "has no number"),
        ([-1, 2], "has no number"),
        ([1, 2, 1], "listed twice"),
    ],
)
def test_a_past_that_numbers_could_not_hold_is_refused(row, problem):
    with pytest.raises(DataError, match=problem):
        fit_next_sharers(sequences([[0, 1]] * 30 + [row], 600), no_links(), 0)
