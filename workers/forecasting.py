"""Learning how cascades grow, and forecasting those that run: moves arrays between the graph and the engine."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from engine.errors import ArtifactError
from engine.propagation.record import Records, records_at
from engine.propagation.signals import BUSY_S
from engine.propagation.size import SizeModel, fit_sizes, forecast, unusual
from engine.propagation.window import FEW, MIN_ROWS
from graph import cascade_history, forecasts, size_model
from graph.cascade_history import MOST_OF_ONE, Shares
from graph.connection import Graph
from graph.forecasts import Forecasted

log = logging.getLogger("kith.workers")

LEARN_EVERY_S = 86_400.0
TRY_EVERY_S = 3_600.0
"""Where there was too little to learn from, it is tried again sooner."""
ROUND_S = 6.0
"""A round of forecasts begins no further read after so long; what is left is due in the next one."""
LEAST_AGE_S = 1.0

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of learning."""

    cascades: int
    shares: int
    windows_s: tuple[float, ...]
    """Ages that were learned; empty: there was too little, and there is no model."""

    def __str__(self) -> str:
        found = f"{self.cascades:,} cascades of {self.shares:,} shares"
        if self.windows_s:
            ages = ", ".join(_age(age_s) for age_s in self.windows_s)
            return f"learned how cascades grow from {found}; ages: {ages}"
        return (
            f"too little to learn how cascades grow: {found} are there; {MIN_ROWS} are needed that had {FEW} shares "
            "within 3 days of their start, and a day more since"
        )


@dataclass(frozen=True, slots=True)
class Round:
    """What a round of forecasts did."""

    due: int
    forecast: int


def learn(graph: Graph) -> Learned:
    """Learn from the newest cascades and put the model in the place of the one before.

    Raises:
        UnavailableError: Neo4j does not answer; the model stays as it was.
    """
    graph.auto("snapshot.number_users", timeout_s=cascade_history.TIMEOUT_S)
    now_ms = graph.now_ms()
    past = cascade_history.history(graph, now_ms)
    model = fit_sizes(past, now_ms / 1000)
    records = records_at(past, now_ms / 1000)
    size_model.keep(graph, model, records, cascades=len(past), shares=len(past.seconds), tried_ms=now_ms)
    ages = () if model is None else tuple(window.age_s for window in model.windows)
    return Learned(len(past), len(past.seconds), ages)


def learn_if_due(graph: Graph) -> Learned | None:
    """Learn where it was not tried for a day, or for an hour and there is no model; None where it is not due.

    Raises:
        UnavailableError: as for `learn`.
    """
    last = size_model.tried(graph)
    every_s = TRY_EVERY_S if last.learned_ms is None else LEARN_EVERY_S
    if last.tried_ms is not None and graph.now_ms() - last.tried_ms < 1000 * every_s:
        return None
    return learn(graph)


def forecast_due(graph: Graph, now_ms: int | None = None) -> Round:
    """Forecast the running cascades that are due, for about `ROUND_S` seconds; without a model, none.

    Args:
        graph: where.
        now_ms: the present; None: by the server's clock.

    Raises:
        UnavailableError: Neo4j does not answer; what was written stays.
    """
    began = time.monotonic()
    learned_ms = size_model.tried(graph).learned_ms
    held = None if learned_ms is None else _model(graph, learned_ms)
    if held is None:
        return Round(0, 0)
    now_ms = graph.now_ms() if now_ms is None else now_ms
    rows = forecasts.due(graph, now_ms)
    busy = forecasts.busy(graph, now_ms, BUSY_S) if rows else 0
    done = 0
    for page in cascade_history.pages(rows):
        if time.monotonic() - began > ROUND_S:
            break
        read = cascade_history.read_shares(graph, [row["shareId"] for row in page])
        made = _forecasts(held, page, read, now_ms, busy)
        for code, number in forecasts.write(graph, made, now_ms).items():
            log.warning("unusual cascades: %d %s", number, code)
        done += len(made)
    return Round(len(rows), done)


def _forecasts(
    held: tuple[SizeModel, Records], page: list[Row], read: Shares, now_ms: int, busy: int
) -> list[Forecasted]:
    model, records = held
    bounds = np.searchsorted(read.place, np.arange(len(page) + 1))
    record = records.of(read.user)
    found: list[Forecasted] = []
    for row, start, end in zip(page, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        timed = slice(start + int(np.searchsorted(read.at_ms[start:end], 0)), end)  # those without a time come first
        untimed, whole = timed.start - start, end - start
        if untimed == whole or whole > MOST_OF_ONE:
            continue
        age_s = max((now_ms - row["startMs"]) / 1000, LEAST_AGE_S)
        # A share may claim to be earlier than its root, or a little later than now.
        seconds = np.clip((read.at_ms[timed] - row["startMs"]) / 1000, 0.0, age_s)
        users = len(np.unique(read.user[timed]))
        said = forecast(model, seconds, age_s, record[timed], busy)
        codes = unusual(model, seconds, age_s, users, record[timed])
        sizes = (said.size + untimed, said.low + untimed, said.high + untimed)
        found.append(Forecasted(row["shareId"], row["beforeMs"], whole, *sizes, codes))
    return found


@lru_cache(maxsize=1)
def _model(graph: Graph, learned_ms: int) -> tuple[SizeModel, Records] | None:
    """Return the model, read once for each time that one was learned."""
    try:
        found = size_model.load(graph)
    except ArtifactError as error:
        log.error("no forecasts: %s", error)
        return None
    return None if found is None else found[1:]


def _age(age_s: float) -> str:
    return f"{age_s / 3600:g} h" if age_s >= 3600 else f"{age_s / 60:g} min"
