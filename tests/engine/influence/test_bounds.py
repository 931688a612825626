"""Bounds of hits against the binomial distribution, which the inequality covers, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from engine.influence.bounds import lower, slack, upper


@pytest.mark.parametrize("sets", [10, 200, 5_000])
@pytest.mark.parametrize("chance", [0.003, 0.1, 0.5, 0.97])
@pytest.mark.parametrize("eta", [1.0, 5.0])
def test_they_fail_as_rarely_as_they_say(sets, chance, eta):
    hits = np.arange(sets + 1)
    chances = binom.pmf(hits, sets, chance)
    too_high = chances[[lower(float(h), sets, eta) > sets * chance for h in hits]].sum()
    too_low = chances[[upper(float(h), sets, eta) < sets * chance for h in hits]].sum()
    assert too_high <= np.exp(-eta)
    assert too_low <= np.exp(-eta)


def test_nothing_and_everything_hit():
    # KL(0, q) = -ln(1 - q): q = 1 - exp(-eta / n).
    assert lower(0.0, 100, 2.0) == 0
    assert upper(0.0, 100, 2.0) == pytest.approx(100 * (1 - np.exp(-0.02)))
    assert upper(100.0, 100, 2.0) == 100
    assert lower(100.0, 100, 2.0) == pytest.approx(100 * np.exp(-0.02))
    assert (lower(0.0, 0, 2.0), upper(0.0, 0, 2.0), slack(0.0, 0, 2.0)) == (0, 0, 0)


@pytest.mark.parametrize("eta", [0.5, 3.0, 17.0])
def test_the_slack_is_enough_for_whatever_hits_less(eta):
    for sets in (50, 1_000):
        needed = np.array([upper(float(h), sets, eta) - h for h in range(sets + 1)])
        offered = np.array([slack(float(h), sets, eta) for h in range(sets + 1)])
        assert (offered >= np.maximum.accumulate(needed) - 1e-9).all()
