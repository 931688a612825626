"""Cuts of the training data: what settings, epochs and weights are chosen on, and what the report measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import Truth, holdout_cut, truth_of
from engine.interest.data import InterestData

MAX_CHOICE_USERS = 2000
"""Users of the validation cut that choices are made on."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Training data without what was held out."""

    data: InterestData
    validation: Truth
    """Held-out items that settings and weights are chosen on."""
    test: Truth
    """Held-out items that only the report sees; may be empty."""
    cold: Truth
    """All items of users who were stripped of their history (pseudo-cold); may be empty."""


def make_cut(
    data: InterestData,
    seed: int,
    *,
    validation: Truth | None = None,
    share: float = 0.1,
    test_share: float = 0.0,
    cold_share: float = 0.05,
) -> Cut:
    """Hold out a share of every user's positives, the newest where times are known, and everything of a few users.

    Args:
        data: all training data.
        seed: of the draws.
        validation: held-out items given by a file; then nothing more is cut for validation.
        share: share of each user's positives that goes to validation.
        test_share: share that goes to the report.
        cold_share: share of users stripped of their history, at most 1,000, of those whom friends or attributes
            could describe; none where nobody is.
    """
    rng = np.random.default_rng([seed, 1])
    positives = data.positives
    row, column = positives.row_of, positives.indices
    cold = _cold_users(data, rng, cold_share)
    is_cold = cold[row]
    order = rng.random(len(row)) if data.age_days is None else np.nan_to_num(data.age_days, nan=np.inf)
    second = holdout_cut(row, test_share, order) & ~is_cold
    first = np.zeros(len(row), dtype=bool)
    rest = np.flatnonzero(~second & ~is_cold)
    if validation is None:
        first[rest[holdout_cut(row[rest], share / (1.0 - test_share), order[rest])]] = True
    held = first | second | is_cold
    chosen = truth_of(row[first], column[first]) if validation is None else validation
    return Cut(
        data=data.without(held),
        validation=thin(_with_history(chosen, data.without(held)), MAX_CHOICE_USERS),
        test=truth_of(row[second], column[second]),
        cold=truth_of(row[is_cold], column[is_cold]),
    )


def thin(truth: Truth, users: int) -> Truth:
    """Return at most `users` evenly spaced users of a cut."""
    if len(truth) <= users:
        return truth
    return truth.take(np.unique(np.linspace(0, len(truth) - 1, users).astype(np.intp)))


def _with_history(truth: Truth, data: InterestData) -> Truth:
    return truth.take(np.flatnonzero(data.positives.degree[truth.user] > 0))


def _cold_users(data: InterestData, rng: np.random.Generator, share: float) -> NDArray[np.bool_]:
    """(U,) True for the users to strip."""
    described = (data.friends.degree > 0) | (data.follows.degree > 0) | (data.received.degree > 0)
    described |= np.diff(data.user_features.indptr) > 0
    able = np.flatnonzero(described & (data.positives.degree > 0))
    count = min(1000, int(share * len(able)))
    chosen = np.zeros(data.users, dtype=bool)
    if count >= 5:
        chosen[rng.choice(able, count, replace=False)] = True
    return chosen
