"""Signals by hand, and that nobody's own future is among them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.propagation.cascades import Cascades
from engine.propagation.friendpropagation.names import GROUPS, NAMES
from engine.propagation.friendpropagation.pairs import Folder, pairs_of, read_folder
from engine.propagation.friendpropagation.pairsignals import signals_of, tie_shape
from tests.engine.propagation.friendpropagation.shop import hand, taught


def column(signals, name):
    return signals[:, NAMES.index(name)]


def test_counts_by_hand(tmp_path):
    """The pair (2, 4) at place 1 of `1 2,3,4`, beside the seven other cascades of the first eight."""
    folder = read_folder(hand(tmp_path))
    asked = pairs_of(folder, np.array([0])).take([3])
    signals = signals_of(folder, asked, np.arange(8), seed=0)
    # 2 is in `2 3`, `4 1 2`, `2 4`, `2 1`: 4 of them; 4 is in `4 1 2`, `1 3 4`, `2 4`, `1 4 3`: 4.
    # After 2 comes 4 once (`2 4`), before it once (`4 1 2`).
    assert column(signals, "sharer_cascades") == pytest.approx(np.log1p(4))
    assert column(signals, "friend_cascades") == pytest.approx(np.log1p(4))
    assert column(signals, "after") == pytest.approx(np.log1p(1))
    assert column(signals, "before") == pytest.approx(np.log1p(1))
    assert column(signals, "after_of_sharer") == pytest.approx(1 / 6)
    assert column(signals, "soon") == pytest.approx(1 / 6)
    # Of the sharers so far, 1 and 2: 1 is in `4 1 2`, `1 3 4`, `3 1`, `1 4 3`, `2 1`, and 4 follows in two of five.
    assert column(signals, "drawn") == pytest.approx(np.log1p(1 / 6 + 2 / 7))
    assert column(signals, "drawn_most") == pytest.approx(2 / 7)
    assert column(signals, "drawn_any") == pytest.approx(-(np.log1p(-1 / 6) + np.log1p(-2 / 7)) / 2)
    # 4's only neighbour is 2, by 4 -> 2.
    assert column(signals, "ties") == pytest.approx(np.log1p(1))
    assert column(signals, "ties_of_friend") == 1.0
    assert [column(signals, name)[0] for name in ("out", "into")] == [0.0, 1.0]
    # Nothing of 4's lies before the share at 110.
    assert column(signals, "friend_before") == 0.0


def test_common_neighbours_by_hand(tmp_path):
    folder = read_folder(hand(tmp_path))
    shape = tie_shape(folder.neighbours)
    assert (shape[:, 2:] == 0).all()  # the links of this folder make no triangle
    assert len(shape) == len(folder.neighbours.user)


def without(folder: Folder, row: int) -> Folder:
    kept = np.delete(np.arange(len(folder.cascades)), row)
    return Folder(folder.cascades.take(np.append(kept, row)), folder.neighbours)


def test_a_cascade_does_not_count_in_its_own_signals(tmp_path):
    folder = read_folder(taught(tmp_path, cascades=60))
    past, row = np.arange(48), 20
    mine = signals_of(folder, pairs_of(folder, np.array([row])), past, seed=0)
    apart = without(folder, row)  # the same cascade, last of all, and the past is the 47 others
    last = len(apart.cascades) - 1
    theirs = signals_of(apart, pairs_of(apart, np.array([last])), np.arange(47), seed=0)
    # What was learned without the whole fold differs; which quarter is the last, by one cascade.
    same = [at for at, name in enumerate(NAMES) if name not in (*GROUPS["learned"], "friend_late")]
    np.testing.assert_allclose(mine[:, same], theirs[:, same], rtol=1e-5, atol=1e-6)


def test_learned_signals_come_from_other_folds(tmp_path):
    """Whoever is put into a cascade changes nothing of what its own pairs are told."""
    folder = read_folder(taught(tmp_path, cascades=60))
    past = np.arange(48)
    asked = pairs_of(folder, np.array([20]))
    first = asked.take(asked.place == 0)
    before = signals_of(folder, first, past, seed=0)
    cascades = folder.cascades
    user = cascades.user.copy()
    rest = slice(cascades.indptr[20] + 1, cascades.indptr[21])
    user[rest] = user[rest][::-1]
    planted = np.setdiff1d(np.arange(folder.users), user[cascades.indptr[20] : cascades.indptr[21]])[0]
    user[cascades.indptr[21] - 1] = planted
    other = Folder(Cascades(cascades.start_s, cascades.indptr, cascades.seconds, user), folder.neighbours)
    after = signals_of(other, first, past, seed=0)
    np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-5)
    # A cascade of another fold does tell: the test would see it.
    elsewhere = signals_of(other, pairs_of(other, np.array([21])), past, seed=0)
    assert not np.allclose(elsewhere, signals_of(folder, pairs_of(folder, np.array([21])), past, seed=0))


def test_live_signals_know_nothing_that_comes_after_the_share(tmp_path):
    folder = read_folder(taught(tmp_path, cascades=60))
    row, past = 30, np.arange(48)
    asked = pairs_of(folder, np.array([row]))
    now_s = folder.cascades.start_s[row]
    asked = asked.take(asked.place == 0)
    cascades = folder.cascades
    time_s = cascades.start_s[cascades.cascade_of] + cascades.seconds
    known = (time_s < now_s) | (cascades.cascade_of == row)
    user = np.where(known, cascades.user, (cascades.user + 7) % folder.users)
    other = Folder(Cascades(cascades.start_s, cascades.indptr, cascades.seconds, user), folder.neighbours)
    told = signals_of(folder, asked, past, seed=0, live=True)
    np.testing.assert_allclose(told, signals_of(other, asked, past, seed=0, live=True), rtol=1e-6)
    assert not np.allclose(signals_of(folder, asked, past, seed=0), signals_of(other, asked, past, seed=0))
    assert column(told, "friend_before") == pytest.approx(column(told, "friend_cascades"))


def test_signals_are_finite(tmp_path):
    folder = read_folder(taught(tmp_path, cascades=60))
    found = signals_of(folder, pairs_of(folder, np.arange(60)), np.arange(48), seed=0)
    assert found.shape[1] == len(NAMES)
    assert np.isfinite(found).all()
