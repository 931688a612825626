"""Read `inviter,item,voter,timestamp` and `inviter,voter` files, with the line and the reason of what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.errors import DataError
from engine.serving.sharetarget.history import History, Int

EVENT = ("inviter", "item", "voter", "timestamp")
LINK = ("inviter", "voter")
MAX_ROWS = 20_000_000
"""A file with more is refused."""


@dataclass(frozen=True, slots=True)
class Events:
    """Rows of one file, as they stand there."""

    inviter: Int
    """(E,) ids as in the file."""
    item: Int
    """(E,)"""
    voter: Int
    """(E,)"""
    time_s: Int
    """(E,) seconds since 1970."""

    def __len__(self) -> int:
        return len(self.inviter)


@dataclass(frozen=True, slots=True)
class Folder:
    """A benchmark folder under one numbering of users and items, ascending by id."""

    train: History
    history: History
    """train and what was added to it."""
    test: History
    users: int


def read_events(path: Path) -> Events:
    """Return the events of a file.

    Raises:
        DataError: no such file, or file, line and reason of the first bad row.
    """
    columns = _read(path, EVENT)
    when = pd.to_datetime(columns["timestamp"], errors="coerce", format="ISO8601", utc=True)
    _refuse(path, when.isna(), columns["timestamp"], "is not a time")
    time_s = when.dt.as_unit("s").astype("int64").to_numpy()
    return Events(*(_whole(path, columns, name) for name in EVENT[:3]), time_s)


def read_links(path: Path) -> tuple[Int, Int]:
    """Return (inviter, voter) of a file of distinct links.

    Raises:
        DataError: no such file, or file, line and reason of the first bad row.
    """
    columns = _read(path, LINK)
    inviter, voter = (_whole(path, columns, name) for name in LINK)
    return inviter, voter


def read_folder(folder: Path, test: Path, further: Sequence[Path] = ()) -> Folder:
    """Return train, train with the further history, and test.

    Raises:
        DataError: a file is missing or malformed, or train or test has no rows.
    """
    train, asked = read_events(Path(folder) / "train.csv"), read_events(Path(test))
    for part, path in ((train, Path(folder) / "train.csv"), (asked, Path(test))):
        if not len(part):
            raise DataError(f"{path}: line 2: there is no row")
    more = [train, *(read_events(Path(path)) for path in further)]
    every = [*more, asked]
    users = np.unique(np.concatenate([column for part in every for column in (part.inviter, part.voter)]))
    items = np.unique(np.concatenate([part.item for part in every]))

    def history(parts: Sequence[Events]) -> History:
        columns = [
            np.searchsorted(ids, np.concatenate([getattr(part, name) for part in parts]))
            for ids, name in ((users, "inviter"), (items, "item"), (users, "voter"))
        ]
        time_s = np.concatenate([part.time_s for part in parts])
        return History.of(*columns, time_s, users=len(users), items=len(items))

    return Folder(history([train]), history(more), history([asked]), len(users))


def _read(path: Path, names: Sequence[str]) -> pd.DataFrame:
    """Return the named columns as text; blank lines count as rows, so that line numbers are the file's."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False, nrows=MAX_ROWS + 1)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, IsADirectoryError) as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from None
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise DataError(f"{path}: line 1: no column {missing[0]!r}; expected {','.join(names)}")
    if len(frame) > MAX_ROWS:
        raise DataError(f"{path}: line {MAX_ROWS + 2}: more than {MAX_ROWS} rows")
    return frame[list(names)]


def _whole(path: Path, columns: pd.DataFrame, name: str) -> Int:
    text = columns[name].str.strip()
    _refuse(path, ~text.str.fullmatch(r"[0-9]{1,18}"), columns[name], f"is no whole number for {name}")
    return text.astype("int64").to_numpy()


def _refuse(path: Path, bad: pd.Series, text: pd.Series, reason: str) -> None:
    places = np.flatnonzero(bad.to_numpy())
    if len(places):
        raise DataError(f"{path}: line {places[0] + 2}: {text.iloc[places[0]]!r} {reason}")
