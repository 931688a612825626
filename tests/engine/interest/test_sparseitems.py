"""The sparse item-item model against the regressions that define it, solved one by one in float64."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import TrainingError
from engine.interest import sparseitems
from engine.interest.adjacency import Adjacency, from_pairs

RIDGE, EXPONENT = 2.0, 0.2


def history(users: int = 60, items: int = 30) -> Adjacency:
    rng = np.random.default_rng(1)
    user, item = np.nonzero(rng.random((users, items)) < 0.3 * rng.random(items))
    return from_pairs(user, item, (users, items), rng.random(len(user)).astype(np.float32) + 0.5)


def regressions(x: np.ndarray, support: int) -> np.ndarray:
    """Return B, each column a ridge regression on the `support` items of largest cosine with it."""
    gram = x.T @ x
    norm = np.sqrt(np.diag(gram))
    b = np.zeros_like(gram)
    for j in range(len(gram)):
        closeness = np.where(gram[j] > 0, gram[j] / np.maximum(norm, 1e-30), -1.0)
        closeness[j] = -1.0
        chosen = [i for i in np.argsort(-closeness, kind="stable")[:support] if closeness[i] > 0]
        if chosen:
            inner = gram[np.ix_(chosen, chosen)] + RIDGE * np.eye(len(chosen))
            b[chosen, j] = np.linalg.solve(inner, gram[chosen, j])
    return b


def scaled(seen: Adjacency) -> np.ndarray:
    return seen.dense().astype(float) * np.maximum((seen.dense() > 0).sum(axis=0), 1.0) ** -EXPONENT


@pytest.mark.parametrize("support", [4, 29])
def test_every_item_is_a_ridge_regression_on_its_closest_items(support: int) -> None:
    seen = history()
    model = sparseitems.fit(sparseitems.count_cooccurrence(seen, EXPONENT), RIDGE, support)
    b = regressions(scaled(seen), support)
    assert np.allclose(model.weights.dense(), b, atol=1e-4)
    chosen = np.array([3, 0, 11], dtype=np.int32)
    assert np.allclose(model.scores(chosen), (scaled(seen) @ b)[chosen], atol=1e-4)
    assert np.allclose(model.scores_of(seen.take(chosen)), (scaled(seen) @ b)[chosen], atol=1e-4)
    assert np.allclose(seen.dense() @ model.rows(1).dense(), scaled(seen) @ b, atol=1e-4)
    mix = from_pairs(np.array([0, 0, 1]), np.array([3, 4, 5]), (2, 60), np.array([0.5, 0.5, 1.0]))
    assert np.allclose(model.mixed(mix), mix.dense() @ (scaled(seen) @ b + scaled(seen)), atol=1e-4)


def test_only_the_largest_counts_are_kept_and_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = history()
    whole = sparseitems.count_cooccurrence(seen, EXPONENT, near=3)
    gram = scaled(seen).T @ scaled(seen)
    np.fill_diagonal(gram, 0.0)
    for item in range(30):
        row = whole.near.take(np.array([item]))
        assert sorted(row.values, reverse=True) == pytest.approx(
            [v for v in np.sort(gram[item])[::-1][:3] if v > 0], abs=1e-4
        )
    monkeypatch.setattr(sparseitems, "BLOCK_ITEMS", 7)
    again = sparseitems.count_cooccurrence(seen, EXPONENT, near=3)
    assert again.near.indices.tolist() == whole.near.indices.tolist()
    first = sparseitems.fit(again, RIDGE, 5).weights
    monkeypatch.undo()
    assert np.allclose(first.dense(), sparseitems.fit(whole, RIDGE, 5).weights.dense(), atol=1e-6)


def test_users_with_very_long_histories_do_not_count_for_what_occurs_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparseitems, "MOST_HISTORY", 2)
    seen = from_pairs(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 2, 3]), (2, 4))
    counted = sparseitems.count_cooccurrence(seen, exponent=0.0)
    assert counted.near.dense()[0].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert counted.near.degree.tolist() == [1, 1, 0, 0]


def test_a_system_made_indefinite_by_what_was_cut_off_is_solved_with_a_larger_ridge() -> None:
    near = from_pairs(np.array([0, 1, 2, 0, 2, 1]), np.array([1, 0, 0, 2, 1, 2]), (3, 3), np.full(6, 3.0))
    counted = sparseitems.Cooccurrence(
        from_pairs(np.array([0]), np.array([0]), (1, 3)), near, np.ones(3, np.float32), np.ones(3), 0.0
    )
    assert np.isfinite(sparseitems.fit(counted, 0.5, 2).weights.values).all()
    broken = from_pairs(np.array([0, 1]), np.array([1, 0]), (3, 3), np.full(2, np.nan))
    nothing = sparseitems.Cooccurrence(counted.seen, broken, np.full(3, np.nan, np.float32), np.ones(3), 0.0)
    with pytest.raises(TrainingError, match="not finite"):
        sparseitems.fit(nothing, 0.5, 2)
