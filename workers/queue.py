"""Sending tasks by name: all that the API may import of the workers. The queue is a hint; the job record decides.

A broker that is down or silent costs at most about two seconds and a `QueueUnavailableError`; the job stays recorded
and the sweeper sends it again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from graph.errors import SettingsError
from graph.settings import Settings
from workers import served_stream, stream_state
from workers.served_stream import ServedState
from workers.stream_state import StreamState

TRAIN = "kith.train"
PUBLISH = "kith.publish"
SWEEP = "kith.sweep"
COPY_CANONICAL = "kith.copy_canonical"
FORECAST = "kith.forecast"
LEARN_SIZES = "kith.learn_sizes"
PLAN = "kith.plan"
KEEP_SERVED = "kith.keep_served"
"""Names of the tasks."""

TRAIN_QUEUE = "train"
DEFAULT_QUEUE = "default"
PLAN_QUEUE = "plan"
QUEUES = (TRAIN_QUEUE, DEFAULT_QUEUE, PLAN_QUEUE)
UNACKNOWLEDGED = "unacked"
"""Where Celery's Redis transport keeps what workers hold, unless told otherwise."""

SEND_TIMEOUT_S = 1.0
SECOND_TRY_WITHIN_S = 0.5
"""A pooled connection that the broker closed fails at once and is worth a second try; a silent broker is not."""


class QueueUnavailableError(Exception):
    """The broker cannot be reached or did not answer in time; what was to be done is recorded in the graph."""

    retryable = True


def enqueue_training(settings: Settings, job_id: str) -> None:
    """Tell the training worker about a job.

    Raises:
        QueueUnavailableError: the broker did not take the message.
    """
    _send(settings, TRAIN, TRAIN_QUEUE, job_id)


def enqueue_publication(settings: Settings, job_id: str) -> None:
    """Tell the default workers about a job that publishes or rolls back a version.

    Raises:
        QueueUnavailableError: the broker did not take the message.
    """
    _send(settings, PUBLISH, DEFAULT_QUEUE, job_id)


def enqueue_plan(settings: Settings, job_id: str) -> None:
    """Tell the planning worker about a job.

    Raises:
        QueueUnavailableError: the broker did not take the message.
    """
    _send(settings, PLAN, PLAN_QUEUE, job_id)


def enqueue_sweep(settings: Settings) -> None:
    """Ask for a sweep now, for example after the broker came back.

    Raises:
        QueueUnavailableError: the broker did not take the message.
    """
    _send(settings, SWEEP, DEFAULT_QUEUE)


def enqueue_learning(settings: Settings) -> None:
    """Ask for a model of how cascades grow, if one is due.

    Raises:
        QueueUnavailableError: the broker did not take the message.
    """
    _send(settings, LEARN_SIZES, DEFAULT_QUEUE)


def enqueue(settings: Settings, kind: str, job_id: str) -> None:
    """Tell the workers about a job of the kind that its record names (`train`, `plan`, else publication).

    Raises:
        QueueUnavailableError: the broker did not take the message.
    """
    tell = {"train": enqueue_training, "plan": enqueue_plan}.get(kind, enqueue_publication)
    tell(settings, job_id)


def queue_of(kind: str) -> str:
    """Return the queue of jobs of this kind."""
    return {"train": TRAIN_QUEUE, "plan": PLAN_QUEUE}.get(kind, DEFAULT_QUEUE)


def ping(settings: Settings) -> None:
    """Make sure that the broker answers.

    Raises:
        QueueUnavailableError: it does not.
    """
    try:
        with _sender(settings.broker).connection_for_write(connect_timeout=SEND_TIMEOUT_S) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=SEND_TIMEOUT_S)
            connection.default_channel.client.ping()
    except (KombuError, RedisError, OSError) as error:
        raise QueueUnavailableError(f"the broker does not answer: {error}") from error


def lengths(settings: Settings) -> tuple[dict[str, int], int]:
    """Return how many messages wait in each queue, and how many the workers hold and have not finished.

    Raises:
        QueueUnavailableError: the broker does not answer.
    """
    try:
        with _sender(settings.broker).connection_for_read(connect_timeout=SEND_TIMEOUT_S) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=SEND_TIMEOUT_S)
            client = connection.default_channel.client
            return {name: client.llen(name) for name in QUEUES}, client.hlen(UNACKNOWLEDGED)
    except (KombuError, RedisError, OSError) as error:
        raise QueueUnavailableError(f"the broker does not answer: {error}") from error


def event_stream(settings: Settings) -> StreamState | None:
    """Return how the event stream is doing; None when none is set, or when it has no consumer yet.

    Raises:
        QueueUnavailableError: the broker does not answer, or what lies under the name is no stream.
    """
    if not settings.event_stream:
        return None
    try:
        return stream_state.state(settings)
    except (RedisError, OSError) as error:
        raise QueueUnavailableError(f"the broker does not tell of the event stream: {error}") from error


def record_served(settings: Settings, lists: Sequence[dict[str, Any]]) -> None:
    """Hand lists that were served to the broker, as `workers.served_stream` has them.

    Raises:
        QueueUnavailableError: the broker did not take them.
    """
    try:
        served_stream.add(settings, lists)
    except (RedisError, OSError, SettingsError) as error:
        raise QueueUnavailableError(f"the broker did not take served lists: {error}") from error


def served(settings: Settings) -> ServedState:
    """Return how many entries of served lists wait, and how many were lost.

    Raises:
        QueueUnavailableError: the broker does not answer.
    """
    try:
        return served_stream.state(settings)
    except (RedisError, OSError, SettingsError) as error:
        raise QueueUnavailableError(f"the broker does not tell of served lists: {error}") from error


def transport_options(timeout_s: float) -> dict[str, object]:
    """Return options of the Redis transport that keep every wait for the broker within `timeout_s`."""
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "socket_keepalive": True,
        "max_retries": 1,
        "interval_start": 0,
        "interval_max": 0.2,
    }


def _send(settings: Settings, task: str, queue: str, *arguments: str) -> None:
    began = time.monotonic()
    for attempt in (1, 2):
        try:
            _sender(settings.broker).send_task(task, args=list(arguments), queue=queue, retry=False, ignore_result=True)
            return
        except (KombuError, RedisError, OSError) as error:
            if attempt == 1 and time.monotonic() - began < SECOND_TRY_WITHIN_S:
                continue
            raise QueueUnavailableError(f"the broker did not take the message: {error}") from error


@lru_cache(maxsize=4)
def _sender(broker: str) -> Celery:
    """Return an application that only sends; it connects when first used."""
    sender = Celery("kith-sender", broker=broker, set_as_current=False)
    sender.conf.update(
        task_serializer="json",
        task_ignore_result=True,
        task_create_missing_queues=True,
        broker_connection_timeout=SEND_TIMEOUT_S,
        broker_transport_options=transport_options(SEND_TIMEOUT_S),
        broker_pool_limit=4,
    )
    return sender
