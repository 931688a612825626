from __future__ import annotations

import numpy as np
import pytest

from engine.propagation.formulafit import LEAST_ACTS, SETTLED_S, fit_item_formula, fit_user_formula
from engine.types import Edges, GraphSnapshot, Nodes

DAY = 86_400


def made(alpha: float, beta: float, users: int = 400, items: int = 30, shares: int = 3_000, act: str = "reshare"):
    """A snapshot whose friends reshare (or open) by the formula itself, with its embeddings."""
    rng = np.random.default_rng(1)
    pairs = np.unique(np.sort(rng.integers(0, users, (users * 3, 2)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    strength = rng.choice([0.5, 1.0, 2.0], len(pairs))
    near = {u: [] for u in range(users)}
    for (a, b), s in zip(pairs.tolist(), strength.tolist(), strict=True):
        near[a].append((b, s))
        near[b].append((a, s))
    unit = rng.normal(size=(users, 4))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    goods = rng.normal(size=(items, 4))
    goods /= np.linalg.norm(goods, axis=1, keepdims=True)
    rows, opens = [], []
    shared: dict[int, set[int]] = {i: set() for i in range(items)}
    for n in range(shares):
        waiting = [(int(rng.integers(users)), DAY + 1_000 * n, -1)]
        i = n % items
        shared[i].add(waiting[0][0])
        while waiting:
            u, at_s, parent = waiting.pop(0)
            row = len(rows)
            rows.append((u, i, at_s, parent))
            for j, _ in near[u]:
                tie = sum(s for v, s in near[j] if v in shared[i]) / sum(s for _, s in near[j])
                interest = (1 + unit[j] @ goods[i]) / 2 / len(near[j])
                if j not in shared[i] and rng.random() < alpha * tie + beta * interest:
                    if act == "reshare":
                        waiting.append((j, waiting[-1][1] + 1 if waiting else at_s + 1, row))
                    opens.append((row, j, at_s + 1))
            shared[i] |= {j for j, _, _ in waiting}
    rows.append((0, 0, DAY + 1_000 * shares + SETTLED_S, -1))
    table = np.array(rows, np.int64)
    opened = np.array(opens if act == "open" else np.zeros((0, 3)), np.int64).reshape(-1, 3)
    none = np.zeros(0, np.int32)
    snapshot = GraphSnapshot(
        "s", 0,
        Nodes(np.array([f"u{n:04}" for n in range(users)], object)),
        Nodes(np.array([f"i{n:04}" for n in range(items)], object)),
        Edges(none, none, {"type": np.zeros(0, np.int8)}),
        Edges(pairs[:, 0].astype(np.int32), pairs[:, 1].astype(np.int32), {"strength": strength.astype(np.float32)}),
        Edges(none, none, {}),
        Edges(table[:, 0].astype(np.int32), table[:, 1].astype(np.int32),
              {"parent": table[:, 3].astype(np.int32), "occurred_at_s": table[:, 2]}),
        Edges(none, none, {}),
        Edges(opened[:, 0].astype(np.int32), opened[:, 1].astype(np.int32), {"occurred_at_s": opened[:, 2]}),
        np.array([f"s{n}" for n in range(len(table))], object),
    )  # fmt: skip
    return snapshot, unit.astype(np.float32), goods.astype(np.float32)


@pytest.mark.parametrize("act", ["open", "reshare"])
@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.2), (0.1, 0.6)])
def test_the_weights_that_made_the_world_are_found(alpha, beta, act):
    found, told = fit_item_formula(*made(alpha, beta, act=act), np.random.default_rng(0))
    assert found.alpha == pytest.approx(alpha, abs=0.06)
    assert found.beta == pytest.approx(beta, abs=0.12)
    assert (told["act"], told["alpha"]) == (act, round(found.alpha, 6))
    assert told["bce"] < told["bceBase"]
    assert told["acted"] > LEAST_ACTS


def test_where_nothing_is_passed_on_nothing_is_fitted():
    snapshot, users, items = made(0.0, 0.0, act="open")
    assert fit_item_formula(snapshot, users, items, np.random.default_rng(0)) is None
    few, users, items = made(0.3, 0.2, shares=5)
    assert fit_item_formula(few, users, items, np.random.default_rng(0)) is None


def between_users(tie_side: str, alpha: float, beta: float) -> GraphSnapshot:
    """Friends who open each other's shares by the user form: the first half of the shares at random, then by C / N."""
    rng = np.random.default_rng(3)
    users, each = 60, 60
    pairs = [(a, b) for a in range(users) for b in range(a + 1, users) if rng.random() < 0.15]
    strength = {pair: float(rng.choice([0.2, 1.0, 3.0])) for pair in pairs}
    ties = strength | {(b, a): s for (a, b), s in strength.items()}
    total = {u: sum(s for (a, _), s in ties.items() if a == u) for u in range(users)}
    keen = {pair: float(rng.random() < 0.3) * 0.5 for pair in ties}
    shares, opens = [], []
    for n in range(users * each):
        u = int(rng.integers(users))
        shares.append((u, -1, DAY + 100 * n))
        for (a, v), s in ties.items():
            if a != u:
                continue
            end = u if tie_side == "sender" else v
            if rng.random() < alpha * s / total[end] + beta * keen[a, v]:
                opens.append((n, v, DAY + 100 * n + 1))
    table, opened = np.array(shares, np.int64), np.array(opens, np.int64)
    none = np.zeros(0, np.int32)
    return GraphSnapshot(
        "s", DAY + 100 * users * each,
        Nodes(np.array([f"u{n:04}" for n in range(users)], object)),
        Nodes(np.array(["i0"], object)),
        Edges(none, none, {"type": np.zeros(0, np.int8), "occurred_at_s": np.zeros(0, np.int64),
                           "count": np.zeros(0, np.uint16), "rating": np.zeros(0, np.float32)}),
        Edges(np.array([a for a, _ in pairs], np.int32), np.array([b for _, b in pairs], np.int32),
              {"strength": np.array(list(strength.values()), np.float32), "since_s": np.full(len(pairs), -1)}),
        Edges(none, none, {"since_s": np.zeros(0, np.int64)}),
        Edges(table[:, 0].astype(np.int32), np.zeros(len(table), np.int32),
              {"parent": table[:, 1].astype(np.int32), "occurred_at_s": table[:, 2],
               "depth": np.zeros(len(table), np.int32)}),
        Edges(none, none, {}),
        Edges(opened[:, 0].astype(np.int32), opened[:, 1].astype(np.int32), {"occurred_at_s": opened[:, 2]}),
        np.array([f"s{n}" for n in range(len(table))], object),
    )  # fmt: skip


@pytest.mark.parametrize("side", ["sender", "receiver"])
def test_the_side_that_divides_the_tie_is_found(side):
    told = fit_user_formula(between_users(side, 0.8, 0.0))
    assert told["tieSide"] == side
    assert told["alpha"] == pytest.approx(0.8, abs=0.2)
    assert told["bce"] < told["bceBase"]


def test_who_acted_before_acts_again():
    # C / N of the sender is the pair's own rate: beta is 1, and ties tell nothing.
    told = fit_user_formula(between_users("sender", 0.0, 1.0))
    assert told["actSide"] == "sender"
    assert told["beta"] == pytest.approx(1.0, abs=0.15)
    assert told["alpha"] < 0.1


def test_without_acts_there_is_no_user_form():
    assert fit_user_formula(made(0.0, 0.0, act="open")[0]) is None
