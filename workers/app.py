"""The Celery application: three queues, late acknowledgement, one driver per child, born after the fork.

`celery -A workers.app:app worker -Q train --pool=prefork -c 1` trains, `-Q default -c 2` publishes and sweeps,
`-Q plan -c 1` plans campaigns, `celery -A workers.app:app beat` sends the sweeper. Nothing is read or opened when this
module is imported.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_process_init, worker_process_shutdown

from graph import logs
from graph.settings import Settings
from workers import process, queue
from workers.broker import SteadyAMQP
from workers.pool import LookAfterChildren

SWEEP_EVERY_S = 15.0
COPY_EVERY_S = 300.0
FORECAST_EVERY_S = 10.0
KEEP_SERVED_EVERY_S = 30.0
LEARN_LOOK_EVERY_S = 600.0
"""Between two looks at whether a model of how cascades grow is due."""
EXPIRES_S = 7200.0
"""What the scheduler sent is void after so long, but not at once to a worker whose clock is an hour ahead."""
SOCKET_TIMEOUT_S = 5.0
HEALTH_CHECK_S = 4
"""A consumer whose broker went silent reconnects after about twice this."""
SLACK_S = 3600.0
"""A message is given again only after the longest training and so much more."""
CHILD_MEMORY_KB = 4_000_000


def configuration() -> dict[str, Any]:
    """Return Celery's configuration, from the settings of this process; called when Celery first needs it.

    Raises:
        SettingsError: a setting is unknown, malformed or missing.
    """
    settings = Settings.load()
    run = settings.home / "run"
    run.mkdir(parents=True, exist_ok=True)
    return {
        "broker_url": settings.broker,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": SOCKET_TIMEOUT_S,
        "broker_transport_options": {
            **queue.transport_options(SOCKET_TIMEOUT_S),
            "visibility_timeout": settings.train_timeout_s + SLACK_S,
            "health_check_interval": HEALTH_CHECK_S,
        },
        "result_backend": None,
        "task_ignore_result": True,
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_acks_late": True,
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        "task_reject_on_worker_lost": True,
        "task_default_queue": queue.DEFAULT_QUEUE,
        "task_create_missing_queues": True,
        "task_routes": {queue.TRAIN: {"queue": queue.TRAIN_QUEUE}, queue.PLAN: {"queue": queue.PLAN_QUEUE}},
        "worker_prefetch_multiplier": 1,
        "worker_max_memory_per_child": CHILD_MEMORY_KB,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "enable_utc": True,
        "timezone": "UTC",
        "imports": ["workers.tasks"],
        "beat_schedule": {
            "sweep": {
                "task": queue.SWEEP,
                "schedule": SWEEP_EVERY_S,
                "options": {"queue": queue.DEFAULT_QUEUE, "expires": EXPIRES_S},
            },
            "copy-canonical": {
                "task": queue.COPY_CANONICAL,
                "schedule": COPY_EVERY_S,
                "options": {"queue": queue.DEFAULT_QUEUE, "expires": EXPIRES_S},
            },
            "forecast": {
                "task": queue.FORECAST,
                "schedule": FORECAST_EVERY_S,
                "options": {"queue": queue.DEFAULT_QUEUE, "expires": EXPIRES_S},
            },
            "keep-served": {
                "task": queue.KEEP_SERVED,
                "schedule": KEEP_SERVED_EVERY_S,
                "options": {"queue": queue.DEFAULT_QUEUE, "expires": EXPIRES_S},
            },
            "learn-sizes": {
                "task": queue.LEARN_SIZES,
                "schedule": LEARN_LOOK_EVERY_S,
                "options": {"queue": queue.DEFAULT_QUEUE, "expires": EXPIRES_S},
            },
        },
        # Beat's own record of what it sent last; lost with it is at most one early sweep.
        "beat_schedule_filename": str(run / "beat"),
    }


app = Celery("kith", amqp=SteadyAMQP, set_as_current=True)
app.add_defaults(configuration)
app.steps["worker"].add(LookAfterChildren)  # type: ignore[index]


@celeryd_init.connect
@setup_logging.connect
def _begin_logs(**_: Any) -> None:
    # The first signal comes before a worker says its first word. Whoever answers the second one keeps Celery from
    # setting up logs of its own, in workers and in beat.
    logs.set_up()


@worker_process_init.connect
def _begin_child(**_: Any) -> None:
    process.begin()


@worker_process_shutdown.connect
def _end_child(**_: Any) -> None:
    process.end()
