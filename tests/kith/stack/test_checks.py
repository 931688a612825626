from __future__ import annotations

import socket
from dataclasses import replace

from graph.server.process import free_ports
from graph.settings import Settings
from kith.stack import broker, checks


def test_ping_asks_a_real_broker_and_its_file_keeps_what_it_took(home: Settings) -> None:
    assert checks.ping(str(home.broker_port)) is False
    with broker.running(home):
        assert checks.ping(str(home.broker_port)) is True
        with socket.create_connection(("127.0.0.1", home.broker_port)) as connection:
            connection.sendall(b"SET kept yes\r\n")
            assert connection.recv(16) == b"+OK\r\n"
    with broker.running(home), socket.create_connection(("127.0.0.1", home.broker_port)) as connection:
        connection.sendall(b"GET kept\r\n")
        assert connection.recv(16) == b"$3\r\nyes\r\n"


def test_a_worker_cannot_be_judged_while_the_broker_is_away(home: Settings) -> None:
    assert checks.celery("train@nowhere", home) is None


def test_a_worker_that_is_not_there_does_not_answer(home: Settings) -> None:
    with broker.running(replace(home, broker_port=free_ports(1)[0])) as settings:
        assert checks.celery("train@nowhere", settings) is False


def test_nobody_listening_is_not_well(home: Settings) -> None:
    assert checks.http(f"{home.api_port}/live") is False
    assert checks.bolt(str(home.bolt_port)) is False
