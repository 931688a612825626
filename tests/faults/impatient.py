"""A training worker whose broker gives a message again after a few seconds: `python -m tests.faults.impatient NAME`."""

from __future__ import annotations

import sys
from typing import Any

from kombu.transport import redis

from graph.settings import Settings
from workers import app

VISIBILITY_S = 5.0

look_for_overdue = redis.QoS.restore_visible


def look_every_time(self: redis.QoS, *_: Any, **__: Any) -> Any:
    """Look for overdue messages at each of the worker's rounds (every ten seconds), not at each tenth."""
    return look_for_overdue(self, interval=1)


if __name__ == "__main__":
    redis.QoS.restore_visible = look_every_time
    app.SLACK_S = VISIBILITY_S - Settings.load().train_timeout_s
    options = ["--pool=prefork", "-c", "1", "--loglevel=INFO", "--without-mingle", "--without-gossip"]
    app.app.worker_main(["worker", "-Q", "train", "-n", f"{sys.argv[1]}@kith", *options])
