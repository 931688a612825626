"""Import of folders: bad rows set aside with file, line and reason; the same folder again changes nothing."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportReturnType=false, reportCallIssue=false, reportIndexIssue=false
# pandas has no stubs of its own; its inferred types are unions of everything a frame may give.

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

from graph import row_events
from graph.connection import Graph
from graph.entities import write_items, write_users
from graph.event_shapes import Event, body_hash
from graph.events import Entry
from graph.events import write as write_events
from graph.formats import RawFolder, read_folder
from graph.raw_tables import ROW, BadRow
from graph.settings import CONSENT_PURPOSES, Settings
from graph.table_rules import TEXTS, Judged, judged

WRITERS: Final = 2
BATCH: Final = 2_000
STUBS_AT_ONCE: Final = 5_000

Progress = Callable[[str, int, int], None]
"""Called with stage, rows done and rows in all."""


@dataclass(slots=True)
class ImportReport:
    """What an import did."""

    dataset: str
    form: str
    rows: dict[str, int] = field(default_factory=dict)
    """Good rows per table."""
    accepted: int = 0
    """Events that were new."""
    duplicates: int = 0
    """Events that were there."""
    quarantined: int = 0
    quarantine: str = ""
    """File of the bad rows, empty where there are none."""
    seconds: float = 0.0
    rows_per_s: float = 0.0


def import_folder(
    graph: Graph,
    settings: Settings,
    folder: Path,
    fmt: str = "auto",
    progress: Progress | None = None,
    *,
    quarantine: Path | None = None,
    consent: Sequence[str] | None = None,
    writers: int = WRITERS,
) -> ImportReport:
    """Bring the tables of a folder into the graph; may be stopped at any time and begun again.

    Args:
        graph: where to.
        settings: `unknown_ids`, `consent_default`, and `home` for the quarantine file.
        folder: an input folder of the contract or a public benchmark.
        fmt: one of `graph.formats.FORMS`, or `auto`.
        progress: called after every batch.
        quarantine: where bad rows go; None: `KITH_HOME/quarantine/<folder>.csv`.
        consent: of users who state none; None: the setting, and everything for public benchmarks.
        writers: transactions side by side.

    Raises:
        InputError: a file is missing or malformed; one line: file, line, reason. Nothing was written.
        UnavailableError: Neo4j does not answer; what was written stays.
    """
    started = time.monotonic()
    raw = read_folder(Path(folder), fmt)
    tables, purposes = judged(raw.tables, time.time()), purposes_of(raw, settings, consent)
    work = Loader(graph, settings, raw, tables, consent=purposes, progress=progress or silent, writers=writers)
    try:
        work.run()
    finally:
        set_aside(work.report, settings, work.bad, quarantine)
    return timed(work.report, started)


def purposes_of(raw: RawFolder, settings: Settings, consent: Sequence[str] | None) -> list[str]:
    """Return what users agree to who state nothing: `consent`, else the setting, else everything in public data."""
    default = CONSENT_PURPOSES if raw.is_benchmark else settings.consent_default
    return list(default if consent is None else consent)


def set_aside(report: ImportReport, settings: Settings, bad: Sequence[BadRow], file: Path | None) -> None:
    """Write the bad rows to `file`, by default `KITH_HOME/quarantine/<folder>.csv`, and say so in the report."""
    report.quarantined = len(bad)
    report.quarantine = write_quarantine(file or settings.home / "quarantine" / f"{report.dataset}.csv", bad)


def timed(report: ImportReport, started: float) -> ImportReport:
    """Return the report with its seconds since `started` (`time.monotonic`) and its rate."""
    report.seconds = round(time.monotonic() - started, 3)
    report.rows_per_s = round(sum(report.rows.values()) / max(report.seconds, 1e-3), 1)
    return report


def write_quarantine(file: Path, bad: Sequence[BadRow]) -> str:
    """Write bad rows as CSV `file,line,reason` and return the file's name; none: remove what lay there, return ""."""
    if not bad:
        file.unlink(missing_ok=True)
        return ""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", errors="backslashreplace", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("file", "line", "reason"))
        writer.writerows(sorted(bad))
    return str(file)


def silent(stage: str, done: int, total: int) -> None:
    """Report to nobody."""


