"""`kith evaluate share-target`: fitted and chosen on the training file, the test file scored once.

The last CUT_S of the training file are the cut on which settings are chosen and everything is compared.
Training questions are asked in the order of time and see what lay before them. With frozen history that ends up to
`gap` before the question, where `gap` is how long the test file goes on after its history, drawn by walking a border
through the training file in steps of STEP_S; with live history it ends at the question.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.errors import DataError
from engine.propagation.sharetarget.ablation import ablation
from engine.propagation.sharetarget.boosting import TreeSettings
from engine.propagation.sharetarget.examples import Examples, joined, make_examples
from engine.propagation.sharetarget.population import count_population
from engine.propagation.sharetarget.ranks import ranks, told
from engine.propagation.sharetarget.rows import Folder, read_folder
from engine.propagation.sharetarget.training import RankSettings, choose, fit
from engine.serving.sharetarget.candidates import Known
from engine.serving.sharetarget.history import History, Questions, ask
from engine.serving.sharetarget.model import RankModel
from engine.serving.sharetarget.ties import no_ties

CUT_S = 2 * 86_400
FIRST_S = 86_400
"""What the first questions have as history, at least."""
STEP_S = 43_200
"""Between borders, in seconds: half a day, so that every hour of the day lies at every distance."""
STALE_S = CUT_S
"""With live history only the population is old: up to so much, as it will be when the cut and the test are asked."""
GAP_S = (43_200, 4 * 86_400)
"""Bounds of the gap of frozen questions."""
MAX_QUESTIONS = 40_000
"""Training questions at most, drawn from all; with frozen history each event is asked at several distances."""
MAX_HELD = 20_000
"""Questions of the cut at most, drawn from all."""
AT_A_TIME = 10_000
"""Test questions whose signals are held at a time."""
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Mode:
    """How history reaches a question."""

    live: bool
    gap_s: int


def evaluate_share_targets(
    folder: Path,
    test: Path,
    further: Sequence[Path] = (),
    *,
    online: bool = False,
    seed: int = 0,
    settings: RankSettings | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Fit and choose on `folder/train.csv`, score the test file once.

    Args:
        folder: holds `train.csv` (contracts.md, "share events").
        test: the file that is scored.
        further: files whose events are history beside train.
        online: whether events of the test file become history once their time is strictly before the question's.
        seed: of everything random.
        settings: of the ranker, where they are not chosen.
        report: called with (stage, done, total).

    Returns:
        The keys of contracts.md; a slice that does not exist is None.

    Raises:
        DataError: a file is missing or malformed, or train is too short to learn from.
    """
    began = time.perf_counter()
    torch.set_num_threads(1)  # batches are small: threads would wait for each other
    data = read_folder(folder, test, further)
    settings = settings or RankSettings(trees=TreeSettings())
    mode = _mode(data, online)
    border = int(data.train.time_s[-1]) + 1 - CUT_S
    if border <= int(data.train.time_s[0]):
        raise DataError(f"{Path(folder) / 'train.csv'}: line {len(data.train) + 1}: less than two days of events")
    early = training_examples(data.train, mode, int(data.train.time_s[0]), border, seed=seed, report=report)
    held = held_examples(data.train, mode, border, seed)
    chosen, model, tried = choose(early, held, settings, seed)
    compared = ablation(early, held, model, settings, seed=seed, report=report)
    late = training_examples(data.train, mode, border, border + CUT_S, seed=seed, report=report, first=False)
    final = fit(joined([early, late]), chosen, seed)
    del early, late
    rank = _test_ranks(data, mode, final, seed, report)
    result = _results(data, rank, seed)
    trees = chosen.trees.trees if chosen.trees else 0
    result["chosen"] = {"epochs": chosen.epochs, "dropout": chosen.dropout, "trees": trees, "blend": chosen.blend}
    result["chosen"] |= {"tried": tried, "gap_s": mode.gap_s}
    result["ablation"] = compared
    overall = result.pop("interval")
    result |= {"interval": overall, "seed": seed, "seconds": round(time.perf_counter() - began, 2)}
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    result["n"] = len(data.test)
    return result


