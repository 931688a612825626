"""The chance that a user takes an item of which only attributes are known: new items stand in lists by it."""

from __future__ import annotations

import numpy as np

from engine.interest.cut import Cut
from engine.interest.fitting import fit_logistic
from engine.interest.ranker import Ranker, taken
from engine.serving.blend import Calibration

MOST_PAIRS = 2_000_000
"""Pairs of user and item that it is fitted on."""
FEWEST_TAKEN = 30
"""With fewer pairs taken among them nothing is learned, and lists hold no new items."""


def fit_new_items(ranker: Ranker, cut: Cut, seed: int) -> Calibration | None:
    """Fit the chance that an item is held out for a user, logistic in the cosine of its embedding as a new item.

    The pairs are the cut's users with items drawn at random, whatever the other scores say of them: that is all that is
    known of a new item. The published scores are chances of the same event, so the two compare.

    Args:
        ranker: fitted on the cut's training part.
        cut: whose validation items count as taken.
        seed: of the draw.

    Returns:
        None where items have no attributes, or these say nothing.
    """
    data, truth = ranker.data, cut.validation
    described = np.flatnonzero(np.diff(data.item_features.indptr) > 0)
    if not len(truth) or not len(described):
        return None
    rng = np.random.default_rng([seed, 5])
    items = np.sort(rng.permutation(described)[: max(1, MOST_PAIRS // len(truth))])
    vectors = ranker.embed_as_new("item", taken(data.item_features, items))
    cosine = ranker.models.encoder.user_embedding[truth.user] @ vectors.T
    place = np.full(data.items, -1, dtype=np.int64)
    place[items] = np.arange(len(items))
    label = np.zeros(cosine.shape, dtype=bool)
    row, column = np.repeat(np.arange(len(truth)), truth.counts), place[truth.item]
    label[row[column >= 0], column[column >= 0]] = True
    known = data.masked.take(truth.user)
    open_to = np.ones(cosine.shape, dtype=bool)
    column = place[known.indices]
    open_to[known.row_of[column >= 0], column[column >= 0]] = False
    if label[open_to].sum() < FEWEST_TAKEN:
        return None
    acts = np.broadcast_to(np.log1p(data.positives.degree[truth.user])[:, None], cosine.shape)
    fitted = fit_logistic(cosine[open_to], acts[open_to], label[open_to])
    return fitted if fitted.slope > 0 else None
