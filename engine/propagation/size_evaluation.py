"""`kith evaluate cascade-size`: the growth of public cascades after a window, the newest tenth scored once.

Rolling origins lie inside the first nine tenths: at .4, .5, .6, .7 and .8 of the cascades everything (choices and
interval included) is learned from what began before and forecasts the next tenth. All comparing was done on those.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.propagation.cascades import Cascades, from_folder
from engine.propagation.kernelridge import Float
from engine.propagation.record import records_before
from engine.propagation.signals import busy_at, signals
from engine.propagation.window import FEW, MIN_ROWS, Window, covered, learn_few, learn_window

TRAIN, LEARNED = 0.8, 0.9
"""Parts of the cascades, by start: train ends at .8, choose at .9, the rest is the test."""
ORIGINS = (0.4, 0.5, 0.6, 0.7, 0.8)
STEP = 0.1
DRAWS = 1_000


def evaluate_sizes(
    folder: Path, after_s: float, at_s: float, seed: int = 0, report: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Learn from the first nine tenths, score the last one once.

    Args:
        folder: holds `cascades.txt` (contracts.md, "cascades").
        after_s: the window, seconds since a cascade's start.
        at_s: the horizon, seconds since a cascade's start, > after_s.
        seed: of the landmarks and the bootstrap.
        report: called with (origins done, all origins).

    Returns:
        The keys of contracts.md; `coverage90_rolling` holds `pooled` and, oldest first, `origins`.

    Raises:
        DataError: the file is missing or malformed, or too few cascades have a window and a horizon.
    """
    began = time.perf_counter()
    cascades, rows = _load(folder, after_s, at_s)
    count = len(rows)
    x, y = _rows(cascades, rows, after_s), growth(cascades, rows, after_s, at_s)
    learned = int(LEARNED * count)
    few = learn_few(cascades.seen_by(after_s)[rows[:learned]], y[:learned])  # all have FEW: the scores never ask it

    def learn(end: int) -> Window:
        return learn_window(after_s, x[:end], y[:end], few, seed)

    rolling = _rolling_coverage(learn, x, y, report)
    result, interval = _scores(learn(learned), x[learned:], y[learned:], float(y[:learned].mean()), seed)
    result["coverage90_rolling"] = rolling
    result["cascades"] = {"train": int(TRAIN * count), "choose": learned - int(TRAIN * count), "test": count - learned}
    result["interval"] = interval
    result["seed"] = seed
    result["seconds"] = round(time.perf_counter() - began, 2)
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    result["n"] = count - learned
    return result


def usable(cascades: Cascades, after_s: float, at_s: float) -> NDArray[np.int64]:
    """Return the cascades with FEW events in the window whose horizon ends before the data does, by start."""
    kept = (cascades.seen_by(after_s) >= FEW) & (cascades.start_s + at_s < cascades.end_s)
    rows = np.flatnonzero(kept)
    return rows[np.argsort(cascades.start_s[rows], kind="stable")]


def growth(cascades: Cascades, rows: NDArray[np.int64], after_s: float, at_s: float) -> Float:
    """Return y = log2(1 + events after the window until the horizon), (len(rows),)."""
    return np.log2(1.0 + cascades.seen_by(at_s) - cascades.seen_by(after_s))[rows]


def origins(count: int) -> list[tuple[int, int]]:
    """Return (first row forecast, row after the last) of each rolling origin."""
    return [(int(share * count + 1e-9), int((share + STEP) * count + 1e-9)) for share in ORIGINS]


def _load(folder: Path, after_s: float, at_s: float) -> tuple[Cascades, NDArray[np.int64]]:
    """Return all cascades of the folder and those that are measured."""
    if not 0 < after_s < at_s:
        raise DataError("the window ends after the start and before the horizon")
    cascades = from_folder(folder)
    rows = usable(cascades, after_s, at_s)
    if len(rows) * ORIGINS[0] < MIN_ROWS:
        raise DataError(
            f"{Path(folder) / 'cascades.txt'}: line 1: {len(rows)} cascades with {FEW} events in the window and a "
            f"whole horizon; at least {round(MIN_ROWS / ORIGINS[0])} are needed"
        )
    return cascades, rows


def _rolling_coverage(
    learn: Callable[[int], Window], x: Float, y: Float, report: Callable[[int, int], None] | None
) -> dict[str, Any]:
    inside: list[NDArray[np.bool_]] = []
    for start, end in origins(len(y)):
        inside.append(covered(learn(start).expected(x[start:end]), y[start:end]))
        if report:
            report(len(inside), len(ORIGINS))
    return {"pooled": float(np.concatenate(inside).mean()), "origins": [float(part.mean()) for part in inside]}


def _rows(cascades: Cascades, rows: NDArray[np.int64], after_s: float) -> Float:
    """Return the signals of the chosen cascades, (len(rows), F), with what was known around them at that time."""
    record = None if cascades.user is None else records_before(cascades)
    stream_s = np.sort(cascades.start_s[cascades.cascade_of] + cascades.seconds)
    return signals(cascades, after_s, record, busy_at(stream_s, cascades.start_s + after_s))[rows]


def _scores(
    window: Window, x: Float, y: Float, constant: float, seed: int
) -> tuple[dict[str, Any], dict[str, tuple[float, float]]]:
    """Return the scores and their 95 % intervals, cascades drawn anew in pairs: `ratio` is msle / msle_constant."""
    expected = window.expected(x)
    inside = covered(expected, y)

    def score(chosen: NDArray[np.integer]) -> dict[str, float]:
        true, said = y[chosen], expected.y[chosen]
        msle, plain = float(np.mean((said - true) ** 2)), float(np.mean((constant - true) ** 2))
        return {
            "msle": msle,
            "msle_constant": plain,
            "ratio": msle / plain if plain else float("nan"),
            "pcc": _correlation(said, true),
            "coverage90": float(inside[chosen].mean()),
        }

    rng = np.random.default_rng(seed)
    drawn = [score(rng.integers(0, len(y), len(y))) for _ in range(DRAWS)]
    found = score(np.arange(len(y)))
    interval: dict[str, tuple[float, float]] = {}
    for name in found:
        values = np.array([draw[name] for draw in drawn])
        values = values[np.isfinite(values)]  # a draw of equal outcomes has no correlation
        interval[name] = (float("nan"),) * 2 if not len(values) else tuple(np.quantile(values, [0.025, 0.975]).tolist())
    return found, interval


def _correlation(a: Float, b: Float) -> float:
    """Pearson's correlation; nan where one side does not vary."""
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")
