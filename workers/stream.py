"""`python -m workers.stream`: the consumer of the shop's event stream, `KITH_EVENT_STREAM` on the broker.

What `POST /v1/events` does with a request it does with a batch of entries: `graph.events.ingest`, once each. It takes
up what dead consumers left, reads what is new, and waits where Neo4j or the broker is away. SIGTERM ends it within
ten seconds; what is not acknowledged then is the next one's.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time

from redis.exceptions import RedisError

from graph import logs, schema
from graph.connection import Graph, connect
from graph.errors import GraphError, SchemaError, SettingsError
from graph.settings import Settings
from workers import alive, event_stream
from workers.event_stream import EventStream
from workers.intake import Intake
from workers.patience import Patience, Stopped

log = logging.getLogger("kith.workers")

MOST_ENTRIES = 1_000
"""In one transaction."""
POLL_S = 0.2
"""Between two looks at a stream that has nothing new."""
LEFT_EVERY_S = 10.0
"""Between two looks for entries that a dead consumer left."""
LEFT_AFTER_S = 1.0
"""After the broker was away own ones are looked for so soon; new ones come before, so that neither blocks the other."""
SOCKET_TIMEOUT_S = 5.0
GRACE_S = 8.0
"""From SIGTERM until the process ends, whatever it waits for."""


class Consumer:
    """Reads one stream into one graph until it is told to stop."""

    def __init__(self, stream: EventStream, graph: Graph, settings: Settings, stop: threading.Event) -> None:
        self._stream = stream
        self._graph = graph
        self._most_bytes = settings.max_body_bytes
        self._stop = stop
        self._neo4j, self._broker = Patience("Neo4j", stop), Patience("the broker", stop)
        self._intake = Intake(stream, graph, settings, self._neo4j)
        self._left_at = 0.0

    def run(self) -> None:
        """Work until told to stop.

        Raises:
            SchemaError: the graph is not prepared, or for a newer Kith.
        """
        try:
            self._check_schema()
            while not self._stop.is_set():
                try:
                    self._stream.prepare()
                    while not self._stop.is_set():
                        self._turn()
                        self._broker.well()
                except (RedisError, OSError) as error:
                    self._broker.wait(error)
                    self._left_at = time.monotonic() + LEFT_AFTER_S
        except Stopped:
            return

    def _turn(self) -> None:
        """Take one batch, of what is left when that is due, else of what is new."""
        if time.monotonic() >= self._left_at:
            self._left_at = time.monotonic() + LEFT_EVERY_S
            if left := self._stream.take_over(MOST_ENTRIES, self._most_bytes):
                self._left_at = 0.0
                self._intake.take(left)
                return
            self._stream.forget_silent()
        if new := self._stream.read(MOST_ENTRIES, self._most_bytes):
            self._intake.take(new)
        else:
            self._stop.wait(POLL_S)

    def _check_schema(self) -> None:
        while True:
            try:
                schema.check(self._graph)
                self._neo4j.well()
                return
            except SchemaError:
                raise
            except GraphError as error:
                self._neo4j.wait(error)


def main() -> int:
    """Consume until SIGTERM; return 0, or 2 when a setting is wrong, 1 when the graph is not prepared."""
    logs.set_up()
    stop = threading.Event()
    try:
        settings = Settings.load()
        if not settings.event_stream:
            raise SettingsError("set KITH_EVENT_STREAM to the name of the stream on the broker")
        graph = connect(settings)
        client = event_stream.connect(settings, timeout_s=SOCKET_TIMEOUT_S)
    except GraphError as error:
        log.error("%s", error)
        return 2
    stream = EventStream(client, settings.event_stream, alive.name())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_end_in_time, args=(stop, stream), name="end-in-time", daemon=True).start()
    with graph:
        log.info("consuming the event stream")
        try:
            Consumer(stream, graph, settings, stop).run()
        except SchemaError as error:
            log.error("%s", error)
            return 1
    log.info("the event stream is left to the next consumer")
    return 0


def _end_in_time(stop: threading.Event, stream: EventStream) -> None:
    """End the process when it has been asked to end and waits for a server all the same; its entries stay pending."""
    stop.wait()
    time.sleep(GRACE_S)
    log.warning("ended in the middle of a batch, which stays pending")
    try:
        stream.spare()
    finally:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
