"""How large a running cascade becomes: learned from past ones for a few ages, forecast at any age.

Between two ages that were learned, forecast and bounds are blended in the logarithm of the age; the signals are always
those of the cascade's true age, so no event waits for the next window to count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.propagation.cascades import Cascades
from engine.propagation.record import records_before
from engine.propagation.signals import busy_at, signals
from engine.propagation.usual import BURST, CLOCKWORK, FEW_USERS, Usual, learn_usual
from engine.propagation.window import FEW, MIN_ROWS, Expected, Window, between, counted, learn_few, learn_window

Since = Literal["forecast", "start"]

DAY_S = 86_400.0
WINDOWS_S = (300.0, 900.0, 3_600.0, 10_800.0, 28_800.0, 86_400.0, 259_200.0)
MAX_CASCADES = 20_000
"""The newest so many are learned from."""
EXPLODING = "exploding"
UNUSUAL = (EXPLODING, BURST, CLOCKWORK, FEW_USERS)
"""Codes of what is unusual about a cascade."""


@dataclass(frozen=True, slots=True)
class SizeModel:
    """What past cascades say about running ones."""

    span_s: float
    """Length of the forecast."""
    since: Since
    """Whether the span begins with the forecast, so that a cascade of any age gets one, or with the cascade."""
    windows: tuple[Window, ...]
    """By age, ascending, at least one."""
    usual: Usual
    """What past cascades look like, to tell unusual ones."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Events of a cascade at the horizon, those seen included; seen <= low <= size <= high."""

    size: int
    """The forecast of least squared error in log2(1 + further events): nearer to the median than to the mean."""
    low: int
    """The truth is inside [low, high] for nine of ten cascades."""
    high: int


def fit_sizes(
    cascades: Cascades,
    end_s: float,
    *,
    span_s: float = DAY_S,
    since: Since = "forecast",
    windows_s: tuple[float, ...] = WINDOWS_S,
    seed: int = 0,
) -> SizeModel | None:
    """Learn from the cascades whose horizon is complete at `end_s`; None where there are too few.

    A window is learned from at least MIN_ROWS (60) cascades with FEW (5) events at its end; windows with fewer are left
    out, and without any there is no model.

    Args:
        cascades: past and running ones; users, where known, give their records.
        end_s: until when everything was seen, on the cascades' clock.
        span_s: length of the forecast.
        since: where the span begins.
        windows_s: ages to learn, ascending; with `since="start"` those below the span.
        seed: of the regressions' landmarks.

    Raises:
        DataError: a span or window that is not positive, or windows that do not ascend.
    """
    if not (span_s > 0 and windows_s and min(windows_s) > 0 and (np.diff(windows_s) > 0).all()):
        raise DataError("the span and the windows of a forecast are positive, and windows ascend")
    newest = np.argsort(cascades.start_s, kind="stable")[-MAX_CASCADES:]
    record = None if cascades.user is None else records_before(cascades)
    known = None if record is None else record[cascades.events_of(newest)]
    stream_s = np.sort(cascades.start_s[cascades.cascade_of] + cascades.seconds)
    past = cascades.take(newest)
    learned: list[Window] = []
    for age_s in windows_s:
        horizon_s = span_s + (age_s if since == "forecast" else 0.0)
        if age_s < horizon_s and (
            window := _learn(past, age_s, horizon_s, end_s, record=known, stream_s=stream_s, seed=seed)
        ):
            learned.append(window)
    return SizeModel(span_s, since, tuple(learned), learn_usual(past, end_s)) if learned else None


def forecast(
    model: SizeModel,
    seconds: NDArray[np.float64],
    age_s: float,
    record: NDArray[np.float64] | None = None,
    busy: int | None = None,
) -> Forecast:
    """Forecast one cascade.

    With fewer than FEW (5) events the forecast is that of past cascades of the same age with as many events.

    Args:
        model: what was learned.
        seconds: (k,) event times since the cascade's start, ascending, k >= 1; those after `age_s` are not looked at.
        age_s: seconds since the start, > 0.
        record: (k,) of each event's user (`Records.of`); None: not known, taken as average.
        busy: events of all cascades within the last hour (`signals.BUSY_S`); None: not known, taken as average.

    Raises:
        DataError: no event up to the age; times that are not finite, are negative or go back; records of other length.
    """
    own = one_cascade(seconds, age_s, record)
    seen = int(own.seen_by(age_s)[0])
    if model.since == "start" and age_s >= model.span_s:
        final = int(own.seen_by(model.span_s)[0])
        return Forecast(final, final, final)
    expected = _blend(model, age_s, lambda window: expected_at(window, own, age_s, record, busy))
    size, low, high = (seen + int(counted(of)[0]) for of in (expected.y, expected.low, expected.high))
    return Forecast(size, low, high)


