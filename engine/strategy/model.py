"""What a plan needs of a trained version, read from its model folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact import read_ids, read_manifest, read_metrics, read_tables
from engine.artifact.columns import check_range
from engine.errors import ArtifactError
from engine.influence.delays import Delays
from engine.serving.propagation import EDGES, SPREAD, spread_of
from engine.types import EdgeProbabilities, ItemSpread

QUANTILES, SCALE = "delay_quantile_s", "edge_delay_scale"
NEEDED = (*EDGES, "user_embedding", "item_embedding", "influence_score", "influence_percentile")


@dataclass(frozen=True, slots=True)
class PlanModel:
    """A version as plans see it; U users, I items."""

    model_version: str
    user_ids: NDArray[np.object_]
    """(U,)"""
    item_ids: NDArray[np.object_]
    """(I,)"""
    edges: EdgeProbabilities
    """P(u->v) along every tie."""
    delays: Delays | None
    """How long the ties take, in their order; None: nobody has passed anything on."""
    spread: ItemSpread | None
    """What items add to P(u->v); None: that could not be learned."""
    user_embedding: NDArray[np.float32]
    """(U, D) unit rows."""
    item_embedding: NDArray[np.float32]
    """(I, D) unit rows."""
    influence_score: NDArray[np.float32]
    """(U,)"""
    influence_percentile: NDArray[np.float32]
    """(U,) in [0, 100]."""


def edge_tables(edges: EdgeProbabilities, delays: Delays | None = None) -> dict[str, NDArray[Any]]:
    """Return the tables of a model folder that hold P(u->v) and the delay of every tie, 16 bytes each.

    Args:
        edges: P(u->v).
        delays: of these ties; None: nothing is known of them.
    """
    kept = edges.probability > 0
    timed: dict[str, NDArray[Any]] = {}
    if delays is not None:
        timed = {QUANTILES: delays.quantile_s, SCALE: delays.scale[kept].astype(np.float32)}
    return timed | {
        "edge_source": edges.source[kept].astype(np.int32),
        "edge_target": edges.target[kept].astype(np.int32),
        "edge_probability": edges.probability[kept].astype(np.float32),
    }


def spread_tables(spread: ItemSpread | None) -> dict[str, NDArray[Any]]:
    """Return the tables of a model folder that hold what items add to P(u->v)."""
    return {} if spread is None else dict(zip(SPREAD, (spread.user, spread.item, spread.bias), strict=True))


def read_plan_model(folder: Path) -> PlanModel:
    """Read a version; tables are mapped, not copied.

    Raises:
        ArtifactError: the folder is not there or cannot be read, or was trained before ties were kept in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ArtifactError(f"the folder of version {folder.name} is not on this machine")
    version = str(read_manifest(folder, "model").get("modelVersion", ""))
    tables, ids = read_tables(folder), read_ids(folder)
    if missing := [name for name in NEEDED if name not in tables]:
        raise ArtifactError(f"version {version} has no table {missing[0]}: it cannot be planned with, train anew")
    users, items = len(ids["user"]), len(ids["item"])
    source, target, probability = (tables[name] for name in EDGES)
    if not (source.shape == target.shape == probability.shape == (len(source),)):
        raise ArtifactError(f"version {version}: its ties differ in length")
    for name, ends in (("edge_source", source), ("edge_target", target)):
        check_range(ends, 0, users, f"version {version}: table {name}")
    for name, rows in (("user_embedding", users), ("influence_score", users), ("influence_percentile", users),
                       ("item_embedding", items)):  # fmt: skip
        if len(tables[name]) != rows:
            raise ArtifactError(f"version {version}: table {name} has {len(tables[name])} rows, not {rows}")
    delays = None
    if SCALE in tables and QUANTILES in tables:
        if tables[SCALE].shape != source.shape:
            raise ArtifactError(f"version {version}: its ties and their delays differ in length")
        delays = Delays(tables[QUANTILES], tables[SCALE].astype(np.float64))
    spread = spread_of(tables, read_metrics(folder))
    if spread is not None and (len(spread.user), len(spread.item), len(spread.bias)) != (users, items, items):
        raise ArtifactError(f"version {version}: what items add to its ties is not of its users and items")
    return PlanModel(
        version,
        ids["user"],
        ids["item"],
        EdgeProbabilities(source, target, probability, users),
        delays,
        spread,
        tables["user_embedding"],
        tables["item_embedding"],
        tables["influence_score"],
        tables["influence_percentile"],
    )
