"""Files to raw tables: Kith's own input folders and the public benchmark forms, recognised by their names and headers.

A raw table is in the columns of the contract; every value is a str (CSV) or a Python value (Parquet), None where
missing; nothing is judged yet but what makes a file unreadable.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportReturnType=false, reportCallIssue=false, reportIndexIssue=false
# pandas has no stubs of its own; its inferred types are unions of everything a frame may give.

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from graph.errors import InputError
from graph.raw_tables import ROW, BadRow, RawTable, read_csv, read_parquet

TABLES: Final = ("users", "items", "friends", "follows", "interactions", "shares", "opens")
FORMS: Final = ("tables", "interactions", "share-events", "share-links", "cascades", "graph")
NEEDED: Final = {
    "users": ("userId",),
    "items": ("itemId",),
    "friends": ("userId", "friendId"),
    "follows": ("userId", "friendId"),
    "interactions": ("userId", "itemId", "type"),
    "shares": ("userId", "itemId"),
    "opens": ("userId", "shareId"),
}
"""Columns that each table must have."""


@dataclass(slots=True)
class RawFolder:
    """What a folder holds."""

    dataset: str
    form: str
    tables: list[RawTable]

    @property
    def is_benchmark(self) -> bool:
        """Whether it is public data, whose people agreed to everything that Kith does."""
        return self.form != "tables"


def read_folder(folder: Path, form: str = "auto") -> RawFolder:
    """Read every file of the folder.

    Args:
        folder: its name is the name of the data set.
        form: one of `FORMS`, or `auto`.

    Raises:
        InputError: no form fits, or a file is missing or malformed; one line: file, line, reason.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder")
    if form != "auto" and form not in FORMS:
        raise InputError(f"{form!r} is not a form: use auto, {', '.join(FORMS)}")
    chosen = recognise(folder) if form == "auto" else form
    dataset = folder.resolve().name
    if chosen == "graph" and form == "auto":
        raise InputError(f"{folder.name}: a bare graph; it is imported as follows only with --format graph")
    return RawFolder(dataset, chosen, READERS[chosen](folder, dataset))


def recognise(folder: Path) -> str:
    """Return the form that the folder's files have.

    Raises:
        InputError: none.
    """
    if (folder / "cascades.txt").exists():
        return "cascades"
    if (folder / "train.csv").exists():
        header = _header(folder / "train.csv")
        for form, columns in HEADERS.items():
            if header == list(columns):
                return form
        raise InputError(f"train.csv, line 1, columns {','.join(header)[:100]} are those of no known form")
    if any(_table_file(folder, name) for name in TABLES):
        return "tables"
    if (folder / "edges.txt").exists():
        return "graph"
    raise InputError(f"{folder.name}: holds none of {', '.join(TABLES)} (csv or parquet) and no known benchmark form")


HEADERS: Final = {
    "interactions": ("user", "item"),
    "share-events": ("inviter", "item", "voter", "timestamp"),
    "share-links": ("inviter", "voter"),
}


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        return next(csv.reader(file), [])


def _table_file(folder: Path, name: str) -> Path | None:
    found = [path for end in ("csv", "parquet") if (path := folder / f"{name}.{end}").exists()]
    if len(found) > 1:
        raise InputError(f"{name}.csv and {name}.parquet are both there: keep one")
    return found[0] if found else None


def _read_tables(folder: Path, dataset: str) -> list[RawTable]:
    tables: list[RawTable] = []
    for name in TABLES:
        if path := _table_file(folder, name):
            frame, bad = (read_csv if path.suffix == ".csv" else read_parquet)(path)
            if missing := [column for column in NEEDED[name] if column not in frame]:
                raise InputError(f"{path.name}, line 1, column {missing[0]} is missing")
            tables.append(RawTable(name, path.name, frame, bad))
    return tables


def _read_benchmark_csv(path: Path, columns: tuple[str, ...]) -> tuple[pd.DataFrame, list[BadRow]]:
    if not path.exists():
        raise InputError(f"{path.name}, line 1, the file is missing")
    frame, bad = read_csv(path)
    if missing := [column for column in columns if column not in frame]:
        raise InputError(f"{path.name}, line 1, column {missing[0]} is missing")
    return frame, bad


def _named(dataset: str, kind: str, numbers: pd.Series) -> pd.Series:
    """Return ids such as `lastfm:u12`, None where the number is missing."""
    return pd.Series([None if n is None else f"{dataset}:{kind}{n}" for n in numbers], dtype=object)


def _table(name: str, file: str, columns: dict[str, Any], row: pd.Series, bad: list[BadRow]) -> RawTable:
    frame = pd.DataFrame({key: pd.Series(values, dtype=object) for key, values in columns.items()})
    frame[ROW] = row.to_numpy()
    return RawTable(name, file, frame, bad)


