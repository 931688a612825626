from __future__ import annotations

import numpy as np
import pytest

from engine.errors import DataError
from engine.propagation.cascades import cascades_of
from engine.propagation.record import records_at, records_before
from tests.engine.propagation.selfexciting import simulate


def test_a_record_is_what_followed_and_only_once_it_is_known():
    # Within 10 s after user 1: three events, then one; after user 2: two.
    cascades = cascades_of([np.array([0.0, 1, 5, 6, 30]), np.array([100.0, 104])], [[1, 2, 3, 4, 5], [1, 6]])
    early = records_at(cascades, now_s=11.0, span_s=10.0)
    assert early.of(np.array([1, 2, 3, 9])).tolist() == pytest.approx([2.0, np.log2(3), np.nan, np.nan], nan_ok=True)
    assert records_at(cascades, now_s=9.0, span_s=10.0).of(np.array([1])).tolist() == pytest.approx(
        [np.nan], nan_ok=True
    )
    assert records_at(cascades, now_s=200.0, span_s=10.0).of(np.array([1])).tolist() == [1.5]
    before = records_before(cascades, span_s=10.0)
    assert before.tolist() == pytest.approx([np.nan] * 5 + [2.0, np.nan], nan_ok=True)


def test_records_before_are_the_records_at_each_start():
    cascades, _ = simulate(60, seed=3)
    before = records_before(cascades, span_s=900.0)
    for row in (0, 20, 59):
        events = cascades.events_of(np.array([row]))
        then = records_at(cascades, cascades.start_s[row], span_s=900.0).of(cascades.user[events])
        np.testing.assert_allclose(before[events], then, rtol=1e-9)
    assert np.isfinite(before).mean() > 0.5


def test_records_need_users():
    with pytest.raises(DataError):
        records_before(cascades_of([np.array([0.0])]))
