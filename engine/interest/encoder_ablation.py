"""`kith evaluate encoder`: GraphSAGE alone, whole and with one part changed at a time, on a cut of train."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.evaluation import Truth, bootstrap_interval, hit_matrix, ndcg_at, recall_at, top_k
from engine.interest.cut import Cut, make_cut
from engine.interest.data import InterestData, from_any
from engine.interest.friendship import fit_friendship
from engine.interest.linear import choose_half_life
from engine.interest.threads import set_threads
from engine.interest.training import EncoderSettings, FittedEncoder, Report, fit_encoder
from engine.serving.features import FeatureRecipe, feature_rows

LIST = 20
BLOCK_USERS = 512
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "loss_sampled": {"loss": "sampled"},
    "loss_uncorrected": {"loss": "uncorrected"},
    "loss_pairwise": {"loss": "pairwise"},
    "hardness_0.25": {"hardness": 0.25},
    "hardness_0.5": {"hardness": 0.5},
    "one_round": {"layers": 1},
    "three_rounds": {"layers": 3},
    "without_id_dropout": {"id_dropout": 0.0},
}
"""Rows that change settings alone."""


@dataclass(frozen=True, slots=True)
class _Variant:
    data: InterestData
    settings: EncoderSettings
    weighs_friends: bool = True


def evaluate_encoder(
    folder: Path,
    seed: int = 0,
    only: tuple[str, ...] = (),
    settings: EncoderSettings | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Train every variant on the same cut; stop each on one held-out tenth, measure it on another.

    Args:
        folder: a benchmark folder, or a snapshot.
        seed: of everything random.
        only: names of the rows that are wanted beside `whole`; none: all.
        settings: of the whole encoder; its seed is replaced.
        report: called with progress.

    Returns:
        Per row Recall@20 and NDCG@20, the paired difference of NDCG@20 to `whole` with its interval, seconds, epochs;
        None where the data lacks the part. The test file is not read.

    Raises:
        DataError: a file is missing or malformed, or there is no such row.
    """
    began = time.perf_counter()
    set_threads()
    data = from_any(folder, seed)
    settings = replace(settings or EncoderSettings(), seed=seed)
    cut = make_cut(data, seed, test_share=0.1, cold_share=0.0)
    half_life = choose_half_life(cut.data, cut.validation)
    made = variants(cut.data, settings, half_life)
    if unknown := set(only) - set(made):
        raise DataError(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(made)}")
    rows: dict[str, Any] = {}
    whole: NDArray[np.float64] | None = None
    for name, variant in made.items():
        if only and name not in (*only, "whole"):
            continue
        rows[name], ndcg = (None, whole) if variant is None else _measure(variant, cut, whole, report)
        whole = ndcg if whole is None else whole
    return {
        "rows": rows,
        "half_life_days": half_life if np.isfinite(half_life) else None,
        "seed": seed,
        "seconds": round(time.perf_counter() - began, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "n": len(cut.test),
    }


def variants(
    data: InterestData, settings: EncoderSettings, half_life_days: float = np.inf
) -> dict[str, _Variant | None]:
    """Return the rows by name, None where the data lacks the part that would be taken away."""
    aged = data.decayed(half_life_days)
    whole = _Variant(aged, settings)
    has_ties = len(data.friends) > 0
    has_social = has_ties or len(data.follows) > 0 or len(data.received) > 0
    rows: dict[str, _Variant | None] = {
        "whole": whole,
        "without_social": _Variant(aged, replace(settings, with_social=False)) if has_social else None,
        "friends_by_strength": _Variant(aged, settings, weighs_friends=False) if has_ties else None,
        "without_attributes": _Variant(_undescribed(aged), settings) if _is_described(data) else None,
        "without_texts": _Variant(aged.without_texts(), settings) if aged.item_recipe.text_model else None,
        "without_decay": _Variant(data, settings) if aged is not data else None,
    }
    return rows | {name: _Variant(aged, replace(settings, **changed)) for name, changed in SETTINGS.items()}


def _measure(
    variant: _Variant, cut: Cut, whole: NDArray[np.float64] | None, report: Report | None
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    began = time.perf_counter()
    ties = (
        fit_friendship(variant.data, cut.validation, cut.cold).weigh(variant.data) if variant.weighs_friends else None
    )
    encoder = fit_encoder(variant.data, variant.settings, cut.validation, report=report, ties=ties)
    recall, ndcg = _per_user(encoder, variant.data, cut.test)
    row: dict[str, Any] = {
        "recall@20": float(recall.mean()),
        "ndcg@20": float(ndcg.mean()),
        "epochs": round(encoder.epochs, 2),
        "seconds": round(time.perf_counter() - began, 2),
    }
    if whole is not None:
        row["difference"] = float((ndcg - whole).mean())
        row["interval"] = bootstrap_interval(ndcg - whole, variant.settings.seed)
    return row, ndcg


def _per_user(
    encoder: FittedEncoder, data: InterestData, truth: Truth
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    recall, ndcg = [], []
    for start in range(0, len(truth), BLOCK_USERS):
        part = truth.take(np.arange(start, min(start + BLOCK_USERS, len(truth))))
        scores = encoder.user_embedding[part.user] @ encoder.item_embedding.T
        known = data.masked.take(part.user)
        scores[known.row_of, known.indices] = -np.inf
        hits = hit_matrix(top_k(scores, LIST), part)
        recall.append(recall_at(hits, part.counts, LIST))
        ndcg.append(ndcg_at(hits, part.counts, LIST))
    return np.concatenate(recall), np.concatenate(ndcg)


def _is_described(data: InterestData) -> bool:
    return len(data.item_features.indices) > 0 or len(data.user_features.indices) > 0


def _undescribed(data: InterestData) -> InterestData:
    nothing = FeatureRecipe()
    return replace(
        data,
        user_features=feature_rows(nothing, {}, data.users),
        item_features=feature_rows(nothing, {}, data.items),
        user_recipe=nothing,
        item_recipe=nothing,
    )
