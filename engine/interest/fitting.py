"""Fit the blend on a cut: weights of the named scores by segment of activity, and their calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import Truth, expected_calibration_error, hit_matrix, ndcg_at, recall_at, top_k
from engine.interest.adjacency import Adjacency
from engine.interest.ranker import Parts, block_users
from engine.serving.blend import SCORES, BlendWeights, Calibration, scaled

PartsOf = Callable[[NDArray[np.int32]], Parts]

CANDIDATES = 60
"""Best items of each score that compete while weights are fitted."""
RATIOS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
"""Weights that are tried, relative to the largest other weight: scores differ in how far their best items stand out."""
LEAST_GAIN = 1e-5
SEGMENT_USERS = 200
"""With fewer users of the cut in each half, all of them share their weights."""
SEGMENT_GAIN = 1.002
"""Own weights of the busy half must do so much better on users that they were not fitted on."""
BARRED = -1e6
RESTRAINTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
"""How much of what was fitted for users without a history is kept beside popularity."""
RESTRAINT_USERS = 200
"""With fewer stripped users on the cut the noise would decide: what was fitted stays."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Scores of competing items for users of a cut, as they are weighted."""

    names: tuple[str, ...]
    scores: NDArray[np.float32]
    """(N, C, S); BARRED in every score where a row has fewer candidates."""
    relevant: NDArray[np.bool_]
    """(N, C) whether the candidate is held out for the user."""
    counts: NDArray[np.int64]
    """(N,) held-out items of the user."""
    acts: NDArray[np.int64]
    """(N,) acts of the user that the scores are made of."""

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Candidates:
        """Return the chosen users'."""
        return Candidates(self.names, self.scores[rows], self.relevant[rows], self.counts[rows], self.acts[rows])

    def vector(self, weights: Mapping[str, float]) -> NDArray[np.float32]:
        """Return weights (S,) in the order of the names; a name that is missing weighs 0."""
        return np.array([weights.get(name, 0.0) for name in self.names], dtype=np.float32)

    def total(self, weights: Mapping[str, float]) -> NDArray[np.float32]:
        """Return (N, C) blended scores."""
        return self.scores @ self.vector(weights)

    def measure(self, weights: Mapping[str, float]) -> dict[str, float]:
        """Return recall@20 and ndcg@20."""
        recall, ndcg = self.per_user(self.total(weights))
        return {"recall@20": float(recall.mean()), "ndcg@20": float(ndcg.mean())}

    def per_user(self, total: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return Recall@20 and NDCG@20 (N,) of lists by `total` (N, C)."""
        hits = np.take_along_axis(self.relevant, top_k(total, 20), axis=1)
        return recall_at(hits, self.counts, 20), ndcg_at(hits, self.counts, 20)

    def quality(self, total: NDArray[np.float32]) -> float:
        """Return the sum of Recall@20 and NDCG@20 of lists by `total` (N, C)."""
        return float(sum(values.mean() for values in self.per_user(total)))


def gather_candidates(parts_of: PartsOf, data_masked: Adjacency, acts: NDArray[np.int64], truth: Truth) -> Candidates:
    """Collect each score's best items for the users of a cut.

    Args:
        parts_of: the named scores of users.
        data_masked: (U, I) items that may not be listed.
        acts: (U,) acts of every user that the scores are made of.
        truth: held-out items.
    """
    names: tuple[str, ...] = ()
    scores, relevant = [], []
    size = block_users(data_masked.columns)
    for start in range(0, len(truth), size):
        part = truth.take(np.arange(start, min(start + size, len(truth))))
        raw = parts_of(part.user)
        names = tuple(name for name in SCORES if name in raw)
        known = data_masked.take(part.user)
        stack, chosen = [], []
        for name in names:
            weighted = scaled(name, raw[name])
            open_to = weighted.copy()
            open_to[known.row_of, known.indices] = -np.inf
            chosen.append(top_k(open_to, CANDIDATES))
            stack.append(weighted)
        pool = np.sort(np.concatenate(chosen, axis=1), axis=1)
        values = np.stack([np.take_along_axis(each, pool, axis=1) for each in stack], axis=-1)
        barred = np.zeros(pool.shape, dtype=bool)
        barred[:, 1:] = pool[:, 1:] == pool[:, :-1]
        closed = np.zeros((len(part), data_masked.columns), dtype=bool)
        closed[known.row_of, known.indices] = True
        values[barred | np.take_along_axis(closed, pool, axis=1)] = BARRED
        scores.append(values)
        relevant.append(hit_matrix(pool, part) & ~barred)
    return Candidates(names, np.concatenate(scores), np.concatenate(relevant), truth.counts, acts[truth.user])


def fit_weights(
    candidates: Candidates, start: Mapping[str, float], fixed: frozenset[str] = frozenset(), rounds: int = 4
) -> dict[str, float]:
    """Fit weights >= 0 by coordinate ascent on NDCG@20 + Recall@20 of the cut.

    Args:
        candidates: of the cut's users.
        start: first weights; a score that is missing starts at 0.
        fixed: scores whose weight stays (an ablation pins them to 0).
        rounds: most passes over the scores.
    """
    weights = candidates.vector(start)
    total = candidates.scores @ weights
    best = candidates.quality(total)
    for _ in range(rounds):
        before = best
        for place, name in enumerate(candidates.names):
            others = np.delete(weights, place).max(initial=0.0)
            if name in fixed or others == 0.0:
                continue
            column = candidates.scores[:, :, place]
            rest = total - weights[place] * column
            for ratio in RATIOS:
                tried = rest + np.float32(ratio * others) * column
                value = candidates.quality(tried)
                if value > best + LEAST_GAIN:
                    best, total, weights[place] = value, tried, ratio * others
        if best - before < 2e-4:
            break
    top = weights.max(initial=0.0)
    return {name: round(float(w / top), 4) for name, w in zip(candidates.names, weights, strict=True)} if top else {}


def restrained(candidates: Candidates, weights: Mapping[str, float]) -> dict[str, float]:
    """Return the weights nearest to popularity alone whose lists are not worse than theirs by a standard error.

    Users who never acted differ from those whose acts were taken away for the cut: what helps these by less than can
    be told from noise is not relied on (the one-standard-error rule of Breiman et al., CART, 1984, section 3.4.3).

    Args:
        candidates: of users without a history.
        weights: fitted ones, `popularity` among them and > 0.
    """
    best = _quality_of_each(candidates, weights)
    for share in RESTRAINTS:
        tried = {name: weight * (1.0 if name == "popularity" else share) for name, weight in weights.items()}
        lost = best - _quality_of_each(candidates, tried)
        if lost.mean() <= lost.std() / np.sqrt(len(lost)):
            return {name: round(weight, 4) for name, weight in tried.items()}
    return dict(weights)


def _quality_of_each(candidates: Candidates, weights: Mapping[str, float]) -> NDArray[np.float64]:
    recall, ndcg = candidates.per_user(candidates.total(weights))
    return recall + ndcg


def fit_blend(warm: Candidates | None, cold: Candidates | None, first: BlendWeights) -> BlendWeights:
    """Fit weights and calibrations; the busy half of the users gets weights of its own where that pays.

    Args:
        warm: users with a history, None where there are none.
        cold: users stripped of their history, None where there are none.
        first: weights to start from, kept for a segment that nothing is known of.
    """
    warm_weights = fit_weights(warm, first.warm) if warm else dict(first.warm)
    cold_weights = fit_weights(cold, first.cold) if cold else dict(first.cold)
    cold_weights = {**cold_weights, "popularity": max(cold_weights.get("popularity", 0.0), first.cold["popularity"])}
    if cold and len(cold) >= RESTRAINT_USERS:
        cold_weights = restrained(cold, cold_weights)
    calibration = {}
    busy, busy_from = None, 0
    if warm:
        busy_from = int(np.median(warm.acts)) + 1
        calibration["warm"] = fit_calibration(warm, warm.total(warm_weights))
        pair = _segmented(warm, warm_weights, busy_from)
        if pair is not None:
            warm_weights, busy = pair
            is_busy = warm.acts >= busy_from
            for name, rows, weights in (("warm", ~is_busy, warm_weights), ("busy", is_busy, busy)):
                part = warm.take(rows)
                calibration[name] = fit_calibration(part, part.total(weights))
    if cold:
        calibration["cold"] = fit_calibration(cold, cold.total(cold_weights))
    return BlendWeights(warm_weights, cold_weights, busy, busy_from if busy else 0, calibration)


def fit_calibration(candidates: Candidates, total: NDArray[np.float32]) -> Calibration:
    """Fit the chance that a competing item is held out, logistic in its score and the log of the user's acts."""
    kept = total > BARRED / 2
    acts = np.broadcast_to(np.log1p(candidates.acts)[:, None], total.shape)
    fitted = fit_logistic(total[kept], acts[kept], candidates.relevant[kept])
    return fitted if fitted.slope > 0 else Calibration()


def fit_logistic(
    score: NDArray[np.floating], log_acts: NDArray[np.floating], taken: NDArray[np.bool_], rounds: int = 25
) -> Calibration:
    """Fit P(taken) = sigma(slope score + activity log_acts + bias), each (P,).

    Platt, Probabilistic outputs for support vector machines (1999), by Newton steps with a small ridge. The slope is 0
    where all or none is taken.
    """
    design = np.stack([score, log_acts, np.ones(len(score))], axis=1).astype(np.float64)
    label = taken.astype(np.float64)
    if not 0 < label.sum() < len(label):
        return Calibration(0.0, 0.0, 0.0)
    weight = np.array([0.0, 0.0, np.log(label.mean() / (1.0 - label.mean()))])
    for _ in range(rounds):
        chance = 1.0 / (1.0 + np.exp(-design @ weight))
        gradient = design.T @ (label - chance) - 1e-3 * weight
        curvature = (design * (chance * (1.0 - chance))[:, None]).T @ design + 1e-3 * np.eye(3)
        step = np.linalg.solve(curvature, gradient)
        weight = weight + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-7:
            break
    return Calibration(float(weight[0]), float(weight[1]), float(weight[2]))


def measure_calibration(candidates: Candidates, total: NDArray[np.float32]) -> dict[str, float]:
    """Return calibration error and cross-entropy of the competing items, each half by the other half's calibration."""
    chance, label = [], []
    fold = np.arange(len(candidates)) % 2
    for held in (0, 1):
        fitted = fit_calibration(candidates.take(fold != held), total[fold != held])
        part, scores = candidates.take(fold == held), total[fold == held]
        kept = scores > BARRED / 2
        chance.append(1.0 / (1.0 + np.exp(-fitted.logit(scores, part.acts)[kept].astype(np.float64))))
        label.append(part.relevant[kept])
    predicted, taken = np.concatenate(chance), np.concatenate(label)
    base = np.full(len(taken), taken.mean())
    return {
        "ece": expected_calibration_error(taken, predicted),
        "bce": _cross_entropy(taken, predicted),
        "bce_base": _cross_entropy(taken, base),
    }


def _cross_entropy(label: NDArray[np.bool_], chance: NDArray[np.float64]) -> float:
    clipped = np.clip(chance, 1e-12, 1.0 - 1e-12)
    return float(-np.where(label, np.log(clipped), np.log1p(-clipped)).mean())


def _segmented(
    warm: Candidates, weights: Mapping[str, float], busy_from: int
) -> tuple[dict[str, float], dict[str, float]] | None:
    """Return weights of the quiet and the busy users where two folds of the cut say that it pays, else None."""
    is_busy = warm.acts >= busy_from
    if min(is_busy.sum(), (~is_busy).sum()) < SEGMENT_USERS:
        return None
    together, apart = 0.0, 0.0
    fold = np.arange(len(warm)) % 2
    for held in (0, 1):
        fitted = fit_weights(warm.take(fold != held), weights, rounds=1)
        for rows in (is_busy, ~is_busy):
            own = fit_weights(warm.take(rows & (fold != held)), weights, rounds=1)
            part = warm.take(rows & (fold == held))
            together += part.quality(part.total(fitted)) * len(part)
            apart += part.quality(part.total(own)) * len(part)
    if apart < SEGMENT_GAIN * together:
        return None
    return fit_weights(warm.take(~is_busy), weights, rounds=1), fit_weights(warm.take(is_busy), weights, rounds=1)
