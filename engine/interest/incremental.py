"""Train on from a trained model: a few steps on the graph of now, and everything that is counted or closed form anew.

The parameters of the encoder and of the deep scorer are where they were; users and items that came since start from
what the encoder gives a newcomer. The item-item model, the weights of friends and all counts are made from the data of
now. What was chosen on the full training's cut (form, ridge, half-life, blend, calibration) stays: an honest cut here
holds newer pairs alone, and is small, because the model has seen everything that is older than its snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.evaluation import holdout_cut, truth_of
from engine.interest.cut import Cut
from engine.interest.data import InterestData
from engine.interest.model import fit_parts
from engine.interest.ranker import Ranker
from engine.interest.relations import relations_of
from engine.interest.start import Start
from engine.interest.training import EncoderSettings, Report, fit_encoder
from engine.serving.features import FeatureRows
from engine.serving.lineage import IN_FULL

STEPS_SHARE = 0.25
"""Steps of an incremental training, as a share of the most that a full one may take."""
LAST_SHARE = 1 / 3
"""Steps on all data after the model that the cut was measured with, as a share of its own."""
LEAST_USERS = 10
"""With fewer users who have pairs to hold out nothing is held out and nothing compared."""


def steps_of(settings: EncoderSettings, users: int) -> int:
    """Return the steps of an incremental training on so many users with a history."""
    per_epoch = -(-users // settings.batch_users)
    return max(1, round(min(settings.steps, settings.epochs * per_epoch) * STEPS_SHARE))


def advance(
    data: InterestData,
    start: Start,
    rows: Mapping[str, NDArray[np.int64]],
    settings: EncoderSettings,
    *,
    steps: int,
    report: Report | None = None,
) -> Ranker:
    """Train on from a model.

    Args:
        data: of now, described by the recipes of the model.
        start: the model's parameters.
        rows: per type (N,) the row of each node in `start`, -1 where it is new.
        settings: of the encoder; steps and epochs are not used, and the rate is halved, as when a full training goes on
            from its cut.
        steps: of the encoder; 0: the model is only brought to the graph of now.
        report: called with progress.

    Raises:
        DataError: the graph has other kinds of relations or attributes than the model.
        TrainingError: the loss is not finite.
    """
    data = data.decayed(start.half_life_days)
    described = {kind for kind in ("user", "item") if len(features_of(data, kind).indices)}
    if described != set(start.projection):
        raise DataError(f"other nodes have attributes than when the base version was trained: {IN_FULL}")
    for kind in described:
        if features_of(data, kind).width != len(start.projection[kind]):
            raise DataError(f"the base version describes a {kind} by other attributes: {IN_FULL}")
    ties = start.friendship.weigh(data)
    few = replace(settings, steps=steps, epochs=10**9, learning_rate=settings.learning_rate / 2)
    relations = relations_of(data, settings.with_social, ties).names
    encoder = fit_encoder(data, few, None, start.encoder(rows, relations), report, ties=ties)
    if report is not None:
        report({"stage": "itemitem", "done": 0, "total": 1, "message": "fitting the other parts"})
    linear = start.linear.fit(data.positives)
    return fit_parts(data, encoder, linear, start.friendship, seed=settings.seed, deep=start.deep)


def newer_cut(data: InterestData, is_newer: NDArray[np.bool_], seed: int, share: float = 0.1) -> Cut:
    """Hold out what is newer than the base of each user's newest positives; nothing where too few users have any.

    Args:
        data: all training data.
        is_newer: (E,) whether the base cannot have seen the positive.
        seed: of the draw where no times are known.
        share: of each user's positives, at most this is held out, the newest first.
    """
    row, column = data.positives.row_of, data.positives.indices
    nothing = truth_of(np.zeros(0, np.int32), np.zeros(0, np.int32))
    order = np.random.default_rng([seed, 1]).random(len(row)) if data.age_days is None else data.age_days
    held = holdout_cut(row, share, np.nan_to_num(order, nan=np.inf)) & is_newer
    if len(np.unique(row[held])) < LEAST_USERS:
        return Cut(data, nothing, nothing, nothing)
    return Cut(data.without(held), nothing, truth_of(row[held], column[held]), nothing)


def same_rows(data: InterestData) -> dict[str, NDArray[np.int64]]:
    """Return the rows of nodes that are those of the model."""
    return {"user": np.arange(data.users, dtype=np.int64), "item": np.arange(data.items, dtype=np.int64)}


def features_of(data: InterestData, kind: str) -> FeatureRows:
    """Return the feature rows of a type."""
    return data.user_features if kind == "user" else data.item_features
