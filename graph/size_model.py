"""The size model in use: kept in the graph as JSON, with the records of users and from what it was learned.

A record says what followed on a user's shares (`engine.propagation.record`). It is kept by the user's dense index, not
by name, and used only for who agrees to analytics at that moment; it is gone with the next learning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.propagation.record import Records
from engine.propagation.size import SizeModel
from engine.propagation.sizejson import from_json, to_json
from graph.connection import Graph


@dataclass(frozen=True, slots=True)
class Tried:
    """When learning was last tried, and from what; times in ms since 1970 UTC, None where it never was."""

    tried_ms: int | None
    learned_ms: int | None
    """None where there is no model: there was too little to learn from."""
    cascades: int
    shares: int


def keep(graph: Graph, model: SizeModel | None, records: Records, *, cascades: int, shares: int, tried_ms: int) -> None:
    """Put a model in the place of the one before.

    One that was learned earlier never takes the place of a later one.

    Args:
        graph: where.
        model: what was learned; None: there was too little to learn from, and there is no model any more.
        records: of the users who agreed to analytics, by their index.
        cascades: from how many it was learned, of so many shares.
        shares: see there.
        tried_ms: when, by the server's clock.

    Raises:
        UnavailableError: no answer.
    """
    named = records.user >= 0
    graph.write(
        "forecasts.write_model",
        model=None if model is None else to_json(model),
        recordUsers=records.user[named].astype("<i4").tobytes(),
        recordMeans=records.mean[named].astype("<f4").tobytes(),
        cascades=cascades,
        shares=shares,
        triedMs=tried_ms,
    )


def tried(graph: Graph) -> Tried:
    """Return what is known of the last learning.

    Raises:
        UnavailableError: no answer.
    """
    row = graph.read("forecasts.read_tried")[0]
    return Tried(row["triedMs"], row["learnedMs"], row["cascades"] or 0, row["shares"] or 0)


def load(graph: Graph) -> tuple[int, SizeModel, Records] | None:
    """Return when it was learned (ms), the model and the records; None where there is no model.

    Raises:
        ArtifactError: what is stored is no model that this Kith can read.
        UnavailableError: no answer.
    """
    rows: list[dict[str, Any]] = graph.read("forecasts.read_model")
    if not rows:
        return None
    user = np.frombuffer(rows[0]["recordUsers"], "<i4").astype(np.int64)
    mean = np.frombuffer(rows[0]["recordMeans"], "<f4").astype(np.float64)
    return rows[0]["learnedMs"], from_json(rows[0]["model"]), Records(user, mean)
