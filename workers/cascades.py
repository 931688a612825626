"""`python -m workers.cascades`: keeps the numbers of cascades up to date while events come in.

Writers of events note what changed; this process counts it, five times a second where there is anything. Two of them
do no harm: one counts at a time. SIGTERM ends it after the transaction it is in.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading

from graph import cascades, logs, schema
from graph.connection import Graph, connect
from graph.errors import GraphError, SchemaError
from graph.settings import Settings
from workers.patience import Patience, Stopped

log = logging.getLogger("kith.workers")

POLL_S = 0.2
"""Between two looks where nothing has changed."""


def run(graph: Graph, settings: Settings, stop: threading.Event) -> None:
    """Count until told to stop, and mark every turn in `run/cascades.mark`, so that others see that it goes on.

    Raises:
        SchemaError: the graph is not prepared, or for a newer Kith.
    """
    patience = Patience("Neo4j", stop)
    checked = False
    mark = settings.home / "run" / "cascades.mark"
    mark.parent.mkdir(parents=True, exist_ok=True)
    try:
        while not stop.is_set():
            mark.touch()
            try:
                if not checked:
                    schema.check(graph)
                    checked = True
                if not cascades.count(graph, settings):
                    stop.wait(POLL_S)
                patience.well()
            except SchemaError:
                raise
            except GraphError as error:
                patience.wait(error)
    except Stopped:
        return


def main() -> int:
    """Count until SIGTERM; return 0, or 2 when a setting is wrong, 1 when the graph is not prepared."""
    logs.set_up()
    stop = threading.Event()
    try:
        settings = Settings.load()
        graph = connect(settings)
    except GraphError as error:
        log.error("%s", error)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with graph:
        log.info("counting cascades")
        try:
            run(graph, settings, stop)
        except SchemaError as error:
            log.error("%s", error)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
