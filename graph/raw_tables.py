"""Tables as files hold them: CSV and Parquet into columns of Python values, with the row each came from."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportReturnType=false, reportCallIssue=false, reportIndexIssue=false
# pandas has no stubs of its own; its inferred types are unions of everything a frame may give.

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from graph.errors import InputError

ROW = "row"
"""Column of the line (CSV, text) or row number (Parquet) that a row came from."""

TIMES = ("createdAt", "since", "occurredAt")
"""Columns of times."""

BadRow = tuple[str, int, str]
"""File, line and reason."""


@dataclass(slots=True)
class RawTable:
    """One table as it was read."""

    name: str
    file: str
    frame: pd.DataFrame
    """Object columns and `row` (int64); `TIMES` may be time stamps."""
    bad: list[BadRow] = field(default_factory=list)


def read_csv(path: Path) -> tuple[pd.DataFrame, list[BadRow]]:
    """Read a CSV file with a header: every value a str, None where empty.

    Bytes that are not UTF-8 become lone surrogates, which no rule lets through.

    Raises:
        InputError: no header, a column named twice, or quotes that never close.
    """
    bad: list[BadRow] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 0
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            line = reader.line_num
            for row in reader:
                start, line = line + 1, reader.line_num
                if len(row) == len(header):
                    rows.append(row)
                    lines.append(start)
                elif row:
                    bad.append((path.name, start, f"has {len(row)} fields instead of {len(header)}"))
    except (csv.Error, OSError) as error:
        raise InputError(f"{path.name}, line {line + 1}, {error}") from None
    if not header or "" in header:
        raise InputError(f"{path.name}, line 1, a column has no name")
    _refuse_twice(path, header)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    frame = pd.DataFrame(
        {name: pd.Series([value or None for value in column], dtype=object) for name, column in zip(header, columns)}  # noqa: B905  same length by the above
    )
    frame[ROW] = pd.Series(lines, dtype="int64")
    return frame, bad


def read_parquet(path: Path) -> tuple[pd.DataFrame, list[BadRow]]:
    """Read a Parquet file: Python values, None where missing or nan, lists as tuples; `TIMES` may stay time stamps.

    Raises:
        InputError: it is no Parquet file.
    """
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path.name}, line 1, {' '.join(str(error).split())[:200]}") from None
    _refuse_twice(path, table.column_names)
    frame = pd.DataFrame(
        {name: _series(name, column) for name, column in zip(table.column_names, table.columns, strict=True)}
    )
    frame[ROW] = pd.Series(range(1, table.num_rows + 1), dtype="int64")
    return frame, []


def _series(name: str, column: pa.ChunkedArray) -> pd.Series:
    if name in TIMES and pa.types.is_timestamp(column.type):
        return column.to_pandas()
    if pa.types.is_string(column.type):
        values = column.to_numpy(zero_copy_only=False)
        return pd.Series(np.where(values == "", None, values), dtype=object)
    return pd.Series([_plain(value) for value in column.to_pylist()], dtype=object)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return None if value == "" or value != value else value  # noqa: PLR0124  only nan differs from itself


def _refuse_twice(path: Path, names: list[str]) -> None:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{path.name}, line 1, column {twice!r} stands twice")
    if ROW in names:
        raise InputError(f"{path.name}, line 1, column {ROW!r} has a name that the import uses itself")
