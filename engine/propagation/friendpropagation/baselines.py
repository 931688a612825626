"""What the learned model is held against: the formula of two terms, and a logistic regression of counts."""

from __future__ import annotations

import numpy as np

from engine.propagation import formula
from engine.propagation.friendpropagation.calibration import LEAST, MOST, fit_logistic
from engine.propagation.friendpropagation.model import crossed
from engine.propagation.friendpropagation.names import NAMES
from engine.propagation.friendpropagation.pairs import Float
from engine.propagation.friendpropagation.parts import Part

SIDES = ("sender", "receiver")


def baseline_chances(choose: Part, asked: Part) -> dict[str, Float]:
    """Return the chances (P,) of each baseline for `asked`, fitted on the cascades that choose.

    `formula_sender` and `formula_receiver` are alpha S/D + beta C/N with that side's totals; `counts` the logistic
    regression of C/N(i), C/N(j), log(1 + C), log(1 + N(j)), 1/D(j).
    """
    found = {}
    for side in SIDES:
        tie, act = _terms(choose, side)
        weights = formula.fit(tie, act, choose.pairs.joins.astype(np.float64))
        tie, act = _terms(asked, side)
        found[f"formula_{side}"] = np.clip(weights.alpha * tie + weights.beta * act, LEAST, MOST)
    found["counts"] = fit_logistic(_counts(choose), choose.pairs.joins).chance(_counts(asked))
    return found


def crossed_counts(choose: Part) -> Float:
    """Return the chances of `counts` on the cascades that choose, none by a fit that it had part in."""
    return crossed(_counts(choose), choose.pairs)


def _terms(part: Part, side: str) -> tuple[Float, Float]:
    """Return S/D and C/N of each pair, divided by the totals of one side."""
    owner = "sharer" if side == "sender" else "friend"
    degree = np.expm1(_column(part, f"{owner}_degree"))
    acts = np.expm1(_column(part, f"{owner}_cascades"))
    return formula.ratio(1.0, degree), formula.ratio(np.expm1(_column(part, "after")), acts)


def _counts(part: Part) -> Float:
    of_receiver, of_friend = _terms(part, "receiver")
    _, of_sender = _terms(part, "sender")
    logs = [_column(part, name) for name in ("after", "friend_cascades")]
    return np.stack([of_sender, of_friend, *logs, of_receiver], axis=1)


def _column(part: Part, name: str) -> Float:
    return part.signals[:, NAMES.index(name)].astype(np.float64)
