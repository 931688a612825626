"""P(u->v) along every tie by counting with shrinkage: the rate that the learned model (`pairlearning.py`) has to beat.

A pair of users rarely has more than a handful of shares behind it, so counting each pair by itself is noise. The rate
of a pair is modelled as a product, rate * a(u) * b(v) * f(kind, strength): how persuasive u is, how receptive v, how
close the tie. Each factor has a gamma prior of mean 1 whose width is estimated from the data, and so has each pair
around its product: with s acts where m were due and a prior of shape k, the posterior mean is (s + k) / (m + k), and k
follows from var(s) = m + m^2 / k (the gamma-Poisson model of Clayton and Kaldor, Empirical Bayes estimates of
age-standardized relative risks, Biometrics 1987). Pairs with evidence keep it, pairs without fall back on their
factors, users without on the average.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.propagation.outcomes import FRIEND, Act, Outcomes, acts_shown, count_outcomes
from engine.types import EdgeProbabilities, GraphSnapshot

MAX_PROBABILITY = 0.95
"""No tie is certain: a certain one would make everyone behind it reachable for sure."""
STRENGTH_BINS = 8
UNTAUGHT_MASS = 0.5
"""Without any share, a user's incoming probabilities sum to this (weighted cascade has 1, where cascades never end)."""
_ROUNDS = 15
_LEAST = 1e-12
_NARROWEST, _WIDEST = 1e6, 0.2
"""Bounds of a gamma prior's shape: 1e6 is no variation at all, .2 a standard deviation of 2.2 around 1."""


def edge_probabilities(snapshot: GraphSnapshot, act: Act | None = None) -> EdgeProbabilities:
    """Return P(u->v) along friendships (both ways), follows (followee to follower) and past recipients.

    Args:
        snapshot: the graph.
        act: what v does: `reshare` or `open`; None: reshares where the snapshot has any, else opens. Without shares to
            learn from, probabilities are a weighted cascade over ties: they order users, their scale is assumed.

    Raises:
        DataError: an act that the snapshot has no example of.
    """
    shown = acts_shown(snapshot)
    if act is not None and act not in shown:
        raise DataError(f"the snapshot has no {act} to learn from")
    if not shown:
        return _weighted_cascade(snapshot)
    outcomes = count_outcomes(snapshot, act or shown[0])
    return as_edges(outcomes, *posterior(outcomes))


def as_edges(outcomes: Outcomes, probability: NDArray[np.floating], count: NDArray[np.floating]) -> EdgeProbabilities:
    """Return the pairs of the outcomes with these probabilities and counts, each (E,)."""
    return EdgeProbabilities(
        outcomes.source,
        outcomes.target,
        probability.astype(np.float32),
        outcomes.users,
        count.astype(np.float32),
    )


def shrunken_rates(outcomes: Outcomes) -> NDArray[np.float64]:
    """Return P(u->v) of each pair of the outcomes, (E,) in [0, MAX_PROBABILITY]."""
    return posterior(outcomes)[0]


