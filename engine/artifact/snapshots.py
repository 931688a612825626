"""Snapshot folders: a GraphSnapshot as Parquet tables of dense indices, the external ids apart."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.artifact.columns import check_range, read_ids, read_parquet, write_ids, write_parquet
from engine.artifact.folder import open_folder, write_folder
from engine.errors import ArtifactError
from engine.types import Edges, GraphSnapshot, Nodes

NODE_TABLES = ("users", "items")
EDGE_TABLES = ("interactions", "friends", "follows", "shares", "sends", "opens")
SNAPSHOT_FILES = frozenset(f"{name}.parquet" for name in (*NODE_TABLES, *EDGE_TABLES))


def identify(snapshot: GraphSnapshot) -> str:
    """Return the id of a snapshot's content: its watermark and a hash of every array but the external ids.

    Of the ids their number counts: nodes need not have any attribute.
    """
    digest = hashlib.sha256(f"{snapshot.watermark_s} {len(snapshot.users)} {len(snapshot.items)}".encode())
    for table in (*NODE_TABLES, *EDGE_TABLES):
        for name, column in _columns(getattr(snapshot, table)).items():
            digest.update(f"\0{table}.{name}:{column.dtype}:{len(column)}\0".encode())
            if column.dtype == object:
                digest.update(json.dumps(column.tolist(), ensure_ascii=False).encode("utf-8", "surrogatepass"))
            else:
                digest.update(np.ascontiguousarray(column).data)
    return f"s{snapshot.watermark_s}-{digest.hexdigest()[:16]}"


def identified(snapshot: GraphSnapshot) -> GraphSnapshot:
    """Return the snapshot with `identify`'s id as its own."""
    return with_fields(snapshot, snapshot_id=identify(snapshot))


def write_snapshot(snapshot: GraphSnapshot, folder: Path, *, replace: bool = False) -> str:
    """Write a snapshot folder and return its `snapshot_id` (`identify`'s, where the snapshot has none yet).

    Raises:
        ArtifactError: the folder is there and may not be replaced, or the snapshot contradicts itself.
    """
    snapshot_id = snapshot.snapshot_id or identify(snapshot)
    _check(snapshot)
    counts = {name: len(getattr(snapshot, name)) for name in (*NODE_TABLES, *EDGE_TABLES)}

    def fill(draft: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        for name in (*NODE_TABLES, *EDGE_TABLES):
            write_parquet(_columns(getattr(snapshot, name)), draft / f"{name}.parquet")
        write_ids(draft, user=snapshot.users.ids, item=snapshot.items.ids, share=snapshot.share_ids)
        fields = {"snapshotId": snapshot_id, "watermarkS": snapshot.watermark_s, "counts": counts}
        return fields, {"writtenAtS": int(time.time())}

    write_folder(Path(folder), "snapshot", fill, replace)
    return snapshot_id


def read_snapshot(folder: Path) -> GraphSnapshot:
    """Return the snapshot in a folder, every byte checked.

    Raises:
        ArtifactError: the folder is incomplete, altered, of another format, or its indices do not fit.
    """
    folder = Path(folder)
    manifest, _ = open_folder(folder, "snapshot", SNAPSHOT_FILES)
    try:
        columns = {name: read_parquet(folder / f"{name}.parquet") for name in (*NODE_TABLES, *EDGE_TABLES)}
        ids = read_ids(folder)
        snapshot = GraphSnapshot(
            snapshot_id=str(manifest["snapshotId"]),
            watermark_s=int(manifest["watermarkS"]),
            users=Nodes(ids["user"], columns["users"]),
            items=Nodes(ids["item"], columns["items"]),
            share_ids=ids["share"],
            **{name: Edges(columns[name].pop("source"), columns[name].pop("target"), columns[name])
               for name in EDGE_TABLES},
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
        raise ArtifactError(f"{folder}: not a readable snapshot: {error}") from error
    _check(snapshot)
    return snapshot


def _columns(table: Nodes | Edges) -> dict[str, NDArray[Any]]:
    columns = dict(sorted(table.columns.items()))
    return columns if isinstance(table, Nodes) else {"source": table.source, "target": table.target, **columns}


def _check(snapshot: GraphSnapshot) -> None:
    users, items, shares = len(snapshot.users), len(snapshot.items), len(snapshot.shares)
    ends: Mapping[str, tuple[int, int]] = {
        "interactions": (users, items), "friends": (users, users), "follows": (users, users),
        "shares": (users, items), "sends": (shares, users), "opens": (shares, users),
    }  # fmt: skip
    if len(snapshot.share_ids) != shares:
        raise ArtifactError(f"{len(snapshot.share_ids)} share ids for {shares} shares")
    for name in (*NODE_TABLES, *EDGE_TABLES):
        table: Nodes | Edges = getattr(snapshot, name)
        if any(len(column) != len(table) for column in _columns(table).values()):
            raise ArtifactError(f"{name}: a column has another length than its {len(table)} rows")
        if isinstance(table, Edges):
            check_range(table.source, 0, ends[name][0], f"{name}.source")
            check_range(table.target, 0, ends[name][1], f"{name}.target")
