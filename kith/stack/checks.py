"""Is it well? One function per kind of process; each answers within about its time limit.

True: well. False: not well. None: it cannot be told now (a worker while the broker is away).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from graph.server import process
from graph.settings import Settings

TIMEOUT_S = 3.0
PING_TIMEOUT_S = 1.0
_HTTP_OK = 200
SCHEDULE_AGE_S = 600.0
"""The scheduler writes its record at least every three and a half minutes, whether the broker answers or not."""
CONSUMER_IDLE_S = 30.0
"""An idle consumer asks five times a second, one that waits for Neo4j every five to twenty."""

MARK_AGE_S = 90.0
"""A process that marks its turns does so several times a second, and every 65 seconds while a transaction lasts."""

_loading = threading.Lock()

Check = Callable[[str], bool | None]


def alive(_: str) -> bool:
    """A process that runs is well; the supervisor itself sees when it ends."""
    return True


def marked(file: str) -> bool:
    """Whether the process has marked a turn of its work in this file lately."""
    try:
        return time.time() - Path(file).stat().st_mtime < MARK_AGE_S
    except FileNotFoundError:
        return False


def bolt(port: str) -> bool:
    """Whether a server on loopback speaks Bolt."""
    return process.is_bolt(int(port))


def ping(port: str) -> bool:
    """Whether a Redis or Valkey on loopback answers PING."""
    try:
        with socket.create_connection(("127.0.0.1", int(port)), TIMEOUT_S) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def http(target: str) -> bool:
    """Whether a server on loopback answers 200; the target is port and path, `8480/live`."""
    port, _, path = target.partition("/")
    connection = HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_S)
    try:
        connection.request("GET", f"/{path}")
        return connection.getresponse().status == _HTTP_OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def schedule(folder: Path) -> bool:
    """Whether the scheduler wrote its record lately; `folder` holds the file `beat`, under whichever suffix."""
    written = [file.stat().st_mtime for file in folder.glob("beat*")]
    return bool(written) and time.time() - max(written) < SCHEDULE_AGE_S


def celery(node: str, settings: Settings | None = None) -> bool | None:
    """Whether the worker answers on the broker: it takes messages, which a process that merely runs need not do."""
    control = _control((settings or Settings.load()).broker)
    from kombu.exceptions import KombuError
    from redis.exceptions import RedisError

    try:
        return bool(control.ping(destination=[node], timeout=PING_TIMEOUT_S, limit=1))
    except (KombuError, RedisError, OSError):
        return None


def stream(_: str, settings: Settings | None = None) -> bool | None:
    """Whether the consumer of the event stream that runs here has asked the broker for entries lately."""
    with _loading:
        from redis.exceptions import RedisError

        from workers import stream_state

    try:
        idle_s = stream_state.idle_s(settings or Settings.load())
    except (RedisError, OSError):
        return None
    return idle_s is not None and idle_s < CONSUMER_IDLE_S


def _control(broker: str):  # noqa: ANN202  Celery has no types
    """Return the remote control of this home's workers, made once: Celery's modules do not bear two threads' import."""
    with _loading:
        return _made_control(broker)


@cache
def _made_control(broker: str):  # noqa: ANN202
    from celery import Celery

    from workers import queue

    app = Celery("kith-supervisor", broker=broker, set_as_current=False)
    app.conf.broker_transport_options = queue.transport_options(PING_TIMEOUT_S)
    app.conf.broker_connection_timeout = PING_TIMEOUT_S
    return app.control


CHECKS: dict[str, Check] = {
    "alive": alive,
    "bolt": bolt,
    "ping": ping,
    "http": http,
    "celery": celery,
    "stream": stream,
    "marked": marked,
}
