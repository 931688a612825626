"""Which item-item model fits the data: dense in closed form where that is cheap, or sparse; chosen on a cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import Truth, hit_matrix, ndcg_at, top_k
from engine.interest import itemitem, sparseitems
from engine.interest.adjacency import Adjacency
from engine.interest.data import InterestData
from engine.types import RankedLists

DENSE_SIDE = 6000
"""Up to so many acting users (or items) the dense form is tried: seconds, and better where there is little data."""
FIRST_RIDGE = {"dense": 50.0, "sparse": 25.0}
FARTHEST = 64.0
"""The ridge is looked for within this factor of the first."""

HALF_LIVES_DAYS = (np.inf, 180.0, 60.0, 20.0)
LEAST_GAIN = 1.005
"""A shorter half-life must rank so much better than the longer one."""

Form = Literal["dense", "sparse"]


class LinearModel(Protocol):
    """What both forms do."""

    @property
    def ridge(self) -> float:
        """Lambda."""
        ...

    @property
    def scale(self) -> NDArray[np.float64]:
        """(I,) popularity^-exponent."""
        ...

    def scores(self, users: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return (N, I) scores of users of the fitted history."""
        ...

    def scores_of(self, history: Adjacency) -> NDArray[np.float32]:
        """Return (N, I) scores of histories (N, I)."""
        ...

    def mixed(self, rows: Adjacency) -> NDArray[np.float32]:
        """Return (N, I) weighted sums (N, U) of scores and histories."""
        ...

    def rows(self, k: int) -> Adjacency:
        """Return (I, I) weights of unscaled acts, at least each row's k strongest."""
        ...


@dataclass(frozen=True, slots=True)
class LinearRecipe:
    """How to fit the chosen form again."""

    form: Form
    ridge: float
    compared: tuple[tuple[str, float, float], ...] = ()
    """Each form that was tried, with its best ridge and that one's NDCG@20 on the cut."""

    def fit(self, history: Adjacency) -> LinearModel:
        """Fit on (U, I) positives."""
        return _fitter(self.form, history)(self.ridge)


def choose_half_life(data: InterestData, validation: Truth) -> float:
    """Return the half-life in days of an act's weight under which the sparse form ranks the cut best; inf: none."""
    if data.age_days is None or not len(validation):
        return np.inf
    best, best_score = np.inf, 0.0
    for days in HALF_LIVES_DAYS:
        history = data.decayed(days)
        score = _ndcg(_fitter("sparse", history.positives)(FIRST_RIDGE["sparse"]), history, validation)
        if score > best_score * LEAST_GAIN:
            best, best_score = days, score
    return best


def choose_linear(data: InterestData, validation: Truth) -> tuple[LinearRecipe, LinearModel]:
    """Return the form and ridge of the best NDCG@20 on the cut, and the model fitted with them."""
    active = int((data.positives.degree > 0).sum())
    forms: list[Form] = ["sparse"]
    if min(active, len(np.unique(data.positives.indices))) <= DENSE_SIDE:
        forms.append("dense")
    tried = [(form, *_climb(_fitter(form, data.positives), FIRST_RIDGE[form], data, validation)) for form in forms]
    form, model, _ = max(tried, key=lambda each: each[2])
    return LinearRecipe(form, model.ridge, tuple((name, each.ridge, score) for name, each, score in tried)), model


def strongest_weights(model: LinearModel, k: int) -> RankedLists:
    """Return for each item its k strongest weights > 0: where interest in the item points to, (I, min(k, I))."""
    return strongest(model.rows(k), k)


def strongest(weights: Adjacency, k: int) -> RankedLists:
    """Return each row's k largest entries > 0, best first, ties by the lower column, (R, min(k, C))."""
    width = min(k, weights.columns)
    row = weights.row_of
    order = np.lexsort((weights.indices, -weights.values, row))
    rank = np.arange(len(order)) - np.repeat(weights.indptr[:-1], weights.degree)
    listed = (rank < width) & (weights.values[order] > 0)
    place, rank = order[listed], rank[listed]
    target = np.full((weights.rows, width), -1, dtype=np.int32)
    score = np.zeros((weights.rows, width), dtype=np.float32)
    target[row[place], rank] = weights.indices[place]
    score[row[place], rank] = weights.values[place]
    return RankedLists(target, score)


def _fitter(form: Form, history: Adjacency) -> Callable[[float], LinearModel]:
    if form == "dense":
        return lambda ridge: itemitem.fit(history, ridge)
    counted = sparseitems.count_cooccurrence(history)
    return lambda ridge: sparseitems.fit(counted, ridge)


def _climb(
    fit: Callable[[float], LinearModel], first: float, data: InterestData, validation: Truth
) -> tuple[LinearModel, float]:
    """Go in factors of two from the first ridge to the best NDCG@20; return that model and its NDCG@20."""
    best = fit(first)
    if not len(validation):
        return best, 0.0
    best_score = _ndcg(best, data, validation)
    for factor in (0.5, 2.0):
        improved = False
        while first / FARTHEST < best.ridge * factor < first * FARTHEST:
            tried = fit(best.ridge * factor)
            score = _ndcg(tried, data, validation)
            if score <= best_score:
                break
            best, best_score, improved = tried, score, True
        if improved:
            break
    return best, best_score


def _ndcg(model: LinearModel, data: InterestData, validation: Truth) -> float:
    total = 0.0
    for start in range(0, len(validation), 512):
        part = validation.take(np.arange(start, min(start + 512, len(validation))))
        scores = model.scores(part.user)
        known = data.masked.take(part.user)
        scores[known.row_of, known.indices] = -np.inf
        total += float(ndcg_at(hit_matrix(top_k(scores, 20), part), part.counts, 20).sum())
    return total / len(validation)
