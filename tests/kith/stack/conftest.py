"""A home folder with free ports, and small processes that stand in the table of the stack."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graph.server.process import free_ports
from graph.settings import Settings
from kith.stack import control
from kith.stack.table import Process

WAIT_S = 60.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Settings]:
    """Settings of an empty home; whatever a test leaves running in it is stopped."""
    bolt, browser, valkey, api = free_ports(4)
    settings = Settings(
        home=tmp_path / "home",
        cache=tmp_path / "cache",
        bolt_port=bolt,
        browser_port=browser,
        broker_port=valkey,
        api_port=api,
        neo4j_heap_mb=128,
        neo4j_page_cache_mb=16,
    )
    yield settings
    control.down(settings)


def server(name: str, port: int, **more: object) -> Process:
    """A web server that is well when it answers."""
    folder = str(Path(__file__).parent)
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", folder)
    return Process(name=name, command=command, check="http", target=f"{port}/", port=port, **more)  # type: ignore[arg-type]


def sleeper(name: str, **more: object) -> Process:
    """A process that only lives."""
    return Process(name=name, command=("sleep", "1000"), **more)  # type: ignore[arg-type]


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
