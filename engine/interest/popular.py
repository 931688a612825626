"""Count what is popular, lately and by the users' attributes (`engine/serving/popular.py`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.interest.adjacency import Adjacency, from_pairs
from engine.interest.data import InterestData
from engine.serving.features import FeatureRows
from engine.serving.popular import PopularModel, nothing_described

TREND_HALF_LIFE_DAYS = 14.0
FEWEST_USERS = 20
"""A bucket of fewer users with a history says too little."""
MOST_ITEMS = 2000
"""Items that are counted per bucket, the most frequent."""


def count_popular(data: InterestData) -> PopularModel:
    """Count the positives of `data`."""
    item, weight = data.positives.indices, data.positives.values
    recent = np.zeros(data.items, dtype=np.float32)
    if data.age_days is not None:
        fresh = np.where(np.isfinite(data.age_days), 2.0 ** (-data.age_days / TREND_HALF_LIFE_DAYS), 0.0)
        recent = np.bincount(item, weights=weight * fresh, minlength=data.items).astype(np.float32)
    count = np.bincount(item, weights=weight, minlength=data.items).astype(np.float32)
    return PopularModel(count, recent, _segments(data))


def _segments(data: InterestData) -> FeatureRows:
    """Return (B, I) weighted acts per attribute bucket."""
    rows, buckets = data.user_features, data.user_recipe.buckets
    first = rows.width - buckets
    row = np.repeat(np.arange(data.users), np.diff(rows.indptr))
    chosen = rows.indices >= first
    if not chosen.any():
        return nothing_described(buckets, data.items)
    user, bucket = row[chosen], rows.indices[chosen] - first
    with_history = (data.positives.degree > 0)[user]
    enough = np.bincount(bucket[with_history], minlength=buckets) >= FEWEST_USERS
    kept = enough[bucket]
    members = from_pairs(bucket[kept], user[kept], (buckets, data.users))
    return _counted(members, data.positives)


def _counted(members: Adjacency, positives: Adjacency) -> FeatureRows:
    """Return (B, I) = members @ positives, each row's largest."""
    indptr, indices, values = [0], [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    for bucket in range(members.rows):
        users = members.indices[members.indptr[bucket] : members.indptr[bucket + 1]]
        acts = positives.take(users)
        count = np.bincount(acts.indices, weights=acts.values, minlength=positives.columns).astype(np.float32)
        item = _largest(count)
        indices.append(item.astype(np.int32))
        values.append(count[item])
        indptr.append(indptr[-1] + len(item))
    return FeatureRows(np.array(indptr, np.int64), np.concatenate(indices), np.concatenate(values), positives.columns)


def _largest(count: NDArray[np.float32]) -> NDArray[np.int64]:
    item = np.flatnonzero(count)
    if len(item) > MOST_ITEMS:
        item = np.sort(item[np.argsort(-count[item], kind="stable")[:MOST_ITEMS]])
    return item
