"""Trees by hand, in blocks, and as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import ArtifactError
from engine.serving.sharetarget import trees as module
from engine.serving.sharetarget.trees import Trees

INF = np.inf
TWO = Trees(
    np.array([[0, 1, 1], [1, 0, 0]], np.int32),
    np.array([[0.5, 2.0, 3.0], [1.0, INF, INF]], np.float32),
    np.array([[1.0, 2.0, 3.0, 4.0], [10.0, -1.0, 20.0, -1.0]], np.float32),
)
"""The first asks for signal 0 above .5, then signal 1 above 2 (left) or 3 (right); the second for signal 1 above 1."""
ROWS = np.array([[0.0, 0.0], [0.0, 2.5], [0.5, 2.0], [1.0, 3.0], [1.0, 3.5]], np.float32)
SCORES = [1.0 + 10.0, 2.0 + 20.0, 1.0 + 20.0, 3.0 + 20.0, 4.0 + 20.0]


def test_rows_fall_into_the_leaves_that_a_reader_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TWO.score(ROWS).tolist() == SCORES
    monkeypatch.setattr(module, "AT_A_TIME", 4)
    assert TWO.score(ROWS).tolist() == SCORES


def test_first_and_rest_make_the_whole() -> None:
    assert TWO.first(1).score(ROWS).tolist() == [1.0, 2.0, 1.0, 3.0, 4.0]
    assert (TWO.first(1).score(ROWS) + TWO.after(1).score(ROWS)).tolist() == SCORES


def test_arrays_give_the_trees_back() -> None:
    assert Trees.from_arrays(TWO.to_arrays(), 2).score(ROWS).tolist() == SCORES


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda arrays: arrays.pop("value"), "lacks the array 'value'"),
        (lambda arrays: arrays.update(value=np.zeros((2, 3), np.float32)), "not complete"),
        (lambda arrays: arrays.update(threshold=np.zeros((2, 4), np.float32)), "not complete"),
        (lambda arrays: arrays.update(feature=np.full((2, 3), 2, np.int32)), "made for other signals than these 2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(spoil, reason: str) -> None:
    arrays = dict(TWO.to_arrays())
    spoil(arrays)
    with pytest.raises(ArtifactError, match=reason):
        Trees.from_arrays(arrays, 2)
