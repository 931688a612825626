from __future__ import annotations

import socket
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from graph.errors import LocalServerError
from graph.server import process
from graph.settings import Settings


def test_the_first_command_makes_a_private_password_and_the_next_keeps_it(settings: Settings) -> None:
    process.command(settings, [Path("/a.jar")])
    password = settings.password()
    assert len(password) >= 24
    assert stat.S_IMODE(settings.password_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.password_file.parent.stat().st_mode) == 0o700
    stored = settings.home / "neo4j" / "data" / "dbms" / "auth.ini"
    assert password not in stored.read_text()
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    process.command(settings, [Path("/a.jar")])
    assert settings.password() == password


def test_a_store_without_its_password_is_not_started(settings: Settings) -> None:
    (settings.home / "neo4j" / "data" / "databases" / "system").mkdir(parents=True)
    with pytest.raises(LocalServerError, match="has lost its password file"):
        process.command(settings, [Path("/a.jar")])


def test_a_listener_that_does_not_speak_bolt_is_not_neo4j() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        port = listener.getsockname()[1]
        assert not process.is_bolt(process.free_ports(1)[0])

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(64)
                connection.sendall(bytes(4))

        greeter = threading.Thread(target=greet)
        greeter.start()
        assert not process.is_bolt(port)
        greeter.join()


def test_the_last_words_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert process.last_line(log) == "(no log)"
    log.write_text("first\nlast words \n\n")
    assert process.last_line(log) == "last words"


def test_a_process_that_ends_at_once_is_told_with_its_last_words(settings: Settings) -> None:
    settings = replace(settings, bolt_port=process.free_ports(1)[0])
    child = process.start(settings, ["sh", "-c", "echo no such store >&2; exit 3"])
    with pytest.raises(LocalServerError, match=r"did not start.*no such store"):
        process.wait_until_ready(settings, child)
