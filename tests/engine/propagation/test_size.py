from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from engine.errors import ArtifactError, DataError
from engine.propagation.cascades import cascades_of
from engine.propagation.size import fit_sizes, forecast, unusual
from engine.propagation.sizejson import from_json, to_json
from engine.propagation.usual import Usual, learn_usual
from tests.engine.propagation.selfexciting import DELAY_S, expected_to_come, simulate

HOUR_S = 3_600.0
WINDOWS_S = (900.0, HOUR_S, 4 * HOUR_S)


@pytest.fixture(scope="module")
def past():
    return simulate(900, seed=0)[0]


@pytest.fixture(scope="module")
def model(past):
    return fit_sizes(past, past.end_s, windows_s=WINDOWS_S)


def own_times(cascades, row):
    return cascades.seconds[cascades.indptr[row] : cascades.indptr[row + 1]]


def test_forecasts_are_nearly_as_good_as_the_law_itself(model):
    fresh, branching = simulate(500, seed=1)
    age_s = DELAY_S  # between two windows
    seen = fresh.seen_by(age_s)
    rows = np.flatnonzero(seen >= 5)
    came = np.diff(fresh.indptr) - seen
    said = np.array([forecast(model, own_times(fresh, row), age_s).size for row in rows]) - seen[rows]
    known = expected_to_come(fresh, branching, age_s)[rows]  # the law, and each cascade's true branching number
    true = np.log2(1 + came[rows])
    errors = [
        np.mean((np.log2(1 + of) - true) ** 2) for of in (said, known, np.full(len(rows), np.exp2(true.mean()) - 1))
    ]
    assert errors[0] < 1.25 * errors[1]
    assert errors[0] < 0.8 * errors[2]


def test_nine_of_ten_totals_are_inside(model):
    fresh, _ = simulate(500, seed=2)
    for age_s in (HOUR_S, 2 * HOUR_S):
        rows = np.flatnonzero(fresh.seen_by(age_s) >= 5)
        total = fresh.seen_by(age_s + model.span_s)
        found = [forecast(model, own_times(fresh, row), age_s) for row in rows]
        inside = [f.low <= total[row] <= f.high for f, row in zip(found, rows, strict=True)]
        assert 0.84 < np.mean(inside) < 0.96


@pytest.mark.parametrize("age_s", [1.0, 60.0, 900.0, 2_000.0, HOUR_S, 3 * HOUR_S, 5 * HOUR_S, 30 * 24 * HOUR_S])
@pytest.mark.parametrize("events", [1, 2, 4, 5, 40, 4_000])
def test_a_forecast_is_sane_at_any_age_and_size(model, age_s, events):
    seconds = np.linspace(0, age_s, events)
    found = forecast(model, seconds, age_s, record=np.full(events, 50.0), busy=10**6)
    assert events <= found.low <= found.size <= found.high
    assert forecast(model, np.append(seconds, age_s + 1), age_s).low >= events  # an event after the age is not seen


def test_more_events_of_late_mean_a_larger_forecast(model):
    slow, fast = (np.concatenate([np.linspace(0, 60, 6), np.linspace(3_000, 3_590, n)]) for n in (2, 20))
    assert forecast(model, fast, HOUR_S).size - len(fast) > forecast(model, slow, HOUR_S).size - len(slow)


def test_a_small_cascade_gets_the_forecast_of_past_small_ones():
    # Past cascades: half stay alone, half bring on three more after two hours; some large ones make the window known.
    alone, four = [np.array([0.0])] * 60, [np.array([0.0, 7_200, 7_201, 7_202])] * 60
    large, _ = simulate(100, seed=5)
    times = [*alone, *four, *(own_times(large, row) for row in range(100))]
    model = fit_sizes(cascades_of([10 * place + time for place, time in enumerate(times)]), 1e7, windows_s=(HOUR_S,))
    found = forecast(model, np.zeros(1), HOUR_S)
    assert (found.size, found.low, found.high) == (2, 1, 4)  # 2^1 - 1 = 1 more, between none and three


def test_too_few_cascades_make_no_model(past):
    assert fit_sizes(past.take(np.arange(59)), 1e9, windows_s=(HOUR_S,)) is None
    assert fit_sizes(past.take(np.arange(70)), 1e9, windows_s=(HOUR_S,)) is not None
    assert fit_sizes(cascades_of([]), 0.0) is None


def test_only_complete_horizons_are_learned_from(past):
    end_s = past.start_s[300] + HOUR_S + 86_400.0
    known = fit_sizes(past, end_s, windows_s=(HOUR_S,))
    complete = past.take(np.arange(301)).seen_by(HOUR_S) >= 5
    assert known.windows[0].rows == complete.sum()
    first = past.take(np.arange(301))
    stream = fit_sizes(first, end_s, windows_s=(HOUR_S,)).windows[0].regression
    # But for the busy stream, which counts running cascades too, the later ones change nothing.
    assert known.windows[0].regression.low[:-3].tolist() == stream.low[:-3].tolist()


