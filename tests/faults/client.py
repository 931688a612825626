"""A client of the API as a shop would write it: it sends again what was not taken, and waits as long as it is told."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.faults.shop import Event, Stream

TAKEN, AWAY = 202, 503
GIVEN_UP_S = 300.0
IDLE_S = 5.0
"""A connection that was not used for so long is made anew: the server closes idle ones."""


@dataclass
class Client:
    """One connection, used by one thread, and what came over it."""

    port: int
    bearer: str
    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    wrong: list[str] = field(default_factory=list)
    """Answers that no client may get, and connections that broke."""
    sent: list[Event] = field(default_factory=list)
    acknowledged: int = 0
    duplicates: int = 0
    taken_s: float = 0.0
    """When events were last taken, as the monotonic clock says."""

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self._used_s = 0.0

    def ask(self, verb: str, path: str, body: Any = None, good: Sequence[int] = (200,)) -> Any:
        """Send one request; return a good answer, else None after the wait that a 503 asks for."""
        headers = {"Authorization": self.bearer, "Content-Type": "application/json"}
        began_s = time.monotonic()
        if began_s - self._used_s > IDLE_S:
            self._connection.close()
        try:
            self._connection.request(verb, path, body=None if body is None else orjson.dumps(body), headers=headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.wrong.append(f"{verb} {path} {error!r}")
            self._connection.close()
            time.sleep(1.0)
            return None
        self._used_s = time.monotonic()
        self.slowest_s = max(self.slowest_s, self._used_s - began_s)
        self.statuses[response.status] += 1
        if response.status in good:
            return orjson.loads(content)
        wait_s = response.headers.get("Retry-After", "")
        if not (response.status == AWAY and wait_s.isdigit()):
            self.wrong.append(f"{verb} {path} {response.status} {content[:300]!r}")
        time.sleep(float(wait_s) if wait_s.isdigit() else 1.0)
        return None

    def insist(self, verb: str, path: str, body: Any = None, good: Sequence[int] = (200,)) -> Any:
        """Ask until there is a good answer; gives up after `GIVEN_UP_S`."""
        deadline_s = time.monotonic() + GIVEN_UP_S
        while (answer := self.ask(verb, path, body, good)) is None:
            assert time.monotonic() < deadline_s, self.wrong[-3:]
        return answer

    def deliver(self, batch: list[Event]) -> None:
        """Send events until they are taken, all of them; gives up after `GIVEN_UP_S`."""
        self.sent += batch
        deadline_s = time.monotonic() + GIVEN_UP_S
        while time.monotonic() < deadline_s:
            answer = self.ask("POST", "/v1/events", batch, good=(TAKEN,))
            if answer is None:
                continue
            if answer["accepted"] + answer["duplicates"] == len(batch):
                self.acknowledged += len(batch)
                self.duplicates += answer["duplicates"]
                self.taken_s = time.monotonic()
            else:
                self.wrong.append(f"refused {answer['rejected'][:3]}")
            return
        self.wrong.append(f"given up after {GIVEN_UP_S:.0f} s, from {batch[0]['eventId']} on")


def stream_of(client: Client, stream: Stream, size: int) -> Callable[[], None]:
    """Return what sends the next batch of the stream."""
    return lambda: client.deliver(stream.batch(size))


@contextlib.contextmanager
def at_work(turns: Sequence[Callable[[], None]], pause_s: float) -> Iterator[None]:
    """Take each of these turns again and again, on a thread of its own, as long as the block lasts."""
    stop = threading.Event()

    def go_on(turn: Callable[[], None]) -> None:
        while not stop.is_set():
            turn()
            stop.wait(pause_s)

    threads = [threading.Thread(target=go_on, args=(turn,)) for turn in turns]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
