"""The API as `kith up` serves it beside the tests' Neo4j, clients of it, and a way to it that can lose an answer."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from api.server import command
from graph import keys
from graph.connection import Graph
from graph.server.process import free_ports
from graph.settings import Settings
from tests.workers.processes import answers, beside, process, until

WAIT_S = 60.0
"""No answer may take longer."""


@dataclass(frozen=True)
class Shop:
    """A running API server."""

    port: int
    parent: int
    """Process id of the server's parent."""

    def workers(self) -> set[int]:
        """Return the ids of the processes that answer."""
        return {child.pid for child in psutil.Process(self.parent).children(recursive=True)}


@contextlib.contextmanager
def served(settings: Settings, broker_url: str, home: Path) -> Iterator[Shop]:
    """Run the API with the very command of the stack; yield when it is ready."""
    (port,) = free_ports(1)
    chosen = beside(settings, home, broker_url=broker_url, signing_key="k" * 40, api_port=port)
    with process(command(chosen)[2:], chosen, home / "logs" / "api.log") as parent:
        until(lambda: answers(f"http://127.0.0.1:{port}/ready"))
        yield Shop(port, parent.pid)


@dataclass(frozen=True)
class Answer:
    """What the API said to a request for events."""

    status: int
    accepted: int = 0
    duplicates: int = 0
    problems: tuple[int, ...] = ()
    """Statuses of the events that were refused."""
    retry_after: str | None = None


class Client:
    """A client with one connection, for one thread."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, verb: str, path: str, body: bytes | None = None) -> tuple[http.client.HTTPResponse, bytes]:
        """Send one request and return the response and its body."""
        self._connection.request(verb, path, body, self._headers)
        response = self._connection.getresponse()
        return response, response.read()

    def post(self, events: Any) -> Answer:
        """Send events (bytes as they are)."""
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        response, raw = self.call("POST", "/v1/events", body)
        said = json.loads(raw)
        refused = tuple(each["problem"]["status"] for each in said.get("rejected", ()))
        counts = (said.get("accepted", 0), said.get("duplicates", 0), refused)
        return Answer(response.status, *counts, response.headers.get("Retry-After"))

    def patient(self, events: Any) -> Answer:
        """Send events, again after each 503, as it asks; a Neo4j that has just started compiles its plans first."""
        ends = time.monotonic() + WAIT_S
        while (answer := self.post(events)).status == 503 and answer.retry_after and time.monotonic() < ends:
            time.sleep(float(answer.retry_after))
        return answer


def new_key(graph: Graph) -> str:
    """Return a key that may send events."""
    return keys.create(graph, ["ingest"])


@dataclass
class Cut:
    """A port in front of a server. Armed, it takes the next asking connection, lets the question through, waits for the
    answer, and ends the connection without passing the answer on.
    """

    target: int
    is_asked: Callable[[bytes], bool]
    """Whether these bytes of a client are the question whose answer is to be lost."""
    port: int = field(default_factory=lambda: free_ports(1)[0])
    lost: list[bytes] = field(default_factory=list)
    """The answers that were not passed on."""
    armed: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def open(self) -> Iterator[Self]:
        """Listen as long as the block."""
        with socket.create_server(("127.0.0.1", self.port)) as listener:
            thread = threading.Thread(target=self._accept, args=(listener,), daemon=True)
            thread.start()
            yield self
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:  # the listener was shut
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        is_doomed = False
        with near, socket.create_connection(("127.0.0.1", self.target)) as far, contextlib.suppress(OSError):
            while True:
                for source in select.select([near, far], [], [])[0]:
                    part = source.recv(65_536)
                    if not part:
                        return
                    if source is near and not is_doomed and self.armed.is_set() and self.is_asked(part):
                        self.armed.clear()
                        is_doomed = True
                    if source is far and is_doomed:
                        self.lost.append(part)
                        return
                    (far if source is near else near).sendall(part)
