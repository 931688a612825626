"""Bulk load: a folder into an empty local store through Neo4j's own import tool.

The graph is the one that the ordinary import (`graph.files`) makes, sooner for large folders, because nothing travels
through transactions. The store is built beside the real one and takes its place at the end, whole: a crash leaves the
empty one.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from graph import connection, schema
from graph.bulk_events import Events
from graph.bulk_sheets import Sheets, times
from graph.bulk_tables import Load, write_items, write_ties, write_users
from graph.connection import Graph
from graph.errors import InputError, LocalServerError
from graph.files import BATCH, ImportReport, Loader, Progress, purposes_of, set_aside, silent, timed
from graph.formats import RawFolder, read_folder
from graph.server import config, neo4j
from graph.server.admin import run_admin
from graph.settings import Settings
from graph.table_rules import Judged, judged

AWAIT_S = 7_200
"""How long an index over a full store may take."""
STAGES = 3
"""What is done after the tables: import, indexes, exchange."""
PREFIX = "bulk-"


def load_folder(
    settings: Settings,
    folder: Path,
    fmt: str = "auto",
    progress: Progress | None = None,
    *,
    quarantine: Path | None = None,
    consent: Sequence[str] | None = None,
) -> ImportReport:
    """Fill the empty local store with a folder; no server may run on it, and none runs afterwards.

    Args:
        settings: of the local store; `unknown_ids` and `consent_default` as for `import_folder`.
        folder: as for `import_folder`.
        fmt: as for `import_folder`.
        progress: called after every part of a table and every stage.
        quarantine: as for `import_folder`.
        consent: as for `import_folder`.

    Raises:
        InputError: a file is missing or malformed, the server is not the local one or runs, or the store holds
            something; nothing was changed.
        LocalServerError: Java, the jars or the import tool failed; the store is as empty as it was.
        GraphError: the loaded store could not be completed; the store is as empty as it was.
    """
    started = time.monotonic()
    if not settings.is_local_neo4j:
        raise InputError("a bulk load fills Kith's own Neo4j only: NEO4J_URI names another, import without --bulk")
    raw = read_folder(Path(folder), fmt)
    neo4j.prepare(settings)
    with _reserved(settings), _scratch(settings) as place:
        tables, consents = judged(raw.tables, time.time()), purposes_of(raw, settings, consent)
        report = _Bulk(settings, raw, tables, consent=consents, place=place, progress=progress or silent).run()
        set_aside(report, settings, tables.bad, quarantine)
        _exchange(settings, place)
    return timed(report, started)


class _Bulk:
    def __init__(
        self, settings: Settings, raw: RawFolder, tables: Judged, *, consent: list[str], place: Path, progress: Progress
    ) -> None:
        self._settings = settings
        self._own = neo4j.on_free_ports(replace(settings, home=place, neo4j_password=settings.password()))
        self._raw = raw
        self._tables = tables
        self._consent = consent
        self._place = place
        self._progress = progress

    def run(self) -> ImportReport:
        """Build the store under the scratch folder, up to its stop."""
        sheets, load = self._write_sheets()
        nodes, relationships = sheets.counts()
        if nodes:
            self._progress("load", 0, STAGES)
            run_admin(self._own, sheets.arguments(self._place / "report"))
            shutil.rmtree(sheets.folder)
        self._progress("load", 1, STAGES)
        with neo4j.running(self._own, stop_timeout_s=AWAIT_S), connection.connect(self._own) as graph:
            found = graph.read("bulk.counts", timeout_s=AWAIT_S)[0]
            if (found["nodes"], found["relationships"]) != (nodes, relationships):
                raise LocalServerError(f"the import tool wrote {found} of {nodes} nodes, {relationships} relationships")
            schema.apply(graph, await_s=AWAIT_S)
            graph.auto("bulk.complete_consent", timeout_s=AWAIT_S)
            self._progress("load", 2, STAGES)
            report = self._write_rest(graph, load)
        self._progress("load", 3, STAGES)
        return report

    def _write_sheets(self) -> tuple[Sheets, Load]:
        folder = self._place / "sheets"
        folder.mkdir()
        now = times([int(time.time() * 1000)])[0]
        with Sheets(folder) as sheets:
            load = Load(
                sheets, self._raw.dataset, self._tables, self._consent, self._settings.unknown_ids == "create",
                str(now), self._progress,
            )  # fmt: skip
            write_users(load)
            write_items(load)
            write_ties(load)
            events = Events(load)
            events.write_interactions()
            events.write_shares()
            events.write_opens()
        return sheets, load

    def _write_rest(self, graph: Graph, load: Load) -> ImportReport:
        """Let the ordinary import do what the sheets could not say."""
        frames = self._tables.frames
        lacking = {"users": load.rest.users, "items": load.rest.items}
        chosen = {name: frames[name].iloc[rows].reset_index(drop=True) for name, rows in lacking.items() if rows}
        part = Judged(chosen, self._tables.extras, self._tables.files, self._tables.bad)
        loader = Loader(graph, self._settings, self._raw, part, consent=self._consent)
        loader.entities()
        for table, pairs in load.rest.events.items():
            for start in range(0, len(pairs), BATCH):
                loader.write(table, pairs[start : start + BATCH])
        report = loader.report
        report.rows = load.rows
        report.accepted += load.accepted
        report.duplicates += load.duplicates
        return report


@contextlib.contextmanager
def _reserved(settings: Settings) -> Iterator[None]:
    """Make sure that the store is empty and nobody's, and keep servers away from it meanwhile."""
    databases = config.neo4j_home(settings) / "data" / "databases"
    databases.mkdir(parents=True, exist_ok=True)
    with (databases / "store_lock").open("ab") as lock:
        _take(lock.fileno())
        if (databases / "neo4j").exists():
            fcntl.lockf(lock, fcntl.LOCK_UN)
            _refuse_content(settings)
            _take(lock.fileno())
        yield


def _take(descriptor: int) -> None:
    """Take Neo4j's own lock on a store, as its server would."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError("the local Neo4j runs: stop it with `kith down`, or import without --bulk") from None


def _refuse_content(settings: Settings) -> None:
    with neo4j.running(neo4j.on_free_ports(settings)) as own, connection.connect(own) as graph:
        schema.current_version(graph)
        if found := graph.read("bulk.contents", timeout_s=AWAIT_S):
            said = ", ".join(f"{row['nodes']:,} {row['label']}" for row in found[:3])
            raise InputError(f"the store is not empty ({said}): a bulk load fills an empty one; import without --bulk")


@contextlib.contextmanager
def _scratch(settings: Settings) -> Iterator[Path]:
    """Yield a folder on the store's disk, gone afterwards, with what killed loads left behind."""
    for old in settings.home.glob(f"{PREFIX}*"):
        shutil.rmtree(old, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=settings.home))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _exchange(settings: Settings, place: Path) -> None:
    """Put the new store where the empty one lies; between the renames there is none, which starts as an empty one."""
    data = config.neo4j_home(settings) / "data"
    data.rename(place / "empty")
    (place / "neo4j" / "data").rename(data)
