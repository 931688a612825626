from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kith.stack import child as module
from kith.stack.child import Child
from kith.stack.table import Process

from .conftest import server, sleeper, wait_for


def make(process: Process, tmp_path: Path) -> Child:
    child = Child(process, tmp_path / f"{process.name}.log", dict(os.environ))
    child.start()
    return child


def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    child = make(sleeper("one"), tmp_path)
    wait_for(lambda: child.status.is_well)
    first = child.status.pid
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: child.status.restarts == 1 and child.status.is_well)
    assert child.status.pid != first
    child.stop()
    assert child.status.state == "stopped"
    assert not Path(f"/proc/{first}").exists()


def test_a_process_that_runs_but_does_not_answer_is_started_again(tmp_path: Path, home) -> None:
    process = replace(server("web", home.api_port), check_every_s=0.1, unwell_for_s=1.0)
    process = replace(process, stop_signals=(("SIGTERM", 0.2),))
    child = make(process, tmp_path)
    wait_for(lambda: child.status.is_well)
    os.kill(child.status.pid, signal.SIGSTOP)
    wait_for(lambda: child.status.restarts == 1 and child.status.is_well)
    child.stop()


def test_what_ignores_the_signal_is_killed_with_its_children(tmp_path: Path) -> None:
    stubborn = "trap '' TERM; sleep 1000 & echo $!; wait; wait"
    process = Process(name="stubborn", command=("sh", "-c", stubborn), stop_signals=(("SIGTERM", 0.3),))
    child = make(process, tmp_path)
    log = tmp_path / "stubborn.log"
    wait_for(lambda: log.exists() and log.read_text().strip())
    grandchild = int(log.read_text())
    child.stop()
    wait_for(lambda: not Path(f"/proc/{grandchild}").exists())


def test_one_that_runs_once_is_done_with_0_and_failed_otherwise(tmp_path: Path) -> None:
    good = make(Process(name="good", command=("true",), runs_once=True), tmp_path)
    wait_for(lambda: good.status.state == "done")
    bad = make(Process(name="bad", command=("sh", "-c", "echo wrong password; exit 1"), runs_once=True), tmp_path)
    wait_for(lambda: bad.status.restarts)
    assert bad.status.problem.startswith("bad ended with code 1; the end of")
    assert bad.status.problem.endswith("wrong password")
    good.stop()
    bad.stop()


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    child = make(Process(name="ghost", command=("/no/such/binary",)), tmp_path)
    wait_for(lambda: child.status.restarts)
    assert "No such file" in child.status.problem
    child.stop()


def test_a_large_log_is_moved_aside_while_the_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 10_000)
    chatter = "import time\nwhile True: print('x' * 999, flush=True); time.sleep(.002)"
    child = make(Process(name="chatter", command=(sys.executable, "-c", chatter)), tmp_path)
    wait_for((tmp_path / "chatter.log.1").exists)
    child.stop()
    assert (tmp_path / "chatter.log.1").stat().st_size > 10_000
