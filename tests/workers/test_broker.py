"""A worker's connection to the broker: what it says once it is closed, and which transports it changes."""

from __future__ import annotations

import pytest

from workers.app import app
from workers.broker import BrokerGoneError, SteadyConnection, SteadyTransport


def test_workers_and_the_scheduler_use_it() -> None:
    assert issubclass(app.amqp.Connection, SteadyConnection)
    assert SteadyConnection("redis://127.0.0.1:1/0").get_transport_cls() is SteadyTransport
    assert SteadyConnection("memory://").get_transport_cls() is not SteadyTransport


def test_what_comes_after_the_end_is_an_error_of_the_connection(broker_url: str) -> None:
    connection = SteadyConnection(broker_url)
    channel = connection.default_channel
    assert isinstance(BrokerGoneError(), connection.connection_errors)
    connection.close()
    with pytest.raises(BrokerGoneError):
        channel.qos.ack("tag")
