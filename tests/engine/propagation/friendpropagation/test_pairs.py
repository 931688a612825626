"""The pairs that are scored, by hand; what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation import cascades as reading
from engine.propagation.cascades import links_from_folder
from engine.propagation.friendpropagation import pairs as module
from engine.propagation.friendpropagation.pairs import neighbours_of, pairs_of, read_folder
from tests.engine.propagation.friendpropagation.shop import hand

PUBLIC_DATA = Path(os.environ.get("TEST_DATA", Path(__file__).parents[5] / "shared" / "data"))
"""Where public benchmark folders lie, if they are there."""


def test_the_cut_is_by_start(tmp_path):
    folder = read_folder(hand(tmp_path))
    train, choose, test = folder.parts()
    assert (len(train), len(choose), len(test)) == (8, 1, 2)  # of 11: int(8.8), int(9.9)
    assert folder.cascades.start_s[choose].tolist() == [900.0]
    assert folder.cascades.start_s[test].tolist() == [1000.0, 1100.0]  # the file's first line is the last but one


def test_pairs_by_hand(tmp_path):
    # Users 1 2 3 4 5 6 7 8 9 are 0..8. Cascade `1 2 100,3 110,4 130`: 1, 2, 3, 4 in this order.
    # 1's neighbours 2 (joins), 8; 2's: 1 is in, 3 joins, 4 joins, 6 is in no cascade; 3's: 2 is in; 4's: 2 is in.
    folder = read_folder(hand(tmp_path))
    found = pairs_of(folder, np.array([0]))
    friend = folder.neighbours.user[found.tie] + 1
    assert list(zip(found.place.tolist(), friend.tolist(), found.joins.tolist(), strict=True)) == [
        (0, 2, True), (0, 8, False), (1, 3, True), (1, 4, True),
    ]  # fmt: skip
    assert found.question.tolist() == [0, 0, 1, 1]
    # Root 5 has one neighbour, 9, who joins; 7's is 9 too; 9's are 5 and 7, both in.
    last = pairs_of(folder, np.array([9]))
    assert (folder.neighbours.user[last.tie] + 1).tolist() == [9, 9]
    assert last.joins.tolist() == [True, True]


def test_a_tie_knows_its_directions():
    ties = neighbours_of(np.array([0, 1, 1, 0]), np.array([1, 0, 2, 1]), 4)
    assert ties.indptr.tolist() == [0, 1, 3, 4, 4]
    assert ties.user.tolist() == [1, 0, 2, 1]
    assert ties.owner.tolist() == [0, 1, 1, 2]
    assert ties.out.tolist() == [True, True, True, False]
    assert ties.into.tolist() == [True, True, False, True]


def test_who_comes_twice_counts_once_and_sizes_are_bounded(tmp_path):
    hand(tmp_path)
    with (tmp_path / "cascades.txt").open("a") as file:
        file.write("1 2 5,1 6,2 7,3 8,\n")
        file.write("1 1 6,1 7,\n")  # one user: not kept
        file.write("0 " + ",".join(f"{u} 7" for u in range(1, 501)) + ",\n")  # 501 users: not kept
    cascades = read_folder(tmp_path).cascades
    assert len(cascades) == 12
    assert cascades.user[: cascades.indptr[1]].tolist() == [0, 1, 2]
    assert cascades.seconds[: cascades.indptr[1]].tolist() == [0.0, 0.0, 3.0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("1,2\n3 4\n", "line 2: '3 4' is not USER,USER"), ("1,2,3\n", "line 1"), ("1,9223372036854775807\n", "too large"),
     ("", "line 1: holds no link"), ("4,4\n", "line 1: holds no link")],
)  # fmt: skip
def test_malformed_links_are_refused(tmp_path, text, reason):
    hand(tmp_path)
    (tmp_path / "edges.txt").write_text(text)
    with pytest.raises(DataError, match=reason):
        read_folder(tmp_path)


def test_links_that_are_missing_no_text_or_too_many(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="there is no such file"):
        links_from_folder(tmp_path)
    (tmp_path / "edges.txt").write_bytes(b"1,2\n\xff\xfe,3\n")
    with pytest.raises(DataError, match="is not text"):
        links_from_folder(tmp_path)
    monkeypatch.setattr(reading, "MAX_LINKS", 1)
    (tmp_path / "edges.txt").write_text("1,2\n2,3\n")
    with pytest.raises(DataError, match="line 2: more than 1 links"):
        links_from_folder(tmp_path)


def test_too_few_cascades_are_refused(tmp_path):
    hand(tmp_path)
    (tmp_path / "cascades.txt").write_text("1 2 3,\n")
    with pytest.raises(DataError, match="1 cascades of 2 to 500 users"):
        read_folder(tmp_path)


def test_too_many_pairs_are_drawn_or_refused(tmp_path, monkeypatch):
    folder = read_folder(hand(tmp_path))
    rows = np.arange(len(folder.cascades))
    every = pairs_of(folder, rows)
    monkeypatch.setattr(module, "MAX_PAIRS", 20)
    with pytest.raises(DataError, match="at most 20"):
        pairs_of(folder, rows)
    some = pairs_of(folder, rows, np.random.default_rng(0))
    assert 0 < len(some) < len(every)


@pytest.mark.skipif(not (PUBLIC_DATA / "christianity").exists(), reason="the public data is not on this machine")
def test_the_public_pairs_are_those_of_the_bars():
    folder = read_folder(PUBLIC_DATA / "christianity")
    assert [len(part) for part in folder.parts()] == [471, 59, 59]
    found = pairs_of(folder, folder.parts()[2])
    assert len(found) == 59_335
    assert found.joins.mean() == pytest.approx(0.0094, abs=5e-5)
