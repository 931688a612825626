from __future__ import annotations

from graph.settings import Settings
from kith.stack import state
from kith.stack.state import ProcessStatus, StackStatus


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
