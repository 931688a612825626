"""Served lists as Parquet under the home folder: a row per listed item, a file per hour, the newest kept.

A batch is a small file beside its hour's (`2026-11-22T10-BATCH.parquet`); once an hour is over its files become one
(`2026-11-22T10.parquet`). A list may stand twice after a crash; who reads sees it once. User ids are in the column
`userId` alone, null where the user did not agree to personalisation.
"""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

log = logging.getLogger("kith.workers")

SCHEMA: Final = pa.schema(
    [
        ("recommendationId", pa.string()),
        ("userId", pa.string()),
        ("servedAt", pa.timestamp("ms", "UTC")),
        ("modelVersion", pa.string()),
        ("strategy", pa.string()),
        ("channel", pa.string()),
        ("rank", pa.int16()),
        ("itemId", pa.string()),
        ("score", pa.float32()),
        ("propensity", pa.float32()),
    ]
)
NAME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)(?:-[0-9A-Za-z-]{1,64})?\.parquet")
MOST_ITEMS: Final = 100
MOST_MERGED_BYTES: Final = 8_000_000
"""An hour with more stays in its batches, which are large then."""
OF_LIST: Final = ("recommendationId", "userId", "modelVersion", "strategy", "channel")


def write(folder: Path, batch: str, lists: Sequence[Mapping[str, Any]]) -> int:
    """Write lists into files of their hours, whole or not at all; the same batch again replaces its files.

    Args:
        folder: where to.
        batch: name of the batch: letters, digits and `-`.
        lists: each `{recommendationId, userId, servedMs, modelVersion, strategy, channel, itemId, score, propensity}`,
            the last three as lists; what is malformed is left out.

    Returns:
        How many lists were written.

    Raises:
        OSError: the folder cannot be written.
    """
    hours: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in lists:
        if _is_whole(each):
            hours[_hour(each["servedMs"])].append(each)
    if hours:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for hour, some in hours.items():
        _put(folder / f"{hour}-{batch}.parquet", _table(some))
    return sum(map(len, hours.values()))


def merge(folder: Path, now: datetime) -> None:
    """Make one file of each hour that is over, unless it is large.

    Raises:
        OSError: the folder cannot be written.
    """
    current = _hour(int(now.timestamp() * 1000))
    for hour, files in _by_hour(folder).items():
        small = sum(file.stat().st_size for file in files) <= MOST_MERGED_BYTES
        if hour < current and small and (len(files) > 1 or files[0].stem != hour):
            seen: set[int] = set()
            _put(folder / f"{hour}.parquet", pa.concat_tables([_unseen(pq.read_table(file), seen) for file in files]))
            for file in files:
                if file.stem != hour:
                    file.unlink(missing_ok=True)


def prune(folder: Path, now: datetime, days: int, megabytes: int) -> int:
    """Delete hours that are older than so many days, and the oldest above so many MB; return how many files went.

    Raises:
        OSError: the folder cannot be written.
    """
    oldest = _hour(int((now.timestamp() - days * 86_400) * 1000))
    left, deleted = megabytes * 1_000_000, 0
    for hour, files in sorted(_by_hour(folder).items(), reverse=True):
        left -= sum(file.stat().st_size for file in files)
        if hour < oldest or left < 0:
            for file in files:
                file.unlink(missing_ok=True)
                deleted += 1
    return deleted


def read(folder: Path, since: datetime | None = None, until: datetime | None = None) -> Iterator[pa.Table]:
    """Yield the rows of one file after the other, by hour, each list once.

    Args:
        folder: where from.
        since: lists that were served at this time or later; None: all.
        until: lists that were served before this time; None: all.
    """
    first = _hour(int(since.timestamp() * 1000)) if since else ""
    last = _hour(int(until.timestamp() * 1000)) if until else "~"
    for hour, files in sorted(_by_hour(folder).items()):
        if first <= hour <= last:
            seen: set[int] = set()
            for file in files:
                rows = _unseen(pq.read_table(file), seen)
                served = rows["servedAt"].to_pylist()
                mask = [(since is None or at >= since) and (until is None or at < until) for at in served]
                yield rows.filter(pa.array(mask, pa.bool_()))


def _by_hour(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(folder.glob("*.parquet")):
        if match := NAME.fullmatch(file.name):
            found[match[1]].append(file)
    return found


def _hour(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H")


def _is_whole(one: Mapping[str, Any]) -> bool:
    columns = [one.get(name) for name in ("itemId", "score", "propensity")]
    return (
        isinstance(one.get("recommendationId"), str)
        and isinstance(one.get("servedMs"), int)
        and 0 <= one["servedMs"] < 1 << 42
        and all(one.get(name) is None or isinstance(one[name], str) for name in OF_LIST)
        and all(isinstance(column, list) and len(column) <= MOST_ITEMS for column in columns)
        and len({len(column) for column in columns if column is not None}) == 1
        and all(isinstance(item, str) for item in one["itemId"])
        and all(isinstance(n, int | float) for name in ("score", "propensity") for n in one[name])
    )


def _table(lists: Sequence[Mapping[str, Any]]) -> pa.Table:
    lengths = [len(each["itemId"]) for each in lists]
    columns: dict[str, list[Any]] = {
        name: [each.get(name) for each, length in zip(lists, lengths, strict=True) for _ in range(length)]
        for name in (*OF_LIST, "servedMs")
    }
    columns["servedAt"] = columns.pop("servedMs")
    columns["rank"] = [rank for length in lengths for rank in range(1, length + 1)]
    columns |= {name: [one for each in lists for one in each[name]] for name in ("itemId", "score", "propensity")}
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in SCHEMA}, schema=SCHEMA)


def _unseen(rows: pa.Table, seen: set[int]) -> pa.Table:
    """Return the rows of lists that are not among the seen ones, and add these; a list's rows stand together."""
    mask: list[bool] = []
    is_new = False
    for list_id, rank in zip(rows["recommendationId"].to_pylist(), rows["rank"].to_pylist(), strict=True):
        if rank == 1:
            mark = hash(list_id)
            is_new = mark not in seen
            seen.add(mark)
        mask.append(is_new)
    return rows if all(mask) else rows.filter(pa.array(mask, pa.bool_()))


def _put(file: Path, rows: pa.Table) -> None:
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        pq.write_table(rows, partial, compression="zstd")
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
