"""Ranks and metrics by hand on three tiny cascades."""

from __future__ import annotations

import numpy as np
import pytest

from engine.propagation.nextsharer.counting import CountingSettings, counting_ranks, tune_counting
from engine.propagation.nextsharer.ending import Ending, learn_ending, ranks_with_end
from engine.propagation.nextsharer.memory import remember
from engine.propagation.nextsharer.metrics import intervals, paired, told
from engine.propagation.nextsharer.questions import END, positions, with_end_marks
from engine.propagation.nextsharer.sequences import Links, no_links
from engine.propagation.sharetarget.examples import Examples
from tests.engine.propagation.nextsharer.made_cascades import sequences

PAST = sequences([[0, 1, 2], [0, 2, 3], [4, 1, 0]], 6)


def test_the_ranks_of_one_cascade_by_hand():
    # far 1/2, fade 1/2, divided by N + 1 = 4, 3, 3, 2, 2 for users 0 to 4; 5 is unknown.
    memory = remember(PAST, no_links(), 0)
    settings = CountingSettings(far=0.5, fade=0.5, sender=1.0, last=1.0, linked=0.0, popular=0.0)
    asked = sequences([[0, 2, 1, 5, 3]], 6)
    # After 0: 1 has 1 (next) + 1 = 2, 2 has .5 + 1 (next) + 1 = 2.5, 3 has .5, all over 4. 2 is first.
    # After 0, 2: 1 has .5 * 1 / 4 = .125; 3 has .5 * .5 / 4 + 1 / 3 + 1 / 3: 3 before 1, 1 is second.
    # After 0, 2, 1: of 3, 4, 5 only 3 has anything (after 2 and 0): 4 is tied with 5 and comes first, so 5 is third.
    # After 5 nothing new: of 3 and 4, 3 is first.
    assert counting_ranks(memory, asked, positions(asked), settings).tolist() == [1, 2, 3, 1]


def test_links_and_popularity_count_where_they_are_asked_to():
    memory = remember(PAST, Links(np.array([5, 3]), np.array([4, 5])), 0)
    asked = sequences([[5, 3], [5, 4], [5, 0]], 6)
    plain = CountingSettings(far=1.0, fade=1.0, sender=0.0, last=0.0, linked=1.0, popular=0.5)
    # N of 0 to 4 is 3 2 2 1 1: popularity gives .5, .33, .33, .17, .17; a link of either direction 1 more.
    assert counting_ranks(memory, asked, positions(asked), plain).tolist() == [1, 2, 3]


def test_metrics_by_hand():
    rank = np.array([1.0, 4, 11, 100, 101, 1e9])
    found = told(rank)
    assert [found[f"hits@{k}"] for k in (10, 50, 100)] == pytest.approx([2 / 6, 3 / 6, 4 / 6])
    assert found["map@10"] == pytest.approx((1 + 1 / 4) / 6)
    assert found["map@50"] == pytest.approx((1 + 1 / 4 + 1 / 11) / 6)
    assert found["map@100"] == pytest.approx((1 + 1 / 4 + 1 / 11 + 1 / 100) / 6)
    cascade = np.array([0, 0, 1, 1, 2, 2])
    low, high = intervals(rank, cascade, 0)["hits@100"]
    assert low == pytest.approx(0)
    assert high == pytest.approx(1)
    better = paired(rank, np.full(6, 1e9), cascade, 0)
    assert better["hits@100"] == pytest.approx(4 / 6)
    same = paired(rank, rank, cascade, 0)
    assert same["interval"] == {"hits@100": (0.0, 0.0), "map@100": (0.0, 0.0)}


def test_positions_end_with_the_200th_user_and_the_end_mark_takes_one():
    cascades = sequences([list(range(2)), list(range(199)), list(range(200)), list(range(300))], 300)
    assert np.add.reduceat(positions(cascades), cascades.indptr[:-1]).tolist() == [1, 198, 199, 199]
    marked = with_end_marks(cascades)
    asked = positions(marked)
    assert np.add.reduceat(asked, marked.indptr[:-1]).tolist() == [2, 199, 199, 199]
    assert np.add.reduceat(asked & (marked.user == END), marked.indptr[:-1]).tolist() == [1, 1, 0, 0]
    assert marked.time_s[2] == marked.time_s[1]


def test_the_chance_of_the_end_is_counted():
    ending = learn_ending(sequences([[0, 1], [0, 1], [0, 1, 2, 3]], 4), np.ones(3))
    # One user: never the end of 3. Two users: 2 of 3. Mean 3 of 8; two positions' worth of it are the prior.
    assert ending.of(np.array([1]))[0] == pytest.approx((0 + 0.75) / (3 + 2))
    assert ending.of(np.array([2]))[0] == pytest.approx((2 + 0.75) / (3 + 2))
    assert ending.of(np.array([400]))[0] == ending.of(np.array([4]))[0]


def test_ranks_with_the_end_among_the_candidates():
    # Two questions of chances .5 .25 .25; the end has .4, so users have .3 .15 .15: it is first.
    # With .1 they have .45 .225 .225.
    score = np.log(np.array([0.5, 0.25, 0.25] * 3))
    answers = np.array([0, 5, -1])
    examples = Examples(np.zeros((9, 1), np.float32), np.arange(9), np.array([0, 3, 6, 9]), answers)
    rank = np.array([1.0, 3.0, 1e9])
    chance = Ending(np.array([0.4, 0.1, 0.1])).of(np.array([1, 1, 1]))
    assert ranks_with_end(examples, score, rank, chance, np.array([False, False, True])).tolist() == [2, 4, 1]
    low = np.full(3, 0.1)
    assert ranks_with_end(examples, score, rank, low, np.array([False, False, True])).tolist() == [1, 3, 4]


def test_tuning_finds_what_the_cascades_are_made_of():
    # Who came right before decides; who came earlier only misleads.
    past = sequences([[0, 1, 2], [0, 1, 2], [3, 1, 2], [4, 5, 6], [4, 5, 6], [0, 5, 6]] * 3, 7)
    held = sequences([[4, 1, 2], [3, 5, 6]] * 4, 7)
    memory = remember(past, no_links(), 0)
    asked = positions(held)
    found = tune_counting(memory, held, asked)
    tuned, plain = (
        counting_ranks(memory, held, asked, each)
        for each in (found, CountingSettings(far=1.0, fade=1.0, sender=0.0, last=0.0))
    )
    assert told(tuned)["map@100"] >= told(plain)["map@100"]
    assert (tuned[1::2] == 1).all()
