"""What of a version's metrics travels: the card, bounded, and a summary of a few numbers for lists of versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

CARD_BYTES = 65_536
"""Largest card that the graph keeps and the API gives, as JSON; the model folder holds everything."""
SERVING = "serving"
"""What only the loader of a folder needs."""
DROPPED_FIRST = (
    "training.history",
    "slices.city",
    "ablation.deep",
    "slices",
    "ablation",
    "choice",
    "settings",
    "timings",
)
"""What goes when a card is too large, in this order."""
METRICS = ("recall@20", "ndcg@20")


def bounded(metrics: Mapping[str, Any], limit: int = CARD_BYTES) -> dict[str, Any]:
    """Return the card: the metrics without what serving needs, within the limit; `leftOut` names what had to go.

    Args:
        metrics: of an `Artifact`.
        limit: bytes of its JSON.
    """
    card = {key: value for key, value in metrics.items() if key != SERVING}
    left_out: list[str] = []
    for path in DROPPED_FIRST:
        if size(card) <= limit:
            return card
        section, _, part = path.partition(".")
        if part and isinstance(card.get(section), Mapping) and part in card[section]:
            card[section] = {key: value for key, value in card[section].items() if key != part}
        elif not part and section in card:
            del card[section]
        else:
            continue
        left_out.append(path)
        card["leftOut"] = list(left_out)
    if size(card) <= limit:
        return card
    return {"leftOut": ["everything: the card is in the model folder"], **_small(card)}


def summary(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the few numbers that tell versions apart: sizes of the data, metrics on the cut with their intervals."""
    data, evaluation = _mapping(metrics.get("data")), _mapping(metrics.get("evaluation"))
    settings, calibration = _mapping(metrics.get("settings")), _mapping(metrics.get("calibration"))
    model, popular = _mapping(evaluation.get("model")), _mapping(evaluation.get("popularity"))
    interval, lineage = _mapping(model.get("interval")), _mapping(metrics.get("lineage"))
    return {
        **{name: data.get(name) for name in ("users", "items", "positives")},
        "seed": settings.get("seed"),
        "cutUsers": evaluation.get("users"),
        **{name: model.get(name) for name in METRICS},
        "interval": {name: list(interval[name]) for name in METRICS if name in interval},
        "popularity": {name: popular.get(name) for name in METRICS} if popular else None,
        "ece": calibration.get("ece"),
        "lineage": {name: lineage.get(name) for name in ("kind", "base", "trainings", "full")} if lineage else None,
    }


def size(card: Mapping[str, Any]) -> int:
    """Return the bytes of a card as JSON."""
    return len(json.dumps(card, separators=(",", ":"), ensure_ascii=False, default=str).encode())


def _small(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return what publication compares by."""
    kept = {key: card[key] for key in ("evaluation", "lineage") if key in card}
    return kept if size(kept) <= CARD_BYTES // 2 else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
