"""Served lists from the broker's stream into Parquet: written first, acknowledged after."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from graph import served
from graph.settings import Settings
from workers import alive, served_stream

log = logging.getLogger("kith.workers")

TAKEN_TOGETHER = 100
MOST_S = 30.0
"""One round of the task takes so long at most."""


def keep(settings: Settings) -> int:
    """Move what waits into files, merge and prune; return how many lists were kept.

    Raises:
        RedisError: the broker does not answer; what was not acknowledged comes again.
        OSError: the folder cannot be written, or the broker is away.
    """
    ends_s, kept = time.monotonic() + MOST_S, 0
    with served_stream.opened(settings) as client:
        while taken := served_stream.take(client, alive.name(), TAKEN_TOGETHER):
            batch = taken[0].entry_id
            kept += served.write(settings.served, batch, [one for entry in taken for one in entry.lists])
            served_stream.acknowledge(client, taken)
            if len(taken) < TAKEN_TOGETHER or time.monotonic() > ends_s:
                break
    now = datetime.now(UTC)
    served.merge(settings.served, now)
    if deleted := served.prune(settings.served, now, settings.served_days, settings.served_mb):
        log.info("%d files of served lists deleted", deleted)
    return kept
