"""New share links: candidates and scores of inviters out of a graph of links without times or items.

For an inviter u and a user v, with A the links inviter -> voter and S = A or A^T: reciprocity (v -> u is there),
common neighbours, Adamic-Adar, resource allocation (Zhou, Lü and Zhang 2009: each common neighbour counts one by its
degree), two-step walks in each pair of directions, three-step walks, popularity, a linear user-user model (EASE: Steck
2019, eq. 8) over the users of most links, and factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.sharetarget.examples import Examples
from engine.propagation.sharetarget.population import factors
from engine.serving.sharetarget.history import Float, Int

DIMENSIONS = 64
EASE_USERS, EASE_RIDGE = 4_000, 20.0
"""Users in the linear model: those of most links; its inverse takes seconds."""
NEAR, FAR, POPULAR, LINEAR, CLOSE = 80, 60, 80, 40, 40
"""Candidates by Adamic-Adar, three-step walks, popularity, the linear model and factors."""
THIRD_STEP = 200
"""Users of most mass from which the third step is walked."""
NAMES = (
    "back",
    "common",
    "adamic_adar",
    "resource",
    "to_to",
    "to_from",
    "from_to",
    "from_from",
    "three",
    "popular",
    "popular_share",
    "inviter_too",
    "linear",
    "factors",
    "factors_back",
    "u_out",
    "u_in",
    "adamic_adar_rank",
    "three_rank",
    "linear_rank",
)
GROUPS = {
    "back": ("back",),
    "near": ("common", "adamic_adar", "resource", "adamic_adar_rank"),
    "walks": ("to_to", "to_from", "from_to", "from_from", "three", "three_rank"),
    "popularity": ("popular", "popular_share", "inviter_too"),
    "linear": ("linear", "linear_rank"),
    "factors": ("factors", "factors_back"),
}
"""Groups that an ablation leaves out."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Sparse rows without values."""

    indptr: Int
    """(U + 1,)"""
    target: Int
    """(E,)"""

    def of(self, user: int) -> Int:
        """Return the targets of one row."""
        return self.target[self.indptr[user] : self.indptr[user + 1]]


@dataclass(frozen=True, slots=True)
class LinkGraph:
    """Links of U users."""

    users: int
    out: Rows
    """A: inviter -> voter."""
    into: Rows
    """A^T"""
    both: Rows
    """S"""
    popular: Int
    """(POPULAR,) users of most inviters, most first."""
    closers: Int
    """Users of at least two inviters, whom factors may make candidates."""
    sends: NDArray[np.float32]
    """(U, D)"""
    receives: NDArray[np.float32]
    """(U, D)"""
    column: Int
    """(U,) column of the linear model, -1 for none."""
    linear_users: Int
    """(M,) user of each column."""
    linear: NDArray[np.float32]
    """(M, M) weights, diagonal 0."""


