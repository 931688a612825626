"""The two ways to a fitted interest model: in full, or further from a version that was trained before.

In full, the parts are chosen on a cut (10 % of each user's positives), measured on a second cut (10 % more) that
nothing was chosen on, and then fitted on all data: what is published has seen everything, what is reported has not.
Further, nothing is chosen; what is reported is measured on pairs that began after the base's snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.evaluation import truth_of
from engine.interest import card
from engine.interest.base import Base
from engine.interest.cut import Cut, make_cut
from engine.interest.data import InterestData, from_snapshot
from engine.interest.heldout import first_acts
from engine.interest.incremental import LAST_SHARE, advance, newer_cut, same_rows, steps_of
from engine.interest.model import Choice, ablation, ablation_cold, ablation_of_deep, choose, refit
from engine.interest.ranker import Ranker
from engine.interest.start import Start, rows_in
from engine.interest.training import EncoderSettings, Report
from engine.serving.champion import LATE_S
from engine.serving.lineage import IN_FULL
from engine.types import GraphSnapshot

Say = Callable[[str, str], None]
MOST_NEW = 0.5
"""With a larger share of users or items that the base does not know, it is no base for them."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model fitted on all data, the one of the cut, and what the card says of them."""

    data: InterestData
    choice: Choice
    ranker: Ranker
    card: dict[str, Any]
    """`choice evaluation slices ablation`."""


def fit_full(
    snapshot: GraphSnapshot, weights: Mapping[str, float], settings: EncoderSettings, say: Say, report: Report | None
) -> Fitted:
    """Choose and measure on a cut, then fit on all data.

    Raises:
        DataError: the snapshot has nothing to learn from.
        TrainingError: no usable model came out.
    """
    seed = settings.seed
    say("data", "reading interactions, ties and attributes")
    data = from_snapshot(snapshot, weights)
    cut = make_cut(data, seed, test_share=0.1)
    say("choose", f"{data.users} users, {data.items} items, {len(data.positives)} pairs of interest")
    choice = choose(cut, settings, report)
    say("evaluate", "measuring on the held-out cut")
    told = _measured(snapshot, choice, seed)
    told["ablation"] = {**ablation(choice), "deep": ablation_of_deep(choice), "cold": ablation_cold(choice)}
    say("refit", "fitting the chosen model on all data")
    return Fitted(data, choice, refit(data, choice, settings, report), {"choice": card.describe_choice(choice), **told})


def fit_further(
    snapshot: GraphSnapshot,
    base: Base,
    weights: Mapping[str, float],
    settings: EncoderSettings,
    *,
    say: Say,
    report: Report | None,
) -> Fitted:
    """Go on from a version; what is newer than its snapshot is held out first, and measured, where there is enough.

    Raises:
        DataError: the graph is not such as the base was trained on.
        TrainingError: the loss is not finite.
    """
    say("data", f"reading interactions, ties and attributes, to go on from {base.model_version}")
    base.check_attributes(snapshot)
    data = from_snapshot(snapshot, weights, base.recipes)
    rows = known_rows(base, snapshot)
    cut = newer_cut(data, newer_than(snapshot, data, base.watermark_s), settings.seed)
    active = int((data.positives.degree > 0).sum())
    start, choice = base.start, None
    steps = last = steps_of(settings, active)
    if len(cut.test):
        say("choose", f"{steps} steps without the newer pairs of {len(cut.test)} users")
        choice = _taken_over(cut, advance(cut.data, start, rows, settings, steps=steps, report=report), base)
        start, rows = Start.of(choice.ranker, choice), same_rows(data)
        last = max(1, round(steps * LAST_SHARE))
    say("refit", f"{last} steps on all data")
    ranker = advance(data, start, rows, settings, steps=last, report=report)
    choice = choice or _taken_over(cut, ranker, base)
    say("evaluate", "measuring on pairs that the base version has not seen")
    told = _measured(snapshot, choice, settings.seed, _held_out(base, len(cut.test)))
    described = {**card.describe_choice(choice), "takenFrom": base.model_version}
    return Fitted(data, choice, ranker, {"choice": described, **told, "ablation": {}})


def known_rows(base: Base, snapshot: GraphSnapshot) -> dict[str, NDArray[np.int64]]:
    """Return per type (N,) the row of each node in the base, -1 where it is new.

    Raises:
        DataError: most users or items are new.
    """
    rows = {
        "user": rows_in(base.user_ids, snapshot.users.ids),
        "item": rows_in(base.item_ids, snapshot.items.ids),
    }
    for kind, row in rows.items():
        new = int((row < 0).sum())
        if new > MOST_NEW * len(row):
            raise DataError(f"{new} of {len(row)} {kind}s are not in {base.model_version}: {IN_FULL}")
    return rows


def newer_than(snapshot: GraphSnapshot, data: InterestData, watermark_s: int) -> NDArray[np.bool_]:
    """(E,) whether a positive's first act is surely later than a snapshot."""
    pairs = truth_of(data.positives.row_of, data.positives.indices)
    return first_acts(snapshot, pairs) > watermark_s + LATE_S


def _taken_over(cut: Cut, ranker: Ranker, base: Base) -> Choice:
    start = base.start
    return Choice(cut, ranker, start.blend, start.linear, start.half_life_days, None, None, {})


def _measured(snapshot: GraphSnapshot, choice: Choice, seed: int, held_out: str = card.HELD_OUT) -> dict[str, Any]:
    evaluation, per_user, top = card.evaluate(choice, seed, held_out)
    return {"evaluation": evaluation, "slices": card.slices(snapshot, choice, per_user, top, seed)}


def _held_out(base: Base, users: int) -> str:
    if not users:
        return f"nothing: too few users have acts newer than the snapshot of {base.model_version}; nothing was compared"
    return f"of each user's newest 10 % of positives those that began after the snapshot of {base.model_version}"
