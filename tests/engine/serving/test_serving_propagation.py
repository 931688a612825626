"""P(u->v | i) of a few pairs, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.serving.propagation import Propagation
from engine.types import ItemSpread

SPREAD = ItemSpread(
    np.array([[0.0], [np.log(3.0)], [1.0], [1.0]], np.float32),
    np.array([[1.0], [0.0]], np.float32),
    np.array([0.0, np.log(4.0)], np.float32),
)


CARD = {"sent": {"base": 1.5, "slope": 0.5}, "channels": {"mail": 0.25}}


def made(**fields: float) -> Propagation:
    return Propagation(
        np.array([0, 0, 2], np.int32),
        np.array([2, 1, 0], np.int32),
        np.array([0.2, 0.5, 0.1], np.float32),
        SPREAD,
        **fields,
    )


def test_an_item_adds_to_the_log_odds_of_ties_and_strangers_have_none():
    # odds 1 of the tie 0 -> 1; the first item makes them 3 for user 1, the second 4 for everybody
    assert made().chances(0, [1, 3], 0).tolist() == pytest.approx([0.75, np.nan], nan_ok=True)
    assert made().chances(0, [1, 2], 1).tolist() == pytest.approx([0.8, 0.5])
    assert made().chances(0, [2, 1], None).tolist() == pytest.approx([0.2, 0.5])
    assert np.isnan(made().chances(1, [0, 2], 0)).all()
    assert made().chances(2, [0], None).tolist() == pytest.approx([0.1])


def test_what_is_sent_is_acted_on_more_often():
    # odds 3 of the first item; doubled exponents make 9, base log(2) makes 18 of them
    told = made(sent_base=float(np.log(2.0)), sent_slope=2.0).chances(0, [1], 0)
    assert told.tolist() == pytest.approx([18 / 19])


def test_a_channel_adds_for_everybody_and_an_unknown_one_nothing():
    told = Propagation(
        np.array([0], np.int32), np.array([1], np.int32), np.array([0.5], np.float32),
        ItemSpread(SPREAD.user, SPREAD.item, SPREAD.bias, {"mail": float(np.log(2.0))}),
    )  # fmt: skip
    # odds 3 of the first item, twice that by mail
    assert told.chances(0, [1], 0, "mail").tolist() == pytest.approx([6 / 7])
    assert told.chances(0, [1], None, "mail").tolist() == pytest.approx([2 / 3])
    assert told.chances(0, [1], 0, "fax").tolist() == told.chances(0, [1], 0).tolist() == pytest.approx([0.75])


def test_a_folder_without_what_items_add_has_learned_too_little():
    tables = {"edge_source": np.array([0]), "edge_target": np.array([1]), "edge_probability": np.array([0.5])}
    assert Propagation.from_folder(tables, {}) is None
    tables |= {"spread_user": SPREAD.user, "spread_item": SPREAD.item, "spread_bias": SPREAD.bias}
    found = Propagation.from_folder(tables, {"influence": {"items": CARD}})
    assert found is not None
    assert (found.sent_base, found.sent_slope, found.spread.in_channel("mail")) == (1.5, 0.5, 0.25)