def _read_interactions(folder: Path, dataset: str) -> list[RawTable]:
    tables: list[RawTable] = []
    if (folder / "items.csv").exists():
        frame, bad = _read_benchmark_csv(folder / "items.csv", ("item",))
        extra = {"title" if name == "name" else name: frame[name] for name in frame if name not in ("item", ROW)}
        ids = {"itemId": _named(dataset, "i", frame["item"])}
        tables.append(_table("items", "items.csv", ids | extra, frame[ROW], bad))
    if (folder / "social.csv").exists():
        frame, bad = _read_benchmark_csv(folder / "social.csv", ("user", "friend"))
        ids = {"userId": _named(dataset, "u", frame["user"]), "friendId": _named(dataset, "u", frame["friend"])}
        tables.append(_table("friends", "social.csv", ids, frame[ROW], bad))
    frame, bad = _read_benchmark_csv(folder / "train.csv", HEADERS["interactions"])
    columns = {
        "userId": _named(dataset, "u", frame["user"]),
        "itemId": _named(dataset, "i", frame["item"]),
        "type": ["like"] * len(frame),
    }
    return [*tables, _table("interactions", "train.csv", columns, frame[ROW], bad)]


def _read_share_events(folder: Path, dataset: str) -> list[RawTable]:
    frame, bad = _read_benchmark_csv(folder / "train.csv", HEADERS["share-events"])
    inviter, voter = _named(dataset, "u", frame["inviter"]), _named(dataset, "u", frame["voter"])
    item = _named(dataset, "i", frame["item"])
    at = frame["timestamp"]
    share = pd.Series(
        [f"{dataset}:s{i}-{m}-{t}" for i, m, t in zip(frame["inviter"], frame["item"], at, strict=True)], dtype=object
    )
    shares = {"shareId": share, "userId": inviter, "itemId": item, "occurredAt": at, "recipientId": voter}
    opens = {"userId": voter, "shareId": share, "occurredAt": at}
    return [
        _table("shares", "train.csv", shares, frame[ROW], bad),
        _table("opens", "train.csv", opens, frame[ROW], []),
    ]


def _read_share_links(folder: Path, dataset: str) -> list[RawTable]:
    frame, bad = _read_benchmark_csv(folder / "train.csv", HEADERS["share-links"])
    ids = {"userId": _named(dataset, "u", frame["voter"]), "friendId": _named(dataset, "u", frame["inviter"])}
    return [_table("follows", "train.csv", ids, frame[ROW], bad)]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    if not path.exists():
        raise InputError(f"{path.name}, line 1, the file is missing")
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        yield from ((number, line.strip()) for number, line in enumerate(file, 1) if line.strip())


def _read_cascades(folder: Path, dataset: str) -> list[RawTable]:
    """One item per line; its first event is the root share, the later ones are shares of which no parent is known."""
    shares, rows, bad = _cascade_shares(_lines(folder / "cascades.txt"), dataset)
    names = ("shareId", "rootShareId", "userId", "itemId", "occurredAt")
    columns = {name: [share[at] for share in shares] for at, name in enumerate(names)}
    tables = [_table("shares", "cascades.txt", columns, pd.Series(rows, dtype="int64"), bad)]
    if (folder / "edges.txt").exists():
        tables.insert(0, _edges(folder, dataset, ",", skip=0))
    return tables


def _cascade_shares(
    lines: Iterator[tuple[int, str]], dataset: str
) -> tuple[list[tuple[Any, ...]], list[int], list[BadRow]]:
    shares: list[tuple[Any, ...]] = []
    rows: list[int] = []
    bad: list[BadRow] = []
    for number, line in lines:
        events = [event.split() for event in line.rstrip(",").split(",")]
        if len(events[0]) == 3:  # ROOT USER SECONDS: the root acted at the same time as the first follower
            root, user, seconds = events[0]
            events[:1] = [[root, seconds], [user, seconds]]
        try:
            timed = [(user, datetime.fromtimestamp(float(seconds), UTC)) for user, seconds in events]
        except (ValueError, OverflowError, OSError):
            bad.append(("cascades.txt", number, "is not a list of USER SECONDS"))
            continue
        root_id = f"{dataset}:s{number}-0"
        for position, (user, at) in enumerate(timed):
            root_share = root_id if position else None
            shares.append(
                (f"{dataset}:s{number}-{position}", root_share, f"{dataset}:u{user}", f"{dataset}:i{number}", at)
            )
            rows.append(number)
    return shares, rows, bad


def _read_graph(folder: Path, dataset: str) -> list[RawTable]:
    return [_edges(folder, dataset, None, skip=1)]


def _edges(folder: Path, dataset: str, separator: str | None, skip: int) -> RawTable:
    source: list[str] = []
    target: list[str] = []
    rows: list[int] = []
    bad: list[BadRow] = []
    for number, line in _lines(folder / "edges.txt"):
        ends = line.split(separator)
        if number <= skip:
            continue
        if len(ends) == 2:
            source.append(f"{dataset}:u{ends[0].strip()}")
            target.append(f"{dataset}:u{ends[1].strip()}")
            rows.append(number)
        else:
            bad.append(("edges.txt", number, "is not a pair of users"))
    row = pd.Series(rows, dtype="int64")
    return _table("follows", "edges.txt", {"userId": source, "friendId": target}, row, bad)


READERS: Final[dict[str, Callable[[Path, str], list[RawTable]]]] = {
    "tables": _read_tables,
    "interactions": _read_interactions,
    "share-events": _read_share_events,
    "share-links": _read_share_links,
    "cascades": _read_cascades,
    "graph": _read_graph,
}
