from __future__ import annotations

import os
import subprocess

from graph.settings import Settings
from kith.stack import state
from kith.stack.state import ProcessStatus, StackStatus


def test_a_pid_that_another_process_has_now_does_not_count() -> None:
    mark = state.start_mark(os.getpid())
    assert mark > 0
    assert state.is_alive(os.getpid(), mark)
    assert not state.is_alive(os.getpid(), mark - 1)
    assert not state.is_alive(0, 0.0)


def test_a_process_that_has_ended_is_not_alive_even_before_it_is_reaped() -> None:
    child = subprocess.Popen(["true"])
    mark = state.start_mark(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not state.is_alive(child.pid, mark)
    child.wait()
    assert not state.is_alive(child.pid, mark)


def test_the_state_comes_back_as_it_was_written(home: Settings) -> None:
    state.state_file(home).parent.mkdir(parents=True)
    status = StackStatus(phase="up", pid=7, peak_sum_mb=1.5, processes=[ProcessStatus(name="api", state="well")])
    state.write(home, status)
    assert state.read(home) == status
    assert state.read(home).healthy


def test_garbage_is_no_stack(home: Settings) -> None:
    assert state.read(home).phase == "down"
    state.state_file(home).parent.mkdir(parents=True)
    for garbage in (b"", b"{}", b"[1]", b'{"processes": [{"unknown": 1}]}'):
        state.state_file(home).write_bytes(garbage)
        assert state.read(home) == StackStatus()
