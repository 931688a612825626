"""The logistic regression and the rising steps beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from engine.errors import DataError
from engine.propagation.friendpropagation.calibration import fit_logistic, fit_steps


def test_the_logistic_regression_is_the_known_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3_000, 3))
    outcome = rng.random(3_000) < 1 / (1 + np.exp(4 - x @ [1.0, -2.0, 0.0]))
    found = fit_logistic(x, outcome, ridge=0.5)
    known = LogisticRegression(C=2.0, tol=1e-10, max_iter=1_000).fit(x, outcome)
    assert found.base == pytest.approx(known.intercept_[0], abs=1e-4)
    assert found.slope == pytest.approx(known.coef_[0], abs=1e-4)
    assert found.chance(x) == pytest.approx(known.predict_proba(x)[:, 1], abs=1e-4)


def test_weights_count_as_rows():
    x, outcome = np.array([[0.0], [1.0], [1.0]]), np.array([False, True, False])
    weighted = fit_logistic(x, outcome, weight=np.array([2.0, 3.0, 1.0]))
    again = np.array([0, 0, 1, 1, 1, 2])
    repeated = fit_logistic(x[again], outcome[again])
    assert weighted.slope == pytest.approx(repeated.slope)


def test_what_separates_stays_finite_and_one_outcome_is_refused():
    found = fit_logistic(np.array([[0.0], [1.0]]), np.array([False, True]))
    assert np.isfinite(found.slope).all()
    with pytest.raises(DataError, match="both outcomes"):
        fit_logistic(np.zeros((3, 1)), np.ones(3, bool))


def test_the_steps_are_the_isotonic_regression():
    rng = np.random.default_rng(3)
    score = rng.normal(size=400)
    outcome = rng.random(400) < 1 / (1 + np.exp(-score))
    found = fit_steps(score, outcome)
    known = IsotonicRegression().fit_transform(score, outcome)
    rates = np.unique(np.round(known, 9))
    assert np.round(found.chance_at, 9).tolist() == rates.tolist()
    assert (np.diff(found.score) > 0).all()
    assert (np.diff(found.chance(np.linspace(-3, 3, 50))) >= 0).all()
