"""`kith evaluate new-links`: a learned blend of link scores, the test file scored once.

Links have no time, so the cut hides some of each inviter's links at random, as a later period does. Signals come from
the graph without them; the blend is fitted on those hidden links whose voter is still there.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.errors import DataError
from engine.evaluation import (
    Truth,
    bootstrap_interval,
    hit_at,
    hit_matrix,
    holdout_cut,
    mrr_at,
    ndcg_at,
    recall_at,
    truth_of,
)
from engine.propagation.sharetarget.examples import Examples
from engine.propagation.sharetarget.links import GROUPS, NAMES, LinkGraph, link_examples, link_graph
from engine.propagation.sharetarget.rows import read_links
from engine.propagation.sharetarget.training import RankSettings, fit
from engine.serving.sharetarget.history import Float, Int

HIDDEN = 0.15
PLACES = 20
QUESTIONS = 12_000
"""Hidden links that the blend is fitted on, at most."""
SETTINGS = RankSettings(hidden=32, epochs=4, dropout=0.2, screened=100)
SMALL = RankSettings(hidden=16, epochs=2, dropout=0.2, screened=100, networks=1)
Report = Callable[[str, int, int], None]
PerInviter = dict[str, Float]


def evaluate_new_links(folder: Path, seed: int = 0, report: Report | None = None) -> dict[str, Any]:
    """Fit and choose on `train.csv`, score the new pairs of `test.csv` once.

    Args:
        folder: holds both files (contracts.md, "share links").
        seed: of everything random.
        report: called with (stage, done, total).

    Returns:
        The keys of contracts.md.

    Raises:
        DataError: a file is missing or malformed, or the test has no new pair.
    """
    began = time.perf_counter()
    torch.set_num_threads(1)
    say = report or (lambda _stage, _done, _total: None)
    inviter, voter, truth, users = _read(Path(folder))
    rng = np.random.default_rng([seed, 5])
    cut, fitted = (holdout_cut(inviter, HIDDEN, rng.random(len(inviter))) for _ in range(2))
    fitted &= ~cut
    say("graphs", 0, 3)
    early = _questions(
        link_graph(*_pair(inviter, voter, ~cut & ~fitted), users, seed), *_pair(inviter, voter, fitted), rng
    )
    say("graphs", 1, 3)
    held_graph = link_graph(*_pair(inviter, voter, ~cut), users, seed)
    held_truth = truth_of(*_pair(inviter, voter, cut))
    held_truth = held_truth.take(np.sort(rng.permutation(len(held_truth))[:6_000]))
    held = link_examples(held_graph, held_truth.user.astype(np.int64))
    say("graphs", 2, 3)
    compared = _ablation(early, held, held_truth, seed, say)
    late = _questions(held_graph, *_pair(inviter, voter, cut), rng)
    model = fit(late, SETTINGS, seed)
    del early, held, held_graph
    graph = link_graph(inviter, voter, users, seed)
    asked = link_examples(graph, truth.user.astype(np.int64))
    say("graphs", 3, 3)
    per_inviter = _metrics(_lists(asked, model.score(asked.signals, asked.row)), truth)
    result: dict[str, Any] = {name: float(values.mean()) for name, values in per_inviter.items()}
    result["inviters"] = len(truth)
    result["ablation"] = compared
    result["interval"] = {name: bootstrap_interval(values, seed) for name, values in per_inviter.items()}
    result |= {"seed": seed, "seconds": round(time.perf_counter() - began, 2)}
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    result["n"] = len(truth)
    return result


def _read(folder: Path) -> tuple[Int, Int, Truth, int]:
    """Return train's links and the test's links that train has not, users numbered by id."""
    train, test = read_links(folder / "train.csv"), read_links(folder / "test.csv")
    ids = np.unique(np.concatenate([*train, *test]))
    if not len(train[0]):
        raise DataError(f"{folder / 'train.csv'}: line 2: there is no row")
    inviter, voter = (np.searchsorted(ids, column) for column in train)
    key = np.unique(inviter * len(ids) + voter)
    inviter, voter = key // len(ids), key % len(ids)
    asked, true = (np.searchsorted(ids, column) for column in test)
    new = ~np.isin(asked * len(ids) + true, key) & (asked != true)
    if not new.any():
        raise DataError(f"{folder / 'test.csv'}: line {len(asked) + 1}: no new pair")
    return inviter, voter, truth_of(asked[new], true[new]), len(ids)


def _pair(inviter: Int, voter: Int, chosen: np.ndarray) -> tuple[Int, Int]:
    return inviter[chosen], voter[chosen]


def _questions(graph: LinkGraph, inviter: Int, voter: Int, rng: np.random.Generator) -> Examples:
    """Return one question per hidden link; other hidden links of the inviter are no candidates of it."""
    chosen = np.unique(inviter)
    chosen = np.sort(rng.permutation(chosen)[:QUESTIONS])
    kept = np.isin(inviter, chosen)
    inviter, voter = inviter[kept], voter[kept]
    examples = link_examples(graph, chosen)
    place = np.full(len(inviter), -1, dtype=np.int64)
    row = np.searchsorted(chosen, inviter)
    keys = examples.row * graph.users + examples.user
    found = np.minimum(np.searchsorted(keys, row * graph.users + voter), len(keys) - 1)
    hit = keys[found] == row * graph.users + voter
    place[hit] = found[hit]
    picked = np.flatnonzero(hit)
    picked = np.sort(rng.permutation(picked)[:QUESTIONS])
    true = np.zeros(len(keys), dtype=bool)
    true[place[hit]] = True
    return _one_answer_each(examples, row[picked], place[picked], true)


def _one_answer_each(examples: Examples, row: Int, answer: Int, true: np.ndarray) -> Examples:
    """Return a question for each (row, answer) with the other true candidates left out."""
    whole = replace(examples, answer=np.full(len(examples), -1, dtype=np.int64)).part(row)
    shift = whole.indptr[:-1] - examples.indptr[row]
    own = answer + shift
    kept = ~true[np.arange(len(whole.user)) - np.repeat(shift, np.diff(whole.indptr))]
    kept[own] = True
    counts = np.bincount(whole.row[kept], minlength=len(row))
    place = np.cumsum(kept) - 1
    return Examples(whole.signals[kept], whole.user[kept], np.concatenate([[0], np.cumsum(counts)]), place[own])


def _lists(examples: Examples, score: Float) -> Int:
    """Return (N, PLACES) the best candidates of each question, best first, -1 where there are fewer."""
    row = examples.row
    order = np.lexsort((examples.user, -score, row))
    rank = np.arange(len(row)) - examples.indptr[row]
    listed = np.full((len(examples), PLACES), -1, dtype=np.int64)
    kept = rank < PLACES
    listed[row[kept], rank[kept]] = examples.user[order][kept]
    return listed


def _metrics(listed: Int, truth: Truth) -> PerInviter:
    hits = hit_matrix(listed, truth)
    return {
        "recall@20": recall_at(hits, truth.counts, 20),
        "ndcg@20": ndcg_at(hits, truth.counts, 20),
        "mrr@5": mrr_at(hits, 5),
        "hits@5": hit_at(hits, 5),
    }


def _ablation(early: Examples, held: Examples, truth: Truth, seed: int, say: Report) -> dict[str, Any]:
    """Return Recall@20 and NDCG@20 on the cut: the blend, a small one, that without each group, and counting."""

    def told(score: Float) -> dict[str, float]:
        found = _metrics(_lists(held, score), truth)
        return {name: float(found[name].mean()) for name in ("recall@20", "ndcg@20")}

    def column(name: str) -> Float:
        return held.signals[:, NAMES.index(name)].astype(np.float64)

    model = fit(early, SETTINGS, seed)
    counted = {
        "full": told(model.score(held.signals, held.row)),
        "popularity": told(column("popular")),
        "counting": told(2.0 * column("back") + np.expm1(column("adamic_adar")) / 10 + 0.01 * column("popular")),
        "only_linear": told(column("linear") + 1e-6 * column("popular")),
    }
    for place, group in enumerate(("", *GROUPS)):
        kept = np.array([at for at, name in enumerate(NAMES) if name not in GROUPS.get(group, ())])
        part = fit(replace(early, signals=early.signals[:, kept]), SMALL, seed)
        score = part.score(held.signals[:, kept], held.row)
        counted[f"without_{group}" if group else "small"] = told(score)
        say("ablation", place + 1, len(GROUPS) + 1)
    return {**counted, "n": len(truth)}
