"""Count a population out of a history, and factorise who shares with whom."""

from __future__ import annotations

import numpy as np
import torch

from engine.serving.sharetarget.evidence import DAY_S, fresh
from engine.serving.sharetarget.history import Float, History
from engine.serving.sharetarget.population import ALIKE, STRANGERS, Floats, Population

LATELY_S = 2 * DAY_S
"""Half-life of what counts as lately."""
NEW_S = DAY_S
"""How long after their first event somebody is new to the network."""
DIMENSIONS = 32
NEAR = 20_000
"""Users, those who received most, among whom the nearest of everybody are looked for."""
_OVERSAMPLING, _POWERS = 8, 3


def count_population(history: History, now_s: int, seed: int, dimensions: int = DIMENSIONS) -> Population:
    """Return the figures of everybody as of `now_s`; events from then on do not count."""
    known = slice(0, int(history.first_not_before(np.array([now_s]))[0]))
    sender, recipient = history.sender[known], history.recipient[known]
    weight = fresh((now_s - history.time_s[known]).astype(np.float64), LATELY_S)
    users = history.users
    pair, first, pair_events = np.unique(sender * users + recipient, return_index=True, return_counts=True)
    met = weight[first]
    welcomed = met * _from_newcomer(history, first)
    received, lately = np.bincount(recipient, minlength=users), np.bincount(recipient, weight, users)
    senders = np.bincount(pair % users, minlength=users)
    sent, sending = np.bincount(sender, minlength=users), np.bincount(sender, weight, users)
    met, welcomed = (np.bincount(pair % users, each, users) for each in (met, welcomed))
    counts = np.stack([received, lately, senders, sent, sending, met, welcomed], axis=1).astype(np.float32)
    active = np.unique(np.concatenate([_most(figure) for figure in (lately, met, welcomed)]))
    sends, receives = factors(
        pair // users, pair % users, np.log1p(pair_events), users, dimensions=dimensions, seed=seed
    )
    among = np.sort(np.argsort(-received, kind="stable")[:NEAR])
    length = np.linalg.norm(receives, axis=1, keepdims=True)
    ways = np.divide(receives, length, out=np.zeros_like(receives), where=length > 1e-6)
    nearest, alike = _nearest(sends, receives, among, STRANGERS), _nearest(ways, ways, among, ALIKE)
    return Population(counts, sends, receives, nearest, alike, active)


def _from_newcomer(history: History, event: np.ndarray) -> np.ndarray:
    """Return (len(event),) bool: the sender's first event, sent or received, was less than NEW_S before."""
    first = np.full(history.users, np.iinfo(np.int64).max)
    for end in (history.sender, history.recipient):
        np.minimum.at(first, end, history.time_s)
    return history.time_s[event] - first[history.sender[event]] < NEW_S


def _most(figure: Float) -> np.ndarray:
    """Return the STRANGERS users of the largest figure above 0."""
    most = np.argsort(-figure, kind="stable")[:STRANGERS]
    return most[figure[most] > 0].astype(np.int64)


def factors(
    source: np.ndarray, target: np.ndarray, weight: Float, users: int, *, dimensions: int, seed: int
) -> tuple[Floats, Floats]:
    """Return (U, D) left and right factors of the weights, each divided by the root of both ends' totals.

    Halko, Martinsson and Tropp, Finding structure with randomness (2011), algorithms 4.4 and 5.1.
    """
    dimensions = min(dimensions, max(users - 1, 1))
    if not len(source):
        return np.zeros((users, dimensions), np.float32), np.zeros((users, dimensions), np.float32)
    out, into = np.bincount(source, weight, users), np.bincount(target, weight, users)
    scaled = (weight / np.sqrt(out[source] * into[target])).astype(np.float32)
    value = torch.from_numpy(scaled)[:, None]
    ends = torch.from_numpy(source.astype(np.int64)), torch.from_numpy(target.astype(np.int64))

    def times(dense: torch.Tensor, *, turned: bool) -> torch.Tensor:
        into_row, of_row = ends[::-1] if turned else ends
        return torch.zeros(users, dense.shape[1]).index_add_(0, into_row, value * dense[of_row])

    width = min(dimensions + _OVERSAMPLING, users)
    draw = torch.from_numpy(np.random.default_rng(seed).standard_normal((users, width)).astype(np.float32))
    basis, _ = torch.linalg.qr(times(draw, turned=False))
    for _ in range(_POWERS):
        basis, _ = torch.linalg.qr(times(basis, turned=True))
        basis, _ = torch.linalg.qr(times(basis, turned=False))
    left, values, right = torch.linalg.svd(times(basis, turned=True).T, full_matrices=False)
    root = torch.sqrt(values[:dimensions])
    sends = (basis @ left[:, :dimensions]) * root
    return sends.numpy(), (right[:dimensions].T * root).numpy()


def _nearest(left: Floats, right: Floats, among: np.ndarray, most: int, batch: int = 256) -> np.ndarray:
    """Return (U, most) of `among` the users of largest positive product, best first, -1 where there are fewer."""
    users = len(left)
    k = min(most, users - 1)
    nearest = np.full((users, max(k, 0)), -1, dtype=np.int64)
    active = np.flatnonzero(np.abs(left).sum(axis=1) > 1e-6)
    some = among[np.abs(right[among]).sum(axis=1) > 1e-6]
    k = min(k, len(some) - 1)
    if k <= 0:
        return nearest
    for start in range(0, len(active), batch):
        rows = active[start : start + batch]
        score = left[rows] @ right[some].T
        score[rows[:, None] == some[None, :]] = -np.inf
        best = np.argpartition(-score, k, axis=1)[:, :k]
        value = np.take_along_axis(score, best, axis=1)
        order = np.argsort(-value, axis=1, kind="stable")
        value = np.take_along_axis(value, order, axis=1)
        found = np.where(value > 1e-6, some[np.take_along_axis(best, order, axis=1)], -1)
        nearest[rows, :k] = found
    return nearest
