"""What may be loaded, in fresh interpreters."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.workers.processes import ROOT

SCRIPT = """
import socket, sys, threading
opened = []
class Watched(socket.socket):
    def connect(self, address):
        opened.append(address)
        raise OSError("no connection at import")
    connect_ex = connect
    def bind(self, address):
        opened.append(address)
        raise OSError("no socket at import")
socket.socket = Watched
import {module}
assert "torch" not in sys.modules, "torch was loaded"
assert not opened, opened
ours = [each.name for each in threading.enumerate() if each is not threading.main_thread()]
assert not ours, ours
"""


def run(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["api.app", "workers.app", "workers.queue", "workers.tasks", "workers.stream"])
def test_importing_loads_no_torch_opens_no_socket_and_starts_no_thread(module: str) -> None:
    run(SCRIPT.format(module=module))


def test_the_queue_imports_no_task() -> None:
    run("import sys, workers.queue; assert not {'workers.tasks', 'workers.app'} & set(sys.modules)")


def test_the_stream_consumer_loads_no_celery() -> None:
    run("import sys, workers.stream; assert not {'celery', 'kombu', 'flask', 'numba', 'torch'} & set(sys.modules)")


def test_serving_needs_neither_torch_nor_numba() -> None:
    serving = "engine.serving.bundle, engine.serving.live, engine.serving.sharing"
    run(f"import sys, {serving}; assert not {{'torch', 'numba'}} & set(sys.modules)")
