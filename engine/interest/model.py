"""Fit the whole interest model: choose on a cut, then learn from everything."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from engine.evaluation import Truth, hit_matrix, ndcg_at, top_k
from engine.interest import itemitem
from engine.interest.cut import Cut
from engine.interest.data import InterestData
from engine.interest.plain import fit_plain
from engine.interest.ranker import Candidates, Ranker, build_ranker, fit_weights, gather_candidates
from engine.interest.relations import relations_of
from engine.interest.training import EncoderSettings, FittedEncoder, Report, fit_encoder, without_social
from engine.serving.blend import BlendWeights

FIRST_WEIGHTS = {"graphsage": 1.0, "itemitem": 0.3}
FIRST_RIDGE = 50.0
LEAST_POPULARITY = 0.05
REFIT_SHARE = 1 / 3
"""Steps on all data after the cut's model, as a share of the steps that it took."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen on the cut."""

    cut: Cut
    ranker: Ranker
    """Fitted on the cut's training part."""
    weights: BlendWeights
    ridge: float
    warm: Candidates | None
    cold: Candidates | None
    seconds: dict[str, float]


def choose(cut: Cut, settings: EncoderSettings, report: Report | None = None) -> Choice:
    """Fit every part on the cut's training part and choose ridge, steps and weights on its validation items."""
    clock = _Clock()
    encoder = fit_encoder(cut.data, settings, cut.validation if len(cut.validation) else None, report=report)
    clock.stop("graphsage")
    _say(report, "itemitem", "choosing the item-item model's ridge on the cut")
    linear = choose_ridge(cut.data, cut.validation)
    clock.stop("itemitem")
    ranker = _ranker(cut.data, encoder, linear, settings.seed)
    clock.stop("plain")
    _say(report, "blend", "fitting the weights of the named scores on the cut")
    warm = gather_candidates(ranker.parts, cut.data.masked, cut.validation) if len(cut.validation) else None
    cold = gather_candidates(ranker.cold_parts, cut.data.masked, cut.cold) if len(cut.cold) else None
    weights = BlendWeights(
        warm=fit_weights(warm, FIRST_WEIGHTS) if warm else {"itemitem": 1.0, "popularity": 0.1},
        cold=_with_popularity(fit_weights(cold, {"popularity": 1.0}) if cold else {}),
    )
    clock.stop("blend")
    return Choice(cut, ranker, weights, linear.ridge, warm, cold, clock.seconds)


def _with_popularity(weights: Mapping[str, float]) -> dict[str, float]:
    """Return weights under which popularity ranks what the other scores leave equal."""
    return {**weights, "popularity": max(weights.get("popularity", 0.0), LEAST_POPULARITY)}


def refit(data: InterestData, choice: Choice, settings: EncoderSettings, report: Report | None = None) -> Ranker:
    """Fit the chosen model on all data; the encoder goes on from the cut's weights for a third of their steps."""
    steps = max(1, round(choice.ranker.encoder.steps * REFIT_SHARE))
    on_all = replace(settings, steps=steps, epochs=10**9, learning_rate=settings.learning_rate / 2)
    encoder = fit_encoder(data, on_all, None, _fitting_start(choice, data, settings), report)
    _say(report, "itemitem", "fitting the item-item model on all data")
    return _ranker(data, encoder, itemitem.fit(data.positives, choice.ridge), settings.seed)


def choose_ridge(data: InterestData, validation: Truth) -> itemitem.ItemItem:
    """Climb in factors of two from FIRST_RIDGE to the best NDCG@20 on the cut; return the model of the best ridge."""
    best, best_score = itemitem.fit(data.positives, FIRST_RIDGE), -1.0
    if not len(validation):
        return best
    best_score = _ndcg(best, data, validation)
    for factor in (2.0, 0.5):
        improved = False
        while FIRST_RIDGE / 64 < best.ridge * factor < FIRST_RIDGE * 64:
            tried = itemitem.fit(data.positives, best.ridge * factor)
            score = _ndcg(tried, data, validation)
            if score <= best_score:
                break
            best, best_score, improved = tried, score, True
        if improved:
            break
    return best


def ablation(choice: Choice) -> dict[str, dict[str, float]]:
    """Measure NDCG@20 and Recall@20 on the cut: the blend, the blend refitted without a score, each score alone."""
    warm = choice.warm
    if warm is None:
        return {}
    rows = {"blend": _quality(warm, choice.weights.warm)}
    for name in warm.names:
        start = {**choice.weights.warm, name: 0.0}
        if not any(start.values()):
            continue
        rows[f"without_{name}"] = _quality(warm, fit_weights(warm, start, frozenset((name,)), rounds=1))
    for name in warm.names:
        rows[f"only_{name}"] = _quality(warm, {name: 1.0})
    return rows


def ablation_without_friends(choice: Choice, settings: EncoderSettings, report: Report | None) -> dict[str, float]:
    """Measure the cut with a blend whose encoder was trained without messages between users, and no friends' score."""
    encoder = fit_encoder(choice.cut.data, without_social(settings), choice.cut.validation, report=report)
    ranker = _ranker(choice.cut.data, encoder, choice.ranker.itemitem, settings.seed)
    candidates = gather_candidates(ranker.parts, choice.cut.data.masked, choice.cut.validation)
    start = {**choice.weights.warm, "friends": 0.0}
    return _quality(candidates, fit_weights(candidates, start, frozenset(("friends",))))


def _quality(candidates: Candidates, weights: Mapping[str, float]) -> dict[str, float]:
    return candidates.measure(np.array([weights.get(name, 0.0) for name in candidates.names]))


def _ranker(data: InterestData, encoder: FittedEncoder, linear: itemitem.ItemItem, seed: int) -> Ranker:
    plain = fit_plain(encoder.user_embedding, encoder.item_embedding, data.positives, seed=seed)
    return build_ranker(data, encoder, linear, plain)


def _fitting_start(choice: Choice, data: InterestData, settings: EncoderSettings) -> FittedEncoder | None:
    """Return the cut's encoder, unless the whole data has relations that the cut lost."""
    encoder = choice.ranker.encoder
    same = relations_of(data, settings.with_social).names == encoder.relations.names
    return encoder if same else None


def _ndcg(model: itemitem.ItemItem, data: InterestData, validation: Truth) -> float:
    total = 0.0
    for start in range(0, len(validation), 512):
        part = validation.take(np.arange(start, min(start + 512, len(validation))))
        scores = model.scores(part.user)
        known = data.masked.take(part.user)
        scores[known.row_of, known.indices] = -np.inf
        total += float(ndcg_at(hit_matrix(top_k(scores, 20), part), part.counts, 20).sum())
    return total / len(validation)


def _say(report: Report | None, stage: str, message: str) -> None:
    if report is not None:
        report({"stage": stage, "done": 0, "total": 1, "message": message})


class _Clock:
    """Seconds between stops, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = round(now - self._last, 3)
        self._last = now
