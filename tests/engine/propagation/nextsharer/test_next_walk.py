"""Signals along a running cascade, against plain loops and dense matrices; nothing to come is looked at."""

from __future__ import annotations

import numpy as np
import pytest

from engine.propagation.nextsharer.linear import POPULARITY, RIDGE
from engine.propagation.nextsharer.memory import FADE, remember
from engine.propagation.nextsharer.prefix import empty_prefix
from engine.propagation.nextsharer.questions import make_questions, positions
from engine.propagation.nextsharer.sequences import Links, no_links
from engine.propagation.nextsharer.signals import NAMES
from tests.engine.propagation.nextsharer.made_cascades import chains, sequences

USERS = 60
ROWS = chains(40, 0)
MEMORY = remember(sequences(ROWS, USERS), no_links(), 0)
RUNNING = [[3, 9, 4, 5, 20, 10], [12, 13, 14, 15]]


def asked_of(rows: list[list[int]]):
    cascades = sequences(rows, USERS, every_s=500.0)
    return make_questions(MEMORY, cascades, positions(cascades))


def pair_sums(prefix: list[int]) -> dict[str, np.ndarray]:
    found = {name: np.zeros(USERS) for name in ("later1", "mid95", "last", "best", "supporters", "before1")}
    for place, u in enumerate(prefix):
        row = {name: np.zeros(USERS) for name in ("later", "mid", "next", "before")}
        for past in ROWS:
            for v in past if u in past else ():
                gap = past.index(v) - past.index(u)
                if gap > 0:
                    row["later"][v] += 1
                    row["mid"][v] += FADE ** (gap - 1)
                    row["next"][v] += gap == 1
                elif gap < 0:
                    row["before"][v] += FADE ** (-gap - 1)
        count, ago = sum(u in past for past in ROWS), len(prefix) - 1 - place
        found["later1"] += row["later"] / (count + 0.5)
        found["mid95"] += 0.95**ago * row["mid"] / (count + 0.5)
        found["before1"] += row["before"] / (count + 0.5)
        found["last"] = row["next"] / (count + 0.5)
        found["best"] = np.maximum(found["best"], row["mid"] / (count + 2))
        found["supporters"] += row["later"] > 0
    return {name: np.log1p(value if name == "supporters" else 50 * value) for name, value in found.items()}


def test_pairs_are_those_of_plain_loops():
    questions = asked_of(RUNNING)
    question = 0
    for row in RUNNING:
        for t in range(1, len(row)):
            mine = slice(questions.indptr[question], questions.indptr[question + 1])
            user = questions.user[mine]
            assert len(set(user.tolist())) == len(user)
            assert not set(row[:t]) & set(user.tolist())
            for name, value in pair_sums(row[:t]).items():
                found = questions.signals[mine, NAMES.index(name)]
                assert found == pytest.approx(value[user], rel=1e-4, abs=1e-5), name
            answer = questions.answer[question]
            assert answer < 0 or questions.user[answer] == row[t]
            question += 1
    assert question == len(questions)


def test_the_linear_model_is_ridge_regression_in_user_space():
    # x X^T (X X^T + r I)^-1 X = x (X^T X + r I)^-1 X^T X; the second is solved here with numpy.
    x = np.zeros((len(ROWS), USERS))
    count = np.array([sum(user in row for row in ROWS) for user in range(USERS)], float)
    for at, row in enumerate(ROWS):
        x[at, row] = count[row] ** -POPULARITY / np.sqrt(len(row))
    ridge = RIDGE * np.trace(x @ x.T) / len(x)
    prefix = np.zeros(USERS)
    prefix[[3, 9, 4]] = 1.0
    rows = x @ (prefix * (x > 0).any(axis=0))  # the prefix weighs each known user's own column once
    lengths = np.array([len(row) for row in ROWS])
    plain = np.array(
        [[1 / np.sqrt(lengths[at]) if user in row else 0 for user in range(USERS)] for at, row in enumerate(ROWS)]
    )
    expected = np.linalg.solve(x @ x.T + ridge * np.eye(len(x)), rows) @ plain
    questions = asked_of([[3, 9, 4, 5]])
    mine = slice(questions.indptr[2], questions.indptr[3])
    found = questions.signals[mine, NAMES.index("linear1")] / 5.0
    assert found == pytest.approx(expected[questions.user[mine]], rel=1e-3, abs=1e-4)


def test_a_question_sees_neither_what_follows_nor_other_running_cascades():
    both, alone = asked_of(RUNNING), asked_of(RUNNING[:1])
    short = asked_of([[*RUNNING[0][:3], 50]])
    for other, questions in ((alone, 5), (short, 2)):
        rows = both.indptr[questions]
        assert np.array_equal(other.signals[:rows], both.signals[:rows])
        assert np.array_equal(other.user[:rows], both.user[:rows])


def test_the_room_is_left_empty():
    cascades = sequences(RUNNING, USERS)
    room = empty_prefix(MEMORY)
    from engine.propagation.nextsharer.candidates import MOST
    from engine.propagation.nextsharer.walk import walk

    asked = positions(cascades)[:6]
    written = np.empty((5 * MOST, len(NAMES)), np.float32), np.empty(5 * MOST, np.int64), np.empty(5, np.int64)
    assert walk(MEMORY, room, cascades.user[:6], cascades.time_s[:6], asked, *written) == written[2].sum()
    for name in ("row", "state", "extra", "is_active", "inside", "like", "is_near", "votes", "links", "is_linked"):
        assert not getattr(room, name).any(), name


def test_links_to_the_prefix_are_counted_in_both_directions():
    memory = remember(sequences(ROWS, USERS), Links(np.array([3, 9, 40, 40]), np.array([40, 40, 9, 41])), 0)
    cascades = sequences([[3, 9, 40]], USERS)
    questions = make_questions(memory, cascades, positions(cascades))
    place = questions.answer[1]
    found = {name: questions.signals[place, NAMES.index(name)] for name in NAMES}
    assert found["out_all"] == pytest.approx(np.log1p(2))
    assert found["out_last"] == 1
    assert found["in_all"] == pytest.approx(np.log1p(1))
    assert found["in_last"] == 1
    assert found["degree"] == pytest.approx(np.log1p(4))


def test_what_a_user_did_later_is_not_activity():
    # Past cascades run until after the question's moment: only events up to it count in `hour`, `day` and `since`.
    memory = remember(sequences([[0, 1], [2, 1], [3, 1]], 5, every_s=1_000.0), no_links(), 0)
    cascades = sequences([[0, 4, 1]], 5, gap_s=1_005.0)
    questions = make_questions(memory, cascades, positions(cascades))
    place = questions.answer[1]  # asked at 1,005 s; user 1 shared at 10, 1,010 and 2,010 s
    found = {name: questions.signals[place, NAMES.index(name)] for name in ("hour", "day", "since", "count")}
    assert found == pytest.approx(
        {"hour": np.log1p(1), "day": np.log1p(1), "since": np.log1p(995), "count": np.log1p(3)}, rel=1e-5
    )