def training_examples(
    history: History,
    mode: Mode,
    start_s: int,
    end_s: int,
    *,
    seed: int,
    report: Report | None = None,
    first: bool = True,
) -> Examples:
    """Return the questions of [start_s, end_s) whose answer is a candidate, each with what lay before it.

    Args:
        history: all training events.
        mode: how history reaches a question.
        start_s: where the first border stands.
        end_s: no question is asked from then on.
        seed: of the draw and of the population's factors.
        report: called with progress.
        first: whether history begins here, so that the first day only serves as history.
    """
    rng = np.random.default_rng([seed, 3])
    begin = start_s + FIRST_S if first else start_s - (0 if mode.live else mode.gap_s - STEP_S)
    span = STALE_S if mode.live else mode.gap_s
    borders = range(begin, end_s, span if mode.live else STEP_S)
    inside = (history.time_s >= begin) & (history.time_s < end_s)
    times = 1.0 if mode.live else span / STEP_S
    share = min(1.0, MAX_QUESTIONS / (max(int(inside.sum()), 1) * times))
    parts: list[Examples] = []
    for place, border in enumerate(borders):
        lowest = border if first else max(border, start_s)
        asked = (history.time_s >= lowest) & (history.time_s < min(border + span, end_s))
        asked &= rng.random(len(history)) < share
        if asked.any():
            parts.append(_ask(history, asked, mode, border, seed).answerable())
        if report:
            report("questions", place + 1, len(borders))
    if not parts:
        raise DataError("there is no day of history before the events to learn from")
    return joined(parts)


def held_examples(history: History, mode: Mode, border_s: int, seed: int) -> Examples:
    """Return the questions from the border on, as a test file would ask them."""
    rows = np.flatnonzero(history.time_s >= border_s)
    asked = np.zeros(len(history), dtype=bool)
    asked[np.random.default_rng([seed, 6]).permutation(rows)[:MAX_HELD]] = True
    return _ask(history, asked, mode, border_s, seed)


def _ask(history: History, asked: np.ndarray, mode: Mode, border_s: int, seed: int) -> Examples:
    population = count_population(history, border_s, seed)
    questions = _questions(history, asked, mode, border_s)
    return make_examples(Known(history, population, no_ties(history.users)), questions, history.recipient[asked])


def _questions(history: History, asked: np.ndarray, mode: Mode, border_s: int) -> Questions:
    seen_s = None if mode.live else np.full(int(asked.sum()), border_s, dtype=np.int64)
    return ask(history.sender[asked], history.item[asked], history.time_s[asked], seen_s)


def _mode(data: Folder, online: bool) -> Mode:
    after = int(data.test.time_s[-1]) - int(data.history.time_s[-1])
    return Mode(online, int(np.clip(-(-after // STEP_S) * STEP_S, *GAP_S)))


def _test_ranks(data: Folder, mode: Mode, model: RankModel, seed: int, report: Report | None) -> np.ndarray:
    """Return the rank of each test row's voter."""
    known = data.history
    border = int(known.time_s[-1]) + 1
    population = count_population(known, border, seed)
    asked = np.ones(len(data.test), dtype=bool)
    questions = _questions(data.test, asked, mode, border)
    if mode.live:
        known = _together(known, data.test)

    found: list[np.ndarray] = []
    for start in range(0, len(questions), AT_A_TIME):
        part = slice(start, start + AT_A_TIME)
        examples = make_examples(
            Known(known, population, no_ties(known.users)), questions.part(part), data.test.recipient[part]
        )
        found.append(ranks(examples, model.score(examples.signals, examples.row)))
        if report:
            report("test", min(start + AT_A_TIME, len(questions)), len(questions))
    return np.concatenate(found)


def _together(one: History, other: History) -> History:
    columns = [
        np.concatenate([getattr(one, name), getattr(other, name)])
        for name in ("sender", "item", "recipient", "time_s", "opened_s")
    ]
    return History.of(*columns, users=one.users, items=one.items)


def _results(data: Folder, rank: np.ndarray, seed: int) -> dict[str, Any]:
    """Return the scores of all questions, of new pairs, and of inviters without history."""
    test, known = data.test, data.history
    pairs = known.sender * data.users + known.recipient
    new = ~np.isin(test.sender * data.users + test.recipient, pairs)
    cold = ~np.isin(test.sender, known.sender)
    result = told(rank, test.sender, seed)
    result.pop("n")
    for name, rows in (("new_pairs", new), ("cold_inviters", cold)):
        result[name] = told(rank[rows], test.sender[rows], seed) if rows.any() else None
    return result


__all__ = ["Mode", "evaluate_share_targets", "held_examples", "training_examples"]