def posterior(outcomes: Outcomes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return P(u->v) of each pair of the outcomes, (E,) in [0, MAX_PROBABILITY], and the trials it is worth, (E,).

    Each factor's posterior is a gamma of shape acts + k, so its relative variance is the inverse of that; those of the
    sender, the receiver and the pair itself add up. A beta of the same mean and variance is worth (1 - p) / (p V) - 1
    trials.
    """
    tried, acted = outcomes.trials, outcomes.successes
    closeness = _closeness(outcomes)
    u, v = outcomes.source, outcomes.target
    persuasion, receptivity = np.ones(outcomes.users), np.ones(outcomes.users)
    sure_u = sure_v = np.ones(outcomes.users)
    tie = np.ones(int(closeness.max(initial=0)) + 1)
    rate = (acted.sum() + 0.5) / (tried.sum() + 1.0)
    for _ in range(_ROUNDS):
        persuasion, sure_u = _factor(u, acted, tried * rate * receptivity[v] * tie[closeness], outcomes.users)
        receptivity, sure_v = _factor(v, acted, tried * rate * persuasion[u] * tie[closeness], outcomes.users)
        product = rate * persuasion[u] * receptivity[v]
        tie, _ = _factor(closeness, acted, tried * product, len(tie))
        rate *= (acted.sum() + 0.5) / ((tried * product * tie[closeness]).sum() + 0.5)
    expected = rate * persuasion[u] * receptivity[v] * tie[closeness]
    shape = prior_shape(acted, tried * expected)
    mean = np.clip(expected * (acted + shape) / (tried * expected + shape), 0.0, MAX_PROBABILITY)
    variance = 1.0 / sure_u[u] + 1.0 / sure_v[v] + 1.0 / (acted + shape)
    worth = (1.0 - mean) / (np.maximum(mean, _LEAST) * variance) - 1.0
    return mean, np.maximum(worth, 1.0)


def _factor(
    group: NDArray[np.integer], acted: NDArray[np.float64], expected: NDArray[np.float64], groups: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each group's ratio of acts to expected acts drawn towards 1 by the estimated prior, and its gamma's shape.

    Both are (groups,).
    """
    seen, due = np.bincount(group, acted, groups), np.bincount(group, expected, groups)
    shape = prior_shape(seen, due)
    return (seen + shape) / (due + shape), seen + shape


def prior_shape(seen: NDArray[np.float64], due: NDArray[np.float64]) -> float:
    """Shape of the gamma prior by moments: var(seen) = due + due^2 / shape."""
    excess = float(np.sum((seen - due) ** 2 - due))
    return float(np.clip(np.sum(due**2) / excess, _WIDEST, _NARROWEST)) if excess > 0 else _NARROWEST


def _closeness(outcomes: Outcomes) -> NDArray[np.int64]:
    """Class of each tie, (E,): friendships by quantile of strength, then the other kinds."""
    is_friend = outcomes.kind == FRIEND
    strength = outcomes.strength[is_friend]
    cuts = np.unique(np.quantile(strength, np.arange(1, STRENGTH_BINS) / STRENGTH_BINS)) if len(strength) else strength
    level = np.zeros(len(outcomes.kind), np.int64)
    level[is_friend] = np.searchsorted(cuts, strength, side="right")
    level[~is_friend] = len(cuts) + outcomes.kind[~is_friend]
    return level


def _weighted_cascade(snapshot: GraphSnapshot) -> EdgeProbabilities:
    """P(u->v) = UNTAUGHT_MASS * w(u,v) / sum of w(x,v): w the strength of the tie times 1 + shared tastes.

    Weighted cascade is Kempe, Kleinberg, Tardos, KDD 2003, section 2 (1 / indegree); ties to people who acted on the
    same items weigh more, up to twice.
    """
    users = len(snapshot.users)
    friends, follows = snapshot.friends, snapshot.follows
    source = np.concatenate([friends.source, friends.target, follows.target]).astype(np.int64)
    target = np.concatenate([friends.target, friends.source, follows.source]).astype(np.int64)
    strength = np.concatenate([np.tile(friends.columns["strength"].astype(np.float64), 2), np.ones(len(follows))])
    key, place = np.unique(source * users + target, return_inverse=True)
    source, target = key // max(users, 1), key % max(users, 1)
    weight = np.maximum(np.bincount(place, strength, len(key)), 1e-9) * (1.0 + _common_taste(snapshot, source, target))
    weight[source == target] = 0.0
    total = np.bincount(target, weight, users)
    probability = UNTAUGHT_MASS * np.divide(weight, total[target], out=np.zeros(len(key)), where=total[target] > 0)
    return EdgeProbabilities(source.astype(np.int32), target.astype(np.int32), probability.astype(np.float32), users)


def _common_taste(snapshot: GraphSnapshot, source: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cosine of the item sets of each pair, (E,) in [0, 1]; ties are taken in blocks to bound memory."""
    users, items = len(snapshot.users), len(snapshot.items)
    pair = np.unique(snapshot.interactions.source.astype(np.int64) * items + snapshot.interactions.target)
    owner, item = pair // max(items, 1), pair % max(items, 1)
    size = np.bincount(owner, minlength=users)
    start = np.concatenate([[0], np.cumsum(size)])
    common = np.zeros(len(source))
    block = 1_000_000
    load = np.cumsum(size[source])
    for low in range(0, int(load[-1]) if len(load) else 0, block):
        ties = slice(*np.searchsorted(load, (low, low + block), side="right"))
        u, v = source[ties], target[ties]
        tie = np.repeat(np.arange(len(u)), size[u])
        offset = np.arange(len(tie)) - np.repeat(np.cumsum(size[u]) - size[u], size[u])
        wanted = v[tie] * items + item[start[u][tie] + offset]
        found = np.minimum(np.searchsorted(pair, wanted), len(pair) - 1)
        common[ties] = np.bincount(tie, pair[found] == wanted, len(u))
    return common / np.sqrt(np.maximum(size[source] * size[target], 1))