class Loader:
    """Writes judged tables in transactions; `bad` grows by what the graph refuses."""

    def __init__(
        self,
        graph: Graph,
        settings: Settings,
        raw: RawFolder,
        tables: Judged,
        *,
        consent: list[str],
        progress: Progress = silent,
        writers: int = WRITERS,
    ) -> None:
        self._graph = graph
        self._settings = settings
        self._dataset = raw.dataset
        self._consent = consent
        self._progress = progress
        self._writers = writers
        self._lock = threading.Lock()
        self.report = ImportReport(raw.dataset, raw.form)
        self._tables = tables
        self._frames, self._extras, self._files = tables.frames, tables.extras, tables.files
        self.bad = tables.bad

    def run(self) -> None:
        """Write every table."""
        if self._settings.unknown_ids == "refuse":
            self._refuse_unknown()
        self.entities()
        self._stubs()
        self._ties("friends", "events.start_friends", row_events.friend_rows)
        self._ties("follows", "events.start_follows", row_events.follow_rows)
        if (frame := self._frames.get("interactions")) is not None:
            self._events("interactions", frame, row_events.interaction_events)
        if (frame := self._frames.get("shares")) is not None:
            self._shares(frame)
        if (frame := self._frames.get("opens")) is not None:
            self._events("opens", frame, row_events.open_events)

    def entities(self) -> None:
        """Write users and items."""
        self._users()
        self._items()

    def _users(self) -> None:
        frame = self._frames.get("users")
        if frame is None:
            return
        said = row_events.column(frame, "consent")
        rows = row_events.entity_rows(frame, "userId", self._extras["users"])
        rows = [[*row, self._consent if one is None else one] for row, one in zip(rows, said, strict=True)]
        stated = {row[0] for row, one in zip(rows, said, strict=True) if one is not None}
        for batch in self._batches("users", rows):
            consents = [[row[0], row[3]] for row in batch if row[0] in stated]
            write_users(self._graph, batch, consents, imported=True, rejected=[])

    def _items(self) -> None:
        frame = self._frames.get("items")
        if frame is None:
            return
        known = [name for name in (*TEXTS, "priceMinor", "currency", "tags") if name in frame]
        rows = row_events.entity_rows(frame, "itemId", [*known, *self._extras["items"]])
        for batch in self._batches("items", rows):
            write_items(self._graph, batch, imported=True, rejected=[])

    def _batches(self, stage: str, rows: list[Any]) -> Iterator[list[Any]]:
        self.report.rows[stage] = len(rows)
        for start in range(0, len(rows), BATCH):
            yield rows[start : start + BATCH]
            self._progress(stage, min(start + BATCH, len(rows)), len(rows))

    def _named(self, columns: Sequence[str]) -> list[str]:
        ids: set[str] = set()
        for name, frame in self._frames.items():
            if name not in ("users", "items"):
                ids.update(*(frame[one].dropna() for one in columns if one in frame))
        return sorted(ids)

    def _stubs(self) -> None:
        if self._settings.unknown_ids == "refuse":
            return
        users = self._named(("userId", "friendId", "recipientId"))
        for start in range(0, len(users), STUBS_AT_ONCE):
            ids = users[start : start + STUBS_AT_ONCE]
            self._graph.write("events.create_users", ids=ids, consent=self._consent)
        items = self._named(("itemId",))
        for start in range(0, len(items), STUBS_AT_ONCE):
            self._graph.write("events.create_items", ids=items[start : start + STUBS_AT_ONCE])

    def _refuse_unknown(self) -> None:
        described = self._frames.get("users", pd.DataFrame({"userId": []}))
        ids = self._named(("userId", "friendId"))
        unknown = {row["userId"] for row in self._graph.read("entities.unknown_users", ids=ids)}
        self._tables.refuse_unknown(unknown - set(described["userId"]))

    def _ties(self, stage: str, query: str, rows_of: Callable[[pd.DataFrame], list[list[Any]]]) -> None:
        frame = self._frames.get(stage)
        if frame is None:
            return
        rows = rows_of(frame)

        def write(batch: list[Any]) -> None:
            self._graph.write(query, rows=batch)

        self._in_parallel(stage, row_events.parts(rows, lambda row: row[0], self._writers), write)

    def _events(
        self, stage: str, frame: pd.DataFrame, events_of: Callable[[pd.DataFrame, str, Sequence[str]], list[Event]]
    ) -> None:
        frame = frame.sort_values("userId", kind="stable").reset_index(drop=True)
        users, lines = list(frame["userId"]), list(frame[ROW])

        def write(positions: list[int]) -> None:
            events = events_of(frame.take(positions), self._dataset, self._extras[stage])
            self.write(stage, [(event, lines[at]) for event, at in zip(events, positions, strict=True)])

        self._in_parallel(stage, row_events.parts(range(len(frame)), lambda at: users[at], self._writers), write)

    def _shares(self, frame: pd.DataFrame) -> None:
        events, lines = row_events.share_events(frame, self._dataset, self._extras["shares"])
        parents = {event["shareId"]: event["parentShareId"] for event in events if "parentShareId" in event}
        pairs = list(zip(events, lines, strict=True))
        split = row_events.parts(pairs, lambda pair: row_events.root_of(pair[0], parents), self._writers)
        self._in_parallel("shares", split, lambda batch: self.write("shares", batch))

    def write(self, stage: str, batch: list[tuple[Event, int]]) -> None:
        """Write events and the rows they came from in one transaction."""
        entries = [Entry(line, event, body_hash(event)) for event, line in batch]
        written = write_events(self._graph, self._settings, entries, imported=True, consent=self._consent)
        with self._lock:
            self.report.accepted += written.accepted
            self.report.duplicates += written.duplicates
            self.bad += [(self._files[stage], one.index, one.problem["detail"]) for one in written.rejected]

    def _in_parallel(self, stage: str, split: list[list[Any]], write: Callable[[list[Any]], None]) -> None:
        """Let one thread per part write it in batches; the first error stops all."""
        total = sum(len(part) for part in split)
        self.report.rows[stage] = total
        done = 0
        stop = threading.Event()

        def work(part: list[Any]) -> None:
            nonlocal done
            for start in range(0, len(part), BATCH):
                if stop.is_set():
                    return
                batch = part[start : start + BATCH]
                try:
                    write(batch)
                except BaseException:
                    stop.set()
                    raise
                with self._lock:
                    done += len(batch)
                    self._progress(stage, done, total)

        with ThreadPoolExecutor(len(split), thread_name_prefix="import") as pool:
            for finished in [pool.submit(work, part) for part in split]:
                finished.result()
