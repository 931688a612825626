"""Model folders: tables for publication and serving, weights, metrics and ids of one trained model."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from engine.artifact.columns import check_range, read_arrays, read_ids, shapes_of, write_ids
from engine.artifact.folder import open_folder, read_json, write_folder, write_json
from engine.errors import ArtifactError
from engine.types import Artifact, RankedLists

TABLES, WEIGHTS, METRICS = "tables.safetensors", "weights.safetensors", "metrics.json"
MODEL_FILES = frozenset((TABLES, WEIGHTS, METRICS))
REQUIRED_TABLES = (
    "user_embedding",
    "item_embedding",
    "influence_score",
    "influence_percentile",
    "influence_error",
    "recommended_target",
    "recommended_score",
    "recommended_reasons",
    "similar_target",
    "similar_score",
    "influences_target",
    "influences_score",
)
"""Tables that every model folder holds (`Artifact`'s fields); a trainer may add more for serving."""

_DIMENSIONS = {"influence_score": 1, "influence_percentile": 1, "influence_error": 1, "recommended_reasons": 3}


def write_artifact(
    folder: Path,
    *,
    model_version: str,
    snapshot_id: str,
    code_version: str,
    user_ids: NDArray[np.object_],
    item_ids: NDArray[np.object_],
    tables: Mapping[str, NDArray[Any]],
    weights: Mapping[str, NDArray[Any]],
    metrics: Mapping[str, Any],
    trained_at_s: int | None = None,
    replace: bool = False,
) -> None:
    """Write a model folder: REQUIRED_TABLES and whatever else serving needs, weights, metrics, ids.

    `tables` and `weights` are numpy arrays by name. `metrics["timings"]`, if there, goes to the side file with the
    time of training, so that the same snapshot, seed and `model_version` give the same bytes in all other files.

    Raises:
        ArtifactError: a required table is missing or does not fit, or the folder is there already.
    """
    _check_tables(tables, len(user_ids), len(item_ids))
    steady = {key: value for key, value in metrics.items() if key != "timings"}
    side = {
        "trainedAtS": int(time.time()) if trained_at_s is None else trained_at_s,
        "timings": metrics.get("timings", {}),
    }

    def fill(draft: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        for name, arrays in ((TABLES, tables), (WEIGHTS, weights)):
            save_file({key: np.ascontiguousarray(array) for key, array in sorted(arrays.items())}, draft / name)
        write_json(draft / METRICS, steady)
        write_ids(draft, user=user_ids, item=item_ids)
        fields = {
            "modelVersion": model_version,
            "snapshotId": snapshot_id,
            "codeVersion": code_version,
            "counts": {"users": len(user_ids), "items": len(item_ids)},
            "tables": shapes_of(draft / TABLES),
            "weights": shapes_of(draft / WEIGHTS),
        }
        return fields, side

    write_folder(Path(folder), "model", fill, replace)


def read_artifact(folder: Path) -> Artifact:
    """Return what publication needs of a model folder, every byte checked; the tables are mapped, not copied.

    Raises:
        ArtifactError: the folder is incomplete, altered, of another format, or its indices do not fit.
    """
    folder = Path(folder)
    manifest, side = _open_model(folder)
    ids, tables = read_ids(folder), read_arrays(folder / TABLES)
    _check_tables(tables, len(ids["user"]), len(ids["item"]))
    return Artifact(
        model_version=str(manifest["modelVersion"]),
        snapshot_id=str(manifest["snapshotId"]),
        trained_at_s=int(side["trainedAtS"]),
        code_version=str(manifest["codeVersion"]),
        user_ids=ids["user"],
        item_ids=ids["item"],
        user_embedding=tables["user_embedding"],
        item_embedding=tables["item_embedding"],
        influence_score=tables["influence_score"],
        influence_percentile=tables["influence_percentile"],
        influence_error=tables["influence_error"],
        recommended=_lists(tables, "recommended"),
        similar=_lists(tables, "similar"),
        influences=_lists(tables, "influences"),
        metrics={**read_json(folder / METRICS), "timings": side["timings"]},
    )


def read_tables(folder: Path) -> dict[str, NDArray[Any]]:
    """Return a model folder's tables by name, read-only and memory-mapped; the folder is not verified again.

    Raises:
        ArtifactError: there is no readable `tables.safetensors`.
    """
    return read_arrays(Path(folder) / TABLES)


def read_metrics(folder: Path) -> dict[str, Any]:
    """Return a model folder's card; the folder is not verified again.

    Raises:
        ArtifactError: there is no readable card.
    """
    return read_json(Path(folder) / METRICS)


def read_weights(folder: Path) -> dict[str, NDArray[Any]]:
    """Return a model folder's weights by name, read-only and memory-mapped; the folder is not verified again.

    Raises:
        ArtifactError: there is no readable `weights.safetensors`.
    """
    return read_arrays(Path(folder) / WEIGHTS)


def _open_model(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    manifest, side = open_folder(folder, "model", MODEL_FILES)
    missing = {"modelVersion", "snapshotId", "codeVersion"} - set(manifest) | {"trainedAtS", "timings"} - set(side)
    if missing:
        raise ArtifactError(f"{folder}: {sorted(missing)[0]} is missing")
    for name, key in ((TABLES, "tables"), (WEIGHTS, "weights")):
        if shapes_of(folder / name) != manifest.get(key):
            raise ArtifactError(f"{folder}: {name} does not hold what the manifest lists")
    return manifest, side


def _lists(tables: Mapping[str, NDArray[Any]], name: str) -> RankedLists:
    return RankedLists(tables[f"{name}_target"], tables[f"{name}_score"], tables.get(f"{name}_reasons"))


def _check_tables(tables: Mapping[str, NDArray[Any]], users: int, items: int) -> None:
    """Refuse tables that `Artifact` cannot hold; a target is a dense index, or -1 where a list is shorter."""
    if missing := [name for name in REQUIRED_TABLES if name not in tables]:
        raise ArtifactError(f"table {missing[0]} is missing")
    for name in REQUIRED_TABLES:
        table, part = tables[name], name.split("_", maxsplit=1)[0]
        rows = items if part in ("item", "similar") else users
        if len(table) != rows or table.ndim != _DIMENSIONS.get(name, 2):
            raise ArtifactError(f"table {name} has shape {table.shape} for {rows} rows")
        if table.dtype.kind == "f" and not np.isfinite(table).all():
            raise ArtifactError(f"table {name} holds a number that is not finite")
        if name.endswith("_target"):
            check_range(table, -1, users if part == "influences" else items, f"table {name}")
            if tables[f"{part}_score"].shape != table.shape:
                raise ArtifactError(f"table {part}_score and {name} differ in shape")
