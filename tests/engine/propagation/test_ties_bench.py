"""`kith bench ties` on the smallest worlds: what it tells of known probabilities is near them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import ties
from graph.settings import Settings


def test_what_is_learned_of_ties_is_near_the_truth():
    told = ties.run(Settings(home=Path("nowhere")), "tiny")
    assert [world["seed"] for world in told["worlds"]] == [7, 8]
    for world in told["worlds"]:
        assert world["pairs"] > 5_000
        for name in ("rate", "learned"):
            assert world[name]["correlation"] > 0.5
            assert world[name]["gap"] < 0.02
        assert (world["true_base"], world["true_slope"]) == (pytest.approx(1.386, abs=1e-3), 1.0)
        # At a chance of .05, where most of what is sent lies.
        at = -2.94
        assert world["sent_base"] + world["sent_slope"] * at == pytest.approx(1.386 + at, abs=0.3)


def test_a_size_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="tiny, small, full"):
        ties.run(Settings(home=Path("nowhere")), "huge")
