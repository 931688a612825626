"""`up`, `down`, `status` with a table of small processes; the real table runs in tests/integration."""

from __future__ import annotations

import os
import signal
import socket
import subprocess

import pytest

from graph.errors import LocalServerError
from graph.settings import Settings
from kith.stack import control, state
from kith.stack.state import ProcessStatus, StackStatus
from kith.stack.table import Process
from workers import alive

from .conftest import server, sleeper, wait_for


def small_table(settings: Settings) -> list[Process]:
    once = Process(name="schema", command=("true",), runs_once=True, stage=0)
    return [sleeper("store", stage=0), once, server("api", settings.api_port)]


def process_named(settings: Settings, name: str) -> ProcessStatus:
    return next(process for process in control.status(settings).processes if process.name == name)


def test_up_starts_a_second_up_says_so_and_down_stops_everything(home: Settings) -> None:
    said: list[str] = []
    assert control.status(home).phase == "down"
    assert control.up(home, make_table=small_table, say=said.append) is True
    assert sorted(line.split()[0] for line in said) == ["api", "schema", "store"]
    assert control.up(home, make_table=small_table, say=said.append) is False
    found = control.status(home)
    assert found.healthy
    assert [process.state for process in found.processes] == ["well", "done", "well"]
    pids = [found.pid, process_named(home, "store").pid, process_named(home, "api").pid]
    assert control.down(home) is True
    assert not any(alive.start_mark(pid) for pid in pids)
    assert control.down(home) is False
    assert control.status(home).processes == []


def test_a_killed_process_comes_back_and_is_counted(home: Settings) -> None:
    control.up(home, make_table=small_table, say=lambda _: None)
    os.kill(process_named(home, "api").pid, signal.SIGKILL)
    wait_for(lambda: process_named(home, "api").restarts == 1 and control.status(home).healthy)
    wait_for(lambda: control.peak_memory(home)["sum"] > 0)
    assert set(control.peak_memory(home)) >= {"api", "sum"}


def test_what_a_killed_supervisor_left_is_cleared_away(home: Settings) -> None:
    control.up(home, make_table=small_table, say=lambda _: None)
    first = control.status(home)
    os.kill(first.pid, signal.SIGKILL)
    wait_for(lambda: not alive.is_alive(first.pid, first.start_mark))
    left = control.status(home)
    assert left.phase == "down"
    assert {process.name for process in left.processes} == {"store", "api"}
    assert control.up(home, make_table=small_table, say=lambda _: None) is True
    assert not {process.pid for process in left.processes} & {process.pid for process in control.status(home).processes}
    os.kill(control.status(home).pid, signal.SIGKILL)
    assert control.down(home) is True


def test_a_process_that_only_has_the_old_pid_is_left_alone(home: Settings) -> None:
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        state.state_file(home).parent.mkdir(parents=True)
        mark = alive.start_mark(stranger.pid)
        ghost = ProcessStatus(name="api", pid=stranger.pid, start_mark=mark - 1, state="well")
        state.write(home, StackStatus(phase="up", pid=stranger.pid, start_mark=mark - 1, processes=[ghost]))
        assert control.status(home).phase == "down"
        assert control.down(home) is False
        assert stranger.poll() is None
        stranger.kill()


def test_a_taken_port_stops_the_start_before_anything_runs(home: Settings) -> None:
    with socket.create_server(("127.0.0.1", home.api_port)), pytest.raises(LocalServerError, match="KITH_API_PORT"):
        control.up(home, make_table=small_table)
    assert control.status(home).processes == []


def test_a_start_that_fails_is_told_in_one_line_and_leaves_nothing(home: Settings) -> None:
    def table(settings: Settings) -> list[Process]:
        wrong = Process(name="schema", command=("sh", "-c", "echo wrong password; exit 1"), runs_once=True, stage=0)
        return [sleeper("store", stage=0), wrong, sleeper("never")]

    with pytest.raises(LocalServerError, match="wrong password") as caught:
        control.up(home, make_table=table, say=lambda _: None)
    assert "\n" not in str(caught.value)
    assert control.status(home).processes == []
    assert state.read(home).phase == "failed"
    assert not (home.logs / "never.log").exists()


def test_a_process_that_keeps_dying_fails_the_start(home: Settings) -> None:
    def table(settings: Settings) -> list[Process]:
        return [Process(name="poor", command=("sh", "-c", "echo no memory; exit 7"))]

    with pytest.raises(LocalServerError, match=r"poor ended with code 7.*no memory"):
        control.up(home, make_table=table, say=lambda _: None)


def test_the_stack_outlives_its_terminal(home: Settings) -> None:
    control.up(home, make_table=small_table, say=lambda _: None)
    supervisor = control.status(home).pid
    assert os.getsid(supervisor) == supervisor
    assert os.getsid(process_named(home, "store").pid) != os.getsid(os.getpid())


def test_addresses_name_what_a_person_opens(home: Settings) -> None:
    found = control.addresses(home)
    assert found["Neo4j Browser"] == f"http://127.0.0.1:{home.browser_port}/browser/"
    assert found["API docs"].endswith(f":{home.api_port}/docs")
    assert str(home.password_file) in found["Neo4j login"]
