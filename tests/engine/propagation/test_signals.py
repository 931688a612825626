from __future__ import annotations

import numpy as np
import pytest

from engine.propagation.cascades import cascades_of
from engine.propagation.signals import NAMES, busy_at, signals


def row_of(times, age_s, **context) -> dict[str, float]:
    cascades = cascades_of([np.array(times, float)])
    return dict(zip(NAMES, signals(cascades, age_s, **context)[0].tolist(), strict=True))


def test_a_row_by_hand():
    row = row_of([0, 1, 4, 64, 400, 960], 960.0)
    whole = {name: 2**value - 1 for name, value in row.items()}
    assert whole["events"] == pytest.approx(6)
    assert [whole[f"in_last_{part}"] for part in ("2_thirds", "half", "quarter", "8th", "16th")] == pytest.approx(
        [2, 1, 1, 1, 1]
    )
    assert [whole[f"in_first_{part}"] for part in ("60th", "12th", "quarter")] == pytest.approx([3, 4, 4])
    since = [2 ** row[f"since_{last}"] - 30 for last in ("last", "2nd_last", "3rd_last", "5th_last")]
    assert since == pytest.approx([0, 560, 896, 959])
    gaps = np.log2(1 + np.array([1, 3, 60, 336, 560]))
    assert (row["gap_mean"], row["gap_deviation"]) == pytest.approx((gaps.mean(), gaps.std()))
    assert (whole["gap_median"], whole["gap_longest"], whole["gap_shortest"]) == pytest.approx((60, 560, 1))
    assert row["gaps_of_machines"] == pytest.approx(1 / 5)
    assert (whole["time_of_half"], whole["time_of_5th"], whole["time_of_9_tenths"]) == pytest.approx((64, 400, 400))
    assert whole["mean_time"] == pytest.approx(1429 / 6)
    assert (whole["pauses_minute"], whole["pauses_5_minutes"]) == pytest.approx((2, 2))
    assert np.isnan([row["record_mean"], row["record_known"], row["busy"]]).all()


def test_what_is_known_around_a_cascade():
    row = row_of([0, 10, 20, 90], 60.0, record=np.array([2.0, np.nan, 4.0, 9.0]), busy=np.array([7]))
    assert (row["record_mean"], row["record_known"], row["busy"]) == pytest.approx((3.0, 2 / 3, 3.0))
    stranger = row_of([0, 10], 60.0, record=np.full(2, np.nan))
    assert np.isnan(stranger["record_mean"])
    assert stranger["record_known"] == 0


def test_later_events_are_not_looked_at():
    assert row_of([0, 5, 50, 61, 70], 60.0) == pytest.approx(row_of([0, 5, 50], 60.0), nan_ok=True)


def test_a_single_event_has_a_row():
    row = row_of([0], 60.0)
    assert np.isfinite([value for name, value in row.items() if name not in NAMES[-3:]]).all()


def test_the_stream_is_counted_over_the_last_hour():
    assert busy_at(np.array([0.0, 1, 3_600, 3_601]), np.array([0.0, 3_600, 3_601, 9_000])).tolist() == [1, 2, 2, 0]