def link_graph(inviter: Int, voter: Int, users: int, seed: int) -> LinkGraph:
    """Return the graph of distinct links with its linear model and its factors."""
    key = np.unique(inviter * users + voter)
    inviter, voter = key // users, key % users
    out, into = _rows(inviter, voter, users), _rows(voter, inviter, users)
    turned = np.unique(np.concatenate([key, voter * users + inviter]))
    both = _rows(turned // users, turned % users, users)
    degree = np.diff(into.indptr)
    order = np.lexsort((np.arange(users), -degree))
    sends, receives = factors(inviter, voter, np.ones(len(inviter)), users, dimensions=DIMENSIONS, seed=seed)
    chosen = order[: min(EASE_USERS, int((degree > 1).sum()))]
    column = np.full(users, -1, dtype=np.int64)
    column[chosen] = np.arange(len(chosen))
    linear = _ease(both, column, len(chosen))
    return LinkGraph(
        users, out, into, both, order[:POPULAR], np.flatnonzero(degree > 1), sends, receives, column, chosen, linear
    )


def link_examples(graph: LinkGraph, inviters: Int) -> Examples:
    """Return candidates and signals of the inviters; no answers. What is linked already is no candidate."""
    sums = np.zeros((8, graph.users))
    parts: list[tuple[Int, NDArray[np.float32]]] = [_candidates(graph, int(inviter), sums) for inviter in inviters]
    indptr = np.concatenate([[0], np.cumsum([len(user) for user, _ in parts])])
    signals = np.concatenate([columns for _, columns in parts])
    return Examples(signals, np.concatenate([user for user, _ in parts]), indptr, np.full(len(inviters), -1))


def _candidates(graph: LinkGraph, u: int, sums: Float) -> tuple[Int, NDArray[np.float32]]:
    """Return the candidates of u, ascending, and their signals."""
    out, into, both = graph.out, graph.into, graph.both
    near = _two_steps(u, both.indptr, both.target, sums)
    for place, (left, right) in enumerate(((out, out), (out, into), (into, out), (into, into))):
        _directed(u, left.indptr, left.target, right.indptr, right.target, sums[3 + place])
    heavy = near[np.argsort(-sums[2][near], kind="stable")[:THIRD_STEP]]
    far = _third_step(u, heavy, both.indptr, both.target, sums[2], sums[7])
    own = out.of(u)
    back = into.of(u)
    columns = graph.column[both.of(u)]
    linear = graph.linear[columns[columns >= 0]].sum(axis=0)
    close = graph.receives[graph.closers] @ graph.sends[u]
    chosen = [
        back,
        near[_first(sums[1][near], NEAR)],
        far[_first(sums[7][far], FAR)],
        graph.popular,
        graph.linear_users[_first(linear, LINEAR)],
        graph.closers[_first(close, CLOSE)],
    ]
    user = np.unique(np.concatenate(chosen))
    user = user[~np.isin(user, own) & (user != u)]
    signals = _signals(graph, u, user, sums=sums, linear=linear)
    sums[:, near] = 0.0
    sums[:, far] = 0.0
    return user, signals


def _signals(graph: LinkGraph, u: int, user: Int, *, sums: Float, linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the signals of candidates, (len(user), len(NAMES))."""
    inviters = np.diff(graph.into.indptr)
    column = graph.column[user]
    found = np.empty((len(user), len(NAMES)), dtype=np.float32)
    values = dict(zip(NAMES[1:8], (sums[0], *sums[1:7]), strict=True))
    weight = np.where(column >= 0, linear[np.maximum(column, 0)], 0.0) if len(linear) else np.zeros(len(user))
    table = {
        "back": np.isin(user, graph.into.of(u)),
        **{name: np.log1p(10.0 * value[user]) for name, value in values.items()},
        "three": np.log1p(100.0 * sums[7][user]),
        "popular": np.log1p(inviters[user]),
        "popular_share": inviters[user] / max(int(inviters.max()), 1),
        "inviter_too": np.log1p(np.diff(graph.out.indptr)[user]),
        "linear": np.sign(weight) * np.log1p(20.0 * np.abs(weight)),
        "factors": graph.receives[user] @ graph.sends[u] * 10.0,
        "factors_back": graph.sends[user] @ graph.receives[u] * 10.0,
        "u_out": np.full(len(user), np.log1p(len(graph.out.of(u)))),
        "u_in": np.full(len(user), np.log1p(len(graph.into.of(u)))),
        "adamic_adar_rank": _line(sums[1][user]),
        "three_rank": _line(sums[7][user]),
        "linear_rank": _line(weight),
    }
    for place, name in enumerate(NAMES):
        found[:, place] = table[name]
    return found


def _line(value: Float) -> Float:
    """Return 1 / rank by falling value, 0 where it is not positive."""
    rank = np.empty(len(value))
    rank[np.argsort(-value, kind="stable")] = np.arange(1, len(value) + 1)
    return np.where(value > 0, 1.0 / rank, 0.0)


def _first(value: NDArray[np.floating], k: int) -> Int:
    """Return the places of the k largest positive values."""
    k = min(k, len(value))
    if not k:
        return np.zeros(0, dtype=np.int64)
    best = np.argpartition(-value, k - 1)[:k]
    return best[value[best] > 0].astype(np.int64)


@numba.njit(cache=True)
def _two_steps(u, ptr, both, sums):  # noqa: ANN001, ANN202
    """Fill sums[0:3]: common neighbours, Adamic-Adar, resource allocation; return the users reached."""
    reached = np.empty(sums.shape[1], dtype=np.int64)
    count = 0
    for place in range(ptr[u], ptr[u + 1]):
        p = both[place]
        degree = ptr[p + 1] - ptr[p]
        for other in range(ptr[p], ptr[p + 1]):
            w = both[other]
            if w == u:
                continue
            if sums[0, w] == 0.0:
                reached[count] = w
                count += 1
            sums[0, w] += 1.0
            sums[1, w] += 1.0 / np.log(1.0 + degree)  # u and w are neighbours: degree >= 2
            sums[2, w] += 1.0 / degree
    return reached[:count]


@numba.njit(cache=True)
def _directed(u, left_ptr, left, right_ptr, right, into):  # noqa: ANN001, ANN202, PLR0917
    """Add to `into` (U,) the two-step walks by links of one direction, then of another."""
    for place in range(left_ptr[u], left_ptr[u + 1]):
        p = left[place]
        degree = right_ptr[p + 1] - right_ptr[p]
        for other in range(right_ptr[p], right_ptr[p + 1]):
            if right[other] != u:
                into[right[other]] += 1.0 / np.sqrt(degree)


@numba.njit(cache=True)
def _third_step(u, heavy, ptr, both, mass, into):  # noqa: ANN001, ANN202, PLR0917
    """Add to `into` (U,) what `mass` (U,) of the heavy users spreads evenly; return the users reached."""
    reached = np.empty(len(into), dtype=np.int64)
    count = 0
    for w in heavy:
        degree = ptr[w + 1] - ptr[w]
        for other in range(ptr[w], ptr[w + 1]):
            x = both[other]
            if x == u:
                continue
            if into[x] == 0.0:
                reached[count] = x
                count += 1
            into[x] += mass[w] / degree
    return reached[:count]


def _rows(source: Int, target: Int, users: int) -> Rows:
    order = np.lexsort((target, source))
    return Rows(np.concatenate([[0], np.cumsum(np.bincount(source, minlength=users))]), target[order].astype(np.int64))


def _ease(both: Rows, column: Int, width: int) -> NDArray[np.float32]:
    """Return (M, M) weights of the linear model on rows of S restricted to M users."""
    if not width:
        return np.zeros((0, 0), dtype=np.float32)
    row = np.repeat(np.arange(len(column)), np.diff(both.indptr))
    at = column[both.target]
    row, at = row[at >= 0], at[at >= 0]
    gram = _gram(row.astype(np.int64), at, width)
    gram[np.diag_indices(width)] += np.float32(EASE_RIDGE)
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)[None, :]
    weights[np.diag_indices(width)] = 0.0
    return weights.astype(np.float32)


@numba.njit(cache=True)
def _gram(row, at, width):  # noqa: ANN001, ANN202
    """X^T X of 0/1 rows given as (row, column) pairs, rows ascending."""
    gram = np.zeros((width, width), dtype=np.float32)
    start = 0
    while start < len(row):
        end = start
        while end < len(row) and row[end] == row[start]:
            end += 1
        for one in range(start, end):
            for other in range(start, end):
                gram[at[one], at[other]] += 1.0
        start = end
    return gram
