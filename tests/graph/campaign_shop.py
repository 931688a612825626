"""The small shop with a model folder whose ties are known by heart, for plans of campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.artifact import write_artifact
from engine.strategy.model import edge_tables, spread_tables
from engine.types import ItemSpread
from graph.settings import Settings
from tests.engine.influence.graphs import graph
from tests.graph import small_shop

ANN, BEN, CAT, DAN, EVE = range(5)
TIES = ((ANN, BEN, 0.9), (ANN, CAT, 0.8), (DAN, EVE, 0.5), (EVE, BEN, 0.1))
"""ann reaches 2.7, dan 1.55, eve 1.1; ann and dan together 4.205, since ben is reached by ann or else by eve."""


def write_folder(
    settings: Settings, *, ties: Sequence[tuple[int, int, float]] | None = TIES, spread: ItemSpread | None = None
) -> Path:
    """Write the folder of the small shop's version; its embeddings say nothing, so that ties are taken as they are."""
    version = small_shop.artifact()
    users, items = len(version.user_ids), len(version.item_ids)
    tables = {
        "user_embedding": np.zeros((users, 2), np.float32),
        "item_embedding": np.zeros((items, 2), np.float32),
        "influence_score": version.influence_score,
        "influence_percentile": version.influence_percentile,
        "influence_error": version.influence_error,
        "recommended_target": version.recommended.target,
        "recommended_score": version.recommended.score,
        "recommended_reasons": version.recommended.reasons,
        "similar_target": version.similar.target,
        "similar_score": version.similar.score,
        "influences_target": version.influences.target,
        "influences_score": version.influences.score,
    }
    if ties is not None:
        tables |= edge_tables(graph(users, *ties)) | spread_tables(spread)
    folder = settings.artifacts / version.model_version
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_artifact(
        folder,
        model_version=version.model_version,
        snapshot_id=version.snapshot_id,
        code_version=version.code_version,
        user_ids=version.user_ids,
        item_ids=version.item_ids,
        tables=tables,
        weights={},
        metrics={} if spread is None else {"influence": {"items": {"channels": dict(spread.channels)}}},
        replace=True,
    )
    return folder
