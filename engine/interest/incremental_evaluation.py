"""`kith evaluate incremental`: a full training against an incremental one, and against the version left as it is.

The base is trained in full on the first four fifths of each user's history (the oldest where times are known, else
drawn at random). Then the last fifth arrives, and the same test items are ranked by three models.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import Truth, bootstrap_interval, holdout_cut, truth_of
from engine.interest.cut import make_cut
from engine.interest.data import SNAPSHOT_MANIFEST, InterestData, from_any, from_folder
from engine.interest.evaluate import PerUser, measure
from engine.interest.incremental import LAST_SHARE, advance, newer_cut, same_rows, steps_of
from engine.interest.model import Choice, choose, refit
from engine.interest.ranker import Ranker
from engine.interest.start import Start
from engine.interest.threads import set_threads
from engine.interest.training import EncoderSettings, Report
from engine.serving.blend import BlendWeights

ARRIVED = 0.2
"""Share of each user's history that comes after the base was trained."""
HELD_OUT = 0.1
"""Share of each user's positives that is ranked where no test file is."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known when the base is trained, what comes after it, what is ranked."""

    data: InterestData
    """Of now, without the test items."""
    arrived: NDArray[np.bool_]
    """(E,) which positives the base did not see."""
    test: Truth


def evaluate_incremental(
    folder: Path,
    seed: int = 0,
    settings: EncoderSettings | None = None,
    report: Report | None = None,
    *,
    on_cut: bool = False,
) -> dict[str, Any]:
    """Train the base, then both ways, and rank the test items.

    Args:
        folder: a benchmark folder, or a snapshot, of which a tenth of each user's positives is held out.
        seed: of everything random.
        settings: of the encoder; its seed is replaced.
        report: called with progress.
        on_cut: a tenth of a benchmark folder's training file is held out; its test file is not opened.

    Returns:
        `stale`, `incremental`, `full`: Recall@20, NDCG@20 and seconds of training each (`stale` has none: it is the
        base); paired differences of NDCG@20 with their intervals; how much of a full training's time the other takes.

    Raises:
        DataError: a file is missing or malformed.
    """
    began = time.perf_counter()
    set_threads()
    settings = replace(settings or EncoderSettings(), seed=seed)
    arrival = arrive(folder, seed, on_cut=on_cut)
    data = arrival.data
    before = data.without(arrival.arrived)
    base_choice, base, _ = _clocked(lambda: _in_full(before, settings, report))
    choice, full, full_s = _clocked(lambda: _in_full(data, settings, report))
    _, further, further_s = _clocked(lambda: _further(arrival, base_choice, base, settings, report))
    stale = replace(base, data=replace(base.data, masked=data.masked))
    rows = {
        "stale": _measured(stale, base_choice.weights, arrival.test),
        "incremental": _measured(further, base_choice.weights, arrival.test),
        "full": _measured(full, choice.weights, arrival.test),
    }
    result: dict[str, Any] = {
        name: {metric: float(values[metric].mean()) for metric in ("recall@20", "ndcg@20")}
        for name, values in rows.items()
    }
    result["incremental"]["seconds"], result["full"]["seconds"] = round(further_s, 2), round(full_s, 2)
    for other in ("full", "stale"):
        difference = rows["incremental"]["ndcg@20"] - rows[other]["ndcg@20"]
        result[f"incremental_minus_{other}"] = {
            "ndcg@20": float(difference.mean()),
            "interval": bootstrap_interval(difference, seed),
        }
    result["share_of_seconds"] = round(further_s / full_s, 3)
    result["arrived"] = int(arrival.arrived.sum())
    result["steps_on_all_data"] = {"incremental": further.models.encoder.steps, "full": full.models.encoder.steps}
    result["seed"] = seed
    result["seconds"] = round(time.perf_counter() - began, 2)
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    result["n"] = len(arrival.test)
    return result


def arrive(folder: Path, seed: int, *, on_cut: bool = False) -> Arrival:
    """Split a folder's history.

    Raises:
        DataError, ArtifactError: a file is missing, malformed or damaged.
    """
    rng = np.random.default_rng([seed, 13])
    if (folder / SNAPSHOT_MANIFEST).exists() or on_cut:
        is_snapshot = (folder / SNAPSHOT_MANIFEST).exists()
        whole = from_any(folder, seed) if is_snapshot else from_folder(folder, with_test=False).data
        held = holdout_cut(whole.positives.row_of, HELD_OUT, _order(whole, rng))
        test = truth_of(whole.positives.row_of[held], whole.positives.indices[held])
        data = whole.without(held)
    else:
        bench = from_folder(folder)
        data, test = bench.data, bench.test
    return Arrival(data, holdout_cut(data.positives.row_of, ARRIVED, _order(data, rng)), test)


def _order(data: InterestData, rng: np.random.Generator) -> NDArray[np.floating]:
    """Return (E,) the order in which positives are taken away, the newest first."""
    if data.age_days is None:
        return rng.random(len(data.positives))
    return np.nan_to_num(data.age_days, nan=np.inf)


def _in_full(data: InterestData, settings: EncoderSettings, report: Report | None) -> tuple[Choice, Ranker]:
    """Choose on a cut with a part for the report, then fit on everything, as the training job does."""
    choice = choose(make_cut(data, settings.seed, test_share=0.1), settings, report)
    return choice, refit(data, choice, settings, report)


def _further(
    arrival: Arrival, choice: Choice, base: Ranker, settings: EncoderSettings, report: Report | None
) -> tuple[Choice, Ranker]:
    """Train on, first without what is held out of the newer pairs, then on everything, as the training job does."""
    data, start, rows = arrival.data, Start.of(base, choice), same_rows(arrival.data)
    steps = steps_of(settings, int((data.positives.degree > 0).sum()))
    cut = newer_cut(data, arrival.arrived, settings.seed)
    if not len(cut.test):
        return choice, advance(data, start, rows, settings, steps=steps, report=report)
    measured = advance(cut.data, start, rows, settings, steps=steps, report=report)
    last = max(1, round(steps * LAST_SHARE))
    return choice, advance(data, Start.of(measured, choice), rows, settings, steps=last, report=report)


def _clocked(train: Callable[[], tuple[Choice, Ranker]]) -> tuple[Choice, Ranker, float]:
    began = time.perf_counter()
    choice, ranker = train()
    return choice, ranker, time.perf_counter() - began


def _measured(ranker: Ranker, weights: BlendWeights, test: Truth) -> PerUser:
    return measure(ranker, weights, test)[0]
