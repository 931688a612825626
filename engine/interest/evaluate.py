"""`kith evaluate interest`: the public benchmark protocol, the test file scored once with the final model."""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import (
    Truth,
    bootstrap_interval,
    coverage_at,
    hit_at,
    hit_matrix,
    ndcg_at,
    precision_at,
    recall_at,
)
from engine.interest.cut import make_cut
from engine.interest.data import InterestData, from_folder
from engine.interest.fitting import measure_calibration
from engine.interest.model import (
    Choice,
    ablation,
    ablation_cold,
    ablation_of_deep,
    ablation_without_friends,
    choose,
    refit,
)
from engine.interest.ranker import Ranker
from engine.interest.threads import set_threads
from engine.interest.training import EncoderSettings, Report
from engine.serving.blend import BlendWeights

LIST = 20
SOCIAL_ABLATION_POSITIVES = 200_000
"""Up to this many positives the ablation without friends also trains the encoder anew, without their edges."""

PerUser = dict[str, NDArray[np.float64]]


def evaluate_interest(
    folder: Path,
    split: str | None = None,
    seed: int = 0,
    settings: EncoderSettings | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Fit and choose on the training file, score the test file once.

    Args:
        folder: a benchmark folder (contracts.md, "interactions + friends").
        split: None for the files' split, or `80/20`: merged and cut anew with `seed`.
        seed: of everything random.
        settings: of the encoder; its seed is replaced.
        report: called with progress.

    Returns:
        The keys of contracts.md; a slice that does not exist is None.

    Raises:
        DataError: a file is missing or malformed.
    """
    began = time.perf_counter()
    set_threads()
    folder = Path(folder)
    settings = replace(settings or EncoderSettings(), seed=seed)
    bench = from_folder(folder, split, seed)
    choice = choose(make_cut(bench.data, seed, validation=bench.validation), settings, report)
    tables = _ablation(choice, settings, report)
    ranker = refit(bench.data, choice, settings, report)
    per_user, top = measure(ranker, choice.weights, bench.test)
    is_cold = bench.data.positives.degree[bench.test.user] == 0
    result: dict[str, Any] = {name: float(values.mean()) for name, values in per_user.items()}
    result["coverage@20"] = coverage_at(top, bench.data.items, LIST)
    result["cold"] = _slice(per_user, top, is_cold, bench.data.items, seed)
    result["ablation"] = tables
    result["weights"] = choice.weights.to_json()
    result["chosen"] = {
        "itemitem": {"form": choice.linear.form, "ridge": choice.linear.ridge},
        "half_life_days": choice.half_life_days if np.isfinite(choice.half_life_days) else None,
        "epochs": choice.ranker.models.encoder.epochs,
        "stages": choice.seconds,
    }
    if choice.warm is not None:
        result["calibration"] = measure_calibration(choice.warm, choice.warm.total(choice.weights.warm))
    result["interval"] = {name: bootstrap_interval(values, seed) for name, values in per_user.items()}
    result["seed"] = seed
    result["seconds"] = round(time.perf_counter() - began, 2)
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    result["n"] = len(bench.test)
    return result


def measure(ranker: Ranker, weights: BlendWeights, truth: Truth) -> tuple[PerUser, NDArray[np.int32]]:
    """Return every metric per user (N,), and the lists (N, 20), over all items but the user's masked ones."""
    top = ranker.rank(truth.user, weights, LIST).target
    return metrics_of(top, truth), top


def measure_popularity(data: InterestData, truth: Truth) -> PerUser:
    """Return every metric per user of the list that popularity alone makes."""
    count = np.bincount(data.positives.indices, weights=data.positives.values, minlength=data.items)
    order = np.argsort(-count, kind="stable")
    known = data.masked.take(truth.user)
    top = np.full((len(truth), LIST), -1, dtype=np.int32)
    for row in range(len(truth)):
        seen = known.indices[known.indptr[row] : known.indptr[row + 1]]
        head = order[: LIST + len(seen)]
        best = head[~np.isin(head, seen)][:LIST]
        top[row, : len(best)] = best
    return metrics_of(top, truth)


def metrics_of(top: NDArray[np.int32], truth: Truth) -> PerUser:
    """Return the metrics of contracts.md per user (N,)."""
    hits = hit_matrix(top, truth)
    counts = truth.counts
    return {
        "recall@10": recall_at(hits, counts, 10),
        "recall@20": recall_at(hits, counts, 20),
        "ndcg@10": ndcg_at(hits, counts, 10),
        "ndcg@20": ndcg_at(hits, counts, 20),
        "precision@10": precision_at(hits, 10),
        "precision@20": precision_at(hits, 20),
        "hit@10": hit_at(hits, 10),
    }


def _slice(
    per_user: PerUser, top: NDArray[np.int32], rows: NDArray[np.bool_], items: int, seed: int
) -> dict[str, Any] | None:
    if not rows.any():
        return None
    result: dict[str, Any] = {name: float(values[rows].mean()) for name, values in per_user.items()}
    result["coverage@20"] = coverage_at(top[rows], items, LIST)
    result["interval"] = {name: bootstrap_interval(values[rows], seed) for name, values in per_user.items()}
    result["n"] = int(rows.sum())
    return result


def _ablation(choice: Choice, settings: EncoderSettings, report: Report | None) -> dict[str, Any]:
    """Return NDCG@20 and Recall@20 on the cut; without friends the encoder is trained anew where that is cheap."""
    tables: dict[str, Any] = dict(ablation(choice))
    data = choice.ranker.data
    if "without_friends" in tables and len(data.positives) <= SOCIAL_ABLATION_POSITIVES:
        tables["without_friends"] = ablation_without_friends(choice, settings, report)
    tables["deep"] = ablation_of_deep(choice)
    tables["cold"] = ablation_cold(choice)
    return tables
