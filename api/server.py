"""The command that serves the application: the stack runs it, and so does whoever measures it."""

from __future__ import annotations

import sys

from graph import logs
from graph.settings import Settings

BACKPRESSURE = 64
"""Requests that one process holds at once, besides its streams; those beyond wait in the socket's queue."""


def command(settings: Settings) -> tuple[str, ...]:
    """Return the command that serves the API on `api_host` and `api_port` in `api_workers` processes."""
    return (
        sys.executable,
        *("-m", "granian", "--interface", "wsgi", "--factory", "--host", settings.api_host),
        *("--port", str(settings.api_port), "--workers", str(settings.api_workers)),
        *("--blocking-threads", str(settings.api_threads + settings.api_streams)),
        *("--backpressure", str(BACKPRESSURE + settings.api_streams)),
        *("--http", "1", "--no-ws", "--respawn-failed-workers", "--workers-kill-timeout", "10"),
        *("--log-level", "info", "--log-config", str(logs.CONFIGURATION), "api.app:wsgi"),
    )
