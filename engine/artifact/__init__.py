"""Kith's own folders for snapshots and models: Parquet, safetensors and JSON, nothing that can carry code.

Snapshot folder: `users items interactions friends follows shares sends opens` as `.parquet` (dense indices),
`ids.parquet` (the external ids), `manifest.json`, `side.json`. Model folder: `tables.safetensors` (what publication
and serving read), `weights.safetensors`, `metrics.json`, `ids.parquet`, `manifest.json`, `side.json`. Equal input
gives equal bytes in every file but `side.json`, where the times are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.artifact.columns import read_ids
from engine.artifact.folder import read_manifest
from engine.artifact.models import (
    REQUIRED_TABLES,
    read_artifact,
    read_metrics,
    read_tables,
    read_weights,
    write_artifact,
)
from engine.artifact.snapshots import identified, identify, read_snapshot, write_snapshot

__all__ = [
    "REQUIRED_TABLES",
    "identified",
    "identify",
    "read_artifact",
    "read_ids",
    "read_manifest",
    "read_metrics",
    "read_snapshot",
    "read_tables",
    "read_weights",
    "verify",
    "write_artifact",
    "write_snapshot",
]


def verify(folder: Path) -> dict[str, Any]:
    """Check every byte of a snapshot or model folder and return its manifest.

    Raises:
        ArtifactError: a flipped byte, a missing or foreign file, an unknown format, a file that is not what its
            name says (a pickle in disguise), tables that contradict the manifest.
    """
    if read_manifest(Path(folder)).get("kind") == "snapshot":
        read_snapshot(folder)
    else:
        read_artifact(folder)
    return read_manifest(Path(folder))
