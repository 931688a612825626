"""Columns on disk: Parquet for tables, safetensors for arrays; neither can carry code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from engine.artifact.folder import IDS
from engine.errors import ArtifactError

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
           "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "?"}  # fmt: skip


def write_parquet(columns: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write columns of one length; an object column holds text.

    Raises:
        ArtifactError: an object column holds something else.
    """
    try:
        arrays = [pa.array(c, type=pa.string() if c.dtype == object else None) for c in columns.values()]
    except (pa.ArrowException, UnicodeEncodeError) as error:
        raise ArtifactError(f"{path.name}: an object column may hold text only: {error}") from error
    pq.write_table(pa.table(arrays, names=list(columns)), path, compression="zstd")


def read_parquet(path: Path) -> dict[str, NDArray[Any]]:
    """Return the columns of a file by name.

    Raises:
        OSError, pyarrow.ArrowException: missing or not Parquet.
    """
    table = pq.read_table(path)
    return {name: table[name].to_numpy() for name in table.column_names}


def write_ids(folder: Path, **ids: NDArray[np.object_]) -> None:
    """Write the external ids of each kind, in the order of the dense indices."""
    kinds = np.repeat(np.array(list(ids), object), [len(part) for part in ids.values()])
    write_parquet({"kind": kinds, "id": np.concatenate([np.asarray(p, object) for p in ids.values()])},
                   folder / IDS)  # fmt: skip


def read_ids(folder: Path) -> dict[str, NDArray[np.object_]]:
    """Return a folder's external ids by kind (`user`, `item`, `share`), in the order of the dense indices.

    Raises:
        ArtifactError: there is no readable `ids.parquet`.
    """
    try:
        columns = read_parquet(folder / IDS)
        return {kind: columns["id"][columns["kind"] == kind].astype(object) for kind in ("user", "item", "share")}
    except (OSError, KeyError, pa.ArrowException) as error:
        raise ArtifactError(f"{folder}: {IDS} cannot be read: {error}") from error


def shapes_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return {name: {dtype, shape}} of a safetensors file, whose header the library checks."""
    try:
        with safe_open(path, "np") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return {n: {"dtype": s.get_dtype(), "shape": list(s.get_shape())} for n, s in slices.items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise ArtifactError(f"{path} is not a safetensors file: {error}") from error


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a safetensors file by name, read-only and memory-mapped.

    Raises:
        ArtifactError: missing, not a safetensors file, or of a dtype that Kith does not write.
    """
    shapes = shapes_of(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    if unknown := {s["dtype"] for s in shapes.values()} - set(_DTYPES):
        raise ArtifactError(f"{path}: dtype {sorted(unknown)[0]} is not one that Kith writes")
    size = path.stat().st_size
    whole = np.memmap(path, np.uint8, "r") if size else np.empty(0, np.uint8)
    arrays = {}
    for name, about in shapes.items():
        start, end = (8 + length + offset for offset in header[name]["data_offsets"])
        arrays[name] = np.asarray(whole[start:end]).view(_DTYPES[about["dtype"]]).reshape(about["shape"])
    return arrays


def check_range(indices: NDArray[Any], low: int, high: int, name: str) -> None:
    """Refuse indices that are not integers in [low, high).

    Raises:
        ArtifactError: naming the array.
    """
    if indices.dtype.kind not in "iu" or (indices.size and (indices.min() < low or indices.max() >= high)):
        raise ArtifactError(f"{name} holds an index outside [{low}, {high})")
