"""A worker's connection to a broker that may be away: what kombu 5.7 lacks so that it always comes back, and soon."""

from __future__ import annotations

from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport import redis
from redis.exceptions import ConnectionError as BrokerGoneError

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 3.0
"""Between two tries to reach a broker that is away."""


class SteadyChannel(redis.Channel):
    """A channel that says so when its connection is closed.

    A task that began before the connection broke is acknowledged on the channel that it came from. kombu then stumbles
    over what it has closed itself, which ends the worker; an error of the connection it would only have noted.
    """

    def _connparams(self, *args: Any, **options: Any) -> dict[str, Any]:
        if self.connection is None or self.connection.client is None:
            raise BrokerGoneError("the connection to the broker was closed")
        return super()._connparams(*args, **options)


class SteadyTransport(redis.Transport):
    """Redis and Valkey, by such channels."""

    Channel = SteadyChannel


class SteadyConnection(Connection):
    """A connection that is there again soon after the broker is."""

    def get_transport_cls(self) -> type:
        """Return the class of the transport; one that is not Redis is left as it is."""
        chosen = super().get_transport_cls()
        return SteadyTransport if chosen is redis.Transport else chosen

    def ensure_connection(self, *args: Any, **options: Any) -> Connection:
        """Try until the broker answers, `LONGEST_WAIT_S` apart at most; kombu's waits grow to half a minute."""
        waits = {"interval_start": FIRST_WAIT_S, "interval_max": LONGEST_WAIT_S}
        return super().ensure_connection(*args, **{**options, **waits})


class SteadyAMQP(AMQP):
    """Makes the connections of workers and of the scheduler."""

    Connection = SteadyConnection