def unusual(
    model: SizeModel,
    seconds: NDArray[np.float64],
    age_s: float,
    users: int | None = None,
    record: NDArray[np.float64] | None = None,
) -> tuple[str, ...]:
    """Return the codes (UNUSUAL) of what sets a running cascade apart from past ones.

    `exploding`: more events came than the 99.5 % bound (ALARM_LEVEL) of the forecast that was due at one of the learned
    ages before; the forecasts are made again, none has to be kept. The others: see `usual.Usual`.

    Args:
        model: what was learned.
        seconds: (k,) event times since the start, ascending; those after `age_s` are not looked at.
        age_s: seconds since the start, > 0.
        users: distinct users among the events up to the age; None: not known.
        record: (k,) as in `forecast`.

    Raises:
        DataError: as `forecast`.
    """
    own = one_cascade(seconds, age_s, record)
    is_exploding = False
    for window in model.windows:
        horizon_s = model.span_s + (window.age_s if model.since == "forecast" else 0.0)
        then = int(own.seen_by(window.age_s)[0])
        if window.age_s < age_s and then:
            since = int(own.seen_by(min(age_s, horizon_s))[0]) - then
            is_exploding |= since > counted(expected_at(window, own, window.age_s, record, None).alarm)[0]
    strange = model.usual.breaks(own.before(age_s).seconds, users)
    return (EXPLODING, *strange) if is_exploding else strange


def expected_at(
    window: Window, own: Cascades, age_s: float, record: NDArray[np.float64] | None, busy: int | None
) -> Expected:
    """Return what one window expects of a single cascade seen until `age_s`, as arrays of length 1."""
    seen = int(own.seen_by(age_s)[0])
    if seen < FEW:
        return window.expected_of_few(seen)
    return window.expected(signals(own, age_s, record, None if busy is None else np.array([busy])))


def one_cascade(seconds: NDArray[np.float64], age_s: float, record: NDArray[np.float64] | None = None) -> Cascades:
    """Return a single cascade.

    Raises:
        DataError: no event up to the age; times that are not finite, are negative or go back; records of other length.
    """
    times = np.asarray(seconds, np.float64)
    if not (np.isfinite(age_s) and age_s > 0):
        raise DataError("a cascade's age is a positive number of seconds")
    if not np.isfinite(times).all() or (times < 0).any() or (np.diff(times) < 0).any():
        raise DataError("event times are finite, not negative and ascend")
    if not len(times) or times[0] > age_s:
        raise DataError("a forecast needs at least one event")
    if record is not None and len(record) != len(times):
        raise DataError("every event of a cascade needs a record (nan where there is none), or none does")
    return Cascades(np.zeros(1), np.array([0, len(times)]), times)


def _learn(
    past: Cascades,
    age_s: float,
    horizon_s: float,
    end_s: float,
    *,
    record: NDArray[np.float64] | None,
    stream_s: NDArray[np.float64],
    seed: int,
) -> Window | None:
    events = past.seen_by(age_s)
    y = np.log2(1.0 + past.seen_by(horizon_s) - events)
    complete = past.start_s + horizon_s <= end_s
    rows = np.flatnonzero(complete & (events >= FEW))
    if len(rows) < MIN_ROWS:
        return None
    x = signals(past, age_s, record, busy_at(stream_s, past.start_s + age_s))
    return learn_window(age_s, x[rows], y[rows], learn_few(events[complete], y[complete]), seed)


def _blend(model: SizeModel, age_s: float, ask: Callable[[Window], Expected]) -> Expected:
    """Return the forecast between the learned ages; one that ends with the cascade's own span goes to nothing there."""
    ages = [window.age_s for window in model.windows]
    after = int(np.searchsorted(ages, age_s))
    is_last = after == len(ages)
    if after == 0 or (is_last and model.since == "forecast"):
        return ask(model.windows[min(after, len(ages) - 1)])
    end_s = model.span_s if is_last else ages[after]
    share = np.log(age_s / ages[after - 1]) / np.log(end_s / ages[after - 1])
    nothing = Expected(*(np.zeros(1) for _ in range(4)))
    return between(ask(model.windows[after - 1]), nothing if is_last else ask(model.windows[after]), float(share))