def test_a_span_from_the_start_ends_with_the_truth(past):
    model = fit_sizes(past, past.end_s, since="start", windows_s=(HOUR_S, 4 * HOUR_S, 30 * HOUR_S))
    assert [window.age_s for window in model.windows] == [HOUR_S, 4 * HOUR_S]
    seconds = np.append(np.arange(0, 3_000.0, 100), 90_000.0)
    ended = forecast(model, seconds, 100_000.0)
    assert (ended.size, ended.low, ended.high) == (30, 30, 30)
    nearly = forecast(model, seconds, 86_399.0)
    assert (nearly.low, nearly.high) == (30, 30)
    assert forecast(model, seconds, 5 * HOUR_S).high >= 30


def test_windows_and_times_that_are_none_are_refused(model, past):
    for wrong in ({"windows_s": (2.0, 1.0)}, {"windows_s": ()}, {"windows_s": (0.0,)}, {"span_s": 0.0}):
        with pytest.raises(DataError):
            fit_sizes(past, 1e9, **wrong)
    for seconds, age_s in (
        ([], 5.0),
        ([9.0], 5.0),
        ([0.0, np.nan], 5.0),
        ([2.0, 1.0], 5.0),
        ([-1.0], 5.0),
        ([0.0], 0.0),
    ):
        with pytest.raises(DataError):
            forecast(model, np.array(seconds), age_s)
    with pytest.raises(DataError):
        forecast(model, np.array([0.0, 1.0]), 5.0, record=np.zeros(3))


def test_an_explosion_is_told_from_a_usual_course(model):
    calm = np.concatenate([[0.0, 20, 50, 90], np.geomspace(120, HOUR_S, 8)])
    assert unusual(model, calm, 1.01 * HOUR_S) == ()
    burst = np.sort(np.concatenate([calm, HOUR_S + np.random.default_rng(0).exponential(900.0, 3_000)]))
    assert "exploding" in unusual(model, burst, 3 * HOUR_S)
    fresh, _ = simulate(300, seed=6)
    flagged = [unusual(model, own_times(fresh, row), 6 * HOUR_S) for row in range(300)]
    assert sum("exploding" in codes for codes in flagged) < 12  # three windows, one in 200 each: 4.5 expected


def test_machines_are_told_by_bursts_clocks_and_few_users():
    rng = np.random.default_rng(0)
    human = [1_000.0 * place + np.cumsum(rng.exponential(300.0, 30)) for place in range(200)]
    usual = learn_usual(cascades_of(human, [rng.permutation(30) for _ in human]), 1e9)
    assert usual.burst < 0.15
    assert usual.users == 0.5
    assert usual.breaks(np.cumsum(rng.exponential(300.0, 30)), 30) == ()
    assert usual.breaks(np.repeat(np.cumsum(rng.exponential(300.0, 12)), 4), 30) == ("burst",)
    assert usual.breaks(np.arange(0.0, 9_000, 300), 30) == ("clockwork",)
    assert usual.breaks(np.arange(0.0, 9_000, 300), 3) == ("clockwork", "fewUsers")
    assert usual.breaks(np.arange(0.0, 9.0), 1) == ()  # too small to judge


def test_json_gives_the_same_model(model):
    text = to_json(model)
    again = from_json(text)
    assert to_json(again) == text
    fresh, _ = simulate(20, seed=7)
    for row in range(20):
        for age_s in (700.0, 2 * HOUR_S):
            assert forecast(again, own_times(fresh, row), age_s) == forecast(model, own_times(fresh, row), age_s)
    unknown = replace(model, usual=Usual(np.inf, -np.inf, 0.5))
    assert from_json(to_json(unknown)).usual == unknown.usual


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: entry.pop("spanS"),
        lambda entry: entry.update(spanS=-1.0),
        lambda entry: entry.update(since="never"),
        lambda entry: entry.update(format=2),
        lambda entry: entry.update(signals=["x"]),
        lambda entry: entry.update(windows=[]),
        lambda entry: entry.update(windows=entry["windows"] * 9),
        lambda entry: entry["windows"].reverse(),
        lambda entry: entry["windows"][0].update(ageS="900"),
        lambda entry: entry["windows"][0]["few"].pop(),
        lambda entry: entry["windows"][0]["regression"].update(mean=float("nan")),
        lambda entry: entry["windows"][0]["regression"]["scale"].__setitem__(0, 0.0),
        lambda entry: entry["windows"][0]["regression"]["landmark"].pop(),
        lambda entry: entry["windows"][0]["errors"]["high"].__setitem__(3, float("inf")),
        lambda entry: entry["windows"][0].update(regression=None),
        lambda entry: entry["usual"].update(burst=True),
        lambda entry: entry["windows"][0].update(rows=float("inf")),
        lambda entry: entry["windows"][0]["errors"]["low"].__setitem__(0, 10**400),
    ],
)
def test_damaged_json_is_refused(model, damage):
    entry = json.loads(to_json(model))
    damage(entry)
    with pytest.raises(ArtifactError):
        from_json(json.dumps(entry))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, " " * 4_000_001])
def test_what_is_no_model_is_refused(text):
    with pytest.raises(ArtifactError):
        from_json(text)
