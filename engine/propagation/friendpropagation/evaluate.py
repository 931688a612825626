"""`kith evaluate friend-propagation`: fitted on the first 80 % of the cascades, chosen on the next 10 %, scored once.

The past that signals are counted on are the cascades of the first 80 %, whole, as the bars have it: also what happened
in them after the share. `in_time` is the same model learned and scored on what lay before each share.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.propagation.friendpropagation.baselines import baseline_chances, crossed_counts
from engine.propagation.friendpropagation.measures import intervals, reliability, scores_of
from engine.propagation.friendpropagation.model import FriendModel, best_forest, crossed, fit_model
from engine.propagation.friendpropagation.names import GROUPS
from engine.propagation.friendpropagation.pairs import Float, Folder, read_folder
from engine.propagation.friendpropagation.parts import Part, columns_of, held_part, training_part

Report = Callable[[str, int, int], None]
_COMPARED = ("auc", "ap", "bce")


def evaluate_friends(folder: Path, *, seed: int = 0, report: Report | None = None) -> dict[str, Any]:
    """Fit and choose on the first nine tenths of the cascades, score the last one once.

    Args:
        folder: holds `cascades.txt` and `edges.txt` (contracts.md, "cascades").
        seed: of everything random.
        report: called with (stage, done, total).

    Returns:
        The keys of contracts.md; `in_time` (what lay before the share alone), `baselines` (the formula, a logistic
        regression of counts), `reliability` (15 bins of like numbers, over which `ece` is), `chosen`, and `ablation` on
        the cascades that choose.

    Raises:
        DataError: a file is missing or malformed, or the cascades are too few to learn from.
    """
    began = time.perf_counter()
    torch.set_num_threads(1)  # batches are small: threads would wait for each other
    data = read_folder(folder)
    steps = _Steps(report, 3 + len(GROUPS))
    learned = _learn(data, seed, live=False)
    steps.next("model")
    result = _scored(data, learned, seed)
    result["in_time"] = _in_time(data, seed)
    steps.next("in time")
    result["ablation"] = _ablation(data, learned, seed, steps)
    interval = result.pop("interval")
    result |= {"interval": interval, "seed": seed, "seconds": round(time.perf_counter() - began, 2)}
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    result["n"] = result["pairs"]["test"]
    return result


@dataclass(frozen=True, slots=True)
class _Learned:
    """A model, what it was chosen on, and the test's chances."""

    train: Part
    choose: Part
    test: Part
    model: FriendModel
    chosen: dict[str, Any]
    chance: Float

    @property
    def base(self) -> float:
        """The rate of the cascades that choose."""
        return float(self.choose.pairs.joins.mean())


class _Steps:
    """Counts what is done."""

    def __init__(self, report: Report | None, total: int) -> None:
        self._report, self._done, self._total = report, 0, total

    def next(self, name: str) -> None:
        """Tell that one more is done."""
        self._done += 1
        if self._report:
            self._report(name, self._done, self._total)


def _learn(data: Folder, seed: int, *, live: bool) -> _Learned:
    past, chooses, tests = data.parts()
    train = training_part(data, past, seed, live=live)
    choose = held_part(data, chooses, past, seed, live=live)
    test = held_part(data, tests, past, seed, live=live)
    model, chosen = fit_model(data, train, choose, seed)
    return _Learned(train, choose, test, model, chosen, model.chance(test, data))


def _scored(data: Folder, learned: _Learned, seed: int) -> dict[str, Any]:
    test, base = learned.test.pairs, learned.base
    result: dict[str, Any] = scores_of(test, learned.chance, base)
    result["interval"] = intervals(test, learned.chance, base, seed)
    result["baselines"] = {
        name: scores_of(test, chance, base) for name, chance in baseline_chances(learned.choose, learned.test).items()
    }
    result["reliability"] = reliability(test.joins, learned.chance)
    result["chosen"] = learned.chosen
    names = ("train", "choose", "test")
    result["cascades"] = dict(zip(names, map(len, data.parts()), strict=True))
    result["pairs"] = {"train": len(learned.train.pairs), "choose": len(learned.choose.pairs), "test": len(test)}
    result["positives"] = {"choose": base, "test": float(test.joins.mean())}
    return result


def _in_time(data: Folder, seed: int) -> dict[str, Any]:
    """Return the scores of a model of what lay before each share."""
    learned = _learn(data, seed, live=True)
    found: dict[str, Any] = scores_of(learned.test.pairs, learned.chance, learned.base)
    found["interval"] = intervals(learned.test.pairs, learned.chance, learned.base, seed)
    return found


def _ablation(data: Folder, learned: _Learned, seed: int, steps: _Steps) -> dict[str, Any]:
    """Return what parts are worth on the cascades that choose; no fold of them had part in its own blend."""
    choose, pairs = learned.choose, learned.choose.pairs
    scores = learned.model.scores(choose, data)
    rows = {
        "all": crossed(scores, pairs),
        "trees alone": crossed(scores[:, :1], pairs),
        "network alone": crossed(scores[:, 1:], pairs),
        "counts": crossed_counts(choose),
    }
    for group in GROUPS:
        forest, _ = best_forest(data, learned.train, choose, columns_of(group), seed)
        rows[f"trees without {group}"] = crossed(forest.log_odds(choose)[:, None], pairs)
        steps.next(f"without {group}")
    steps.next("done")
    told = {name: scores_of(pairs, chance, learned.base) for name, chance in rows.items()}
    return {name: {key: each[key] for key in _COMPARED} for name, each in told.items()}
