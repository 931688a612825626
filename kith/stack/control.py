"""`up`, `down`, `status`: what a person does with the stack; the supervisor does the work."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from graph.errors import LocalServerError
from graph.server.process import last_line
from graph.settings import Settings
from kith.stack import plan, preflight, state, table
from kith.stack.child import turn_log
from kith.stack.state import ProcessStatus, StackStatus
from kith.stack.table import Process
from workers import alive

UP_TIMEOUT_S = 420.0
DOWN_TIMEOUT_S = 180.0
ORPHAN_TIMEOUT_S = 60.0
_POLL_S = 0.1

Table = Callable[[Settings], Sequence[Process]]
Say = Callable[[str], None]


def up(settings: Settings, *, make_table: Table | None = None, say: Say | None = None) -> bool:
    """Start the stack and wait until every process is well; return False when it was up already.

    Args:
        settings: what to start, where.
        make_table: another table of processes than Kith's own.
        say: called with a line whenever something has started; default: prints it to standard error.

    Raises:
        LocalServerError: a taken port, a missing package, too little memory, a wrong password, or a process that does
            not start; one line that says what to do.
    """
    say = say or _say
    for folder in (settings.home / "run", settings.logs, settings.artifacts, settings.snapshots):
        folder.mkdir(parents=True, exist_ok=True)
    if _supervisor_is_alive(state.read(settings)):
        return _join(settings, say)
    _end_orphans(state.read(settings))
    preflight.check(settings)
    preflight.make_secrets(settings)
    file = plan.write(settings, (make_table or _own_table)(settings))
    child = _launch(settings, file)
    _wait(settings, child, say)
    return True


def down(settings: Settings) -> bool:
    """Stop the stack, and whatever a killed supervisor left behind; return False when nothing ran.

    Raises:
        LocalServerError: the supervisor does not end; the line names it.
    """
    found = state.read(settings)
    was_up = _supervisor_is_alive(found)
    if was_up:
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGTERM)
        deadline = time.monotonic() + DOWN_TIMEOUT_S
        while _supervisor_is_alive(found):
            if time.monotonic() > deadline:
                raise LocalServerError(f"the supervisor (process {found.pid}) does not end: end it with kill -9")
            time.sleep(_POLL_S)
    return _end_orphans(state.read(settings)) or was_up


def status(settings: Settings) -> StackStatus:
    """Return what the supervisor says of the stack; without a supervisor, what is left of it."""
    found = state.read(settings)
    if _supervisor_is_alive(found):
        return found
    left = [process for process in found.processes if alive.is_alive(process.pid, process.start_mark)]
    for process in left:
        process.state, process.problem = "unwell", "its supervisor is gone: `kith up` or `kith down` clears it away"
    return StackStatus(phase="down", problem=found.problem, peak_sum_mb=found.peak_sum_mb, processes=left)


def addresses(settings: Settings) -> dict[str, str]:
    """Return what a person opens, by what it is."""
    api = f"http://127.0.0.1:{settings.api_port}"
    found = {"API": api, "API docs": f"{api}/docs", "Console": f"{api}/console", "Bolt": settings.bolt_uri}
    if settings.is_local_neo4j:
        found["Neo4j Browser"] = f"http://127.0.0.1:{settings.browser_port}/browser/"
        found["Neo4j login"] = f"{settings.neo4j_user}, password in {settings.password_file}"
    found["logs"] = str(settings.logs)
    return found


def peak_memory(settings: Settings) -> dict[str, float]:
    """Return the largest PSS of each process with its children, MB, and under `sum` the largest sum at one time."""
    found = state.read(settings)
    peaks = {process.name: process.peak_pss_mb for process in found.processes if process.peak_pss_mb}
    return peaks | {"sum": found.peak_sum_mb}


def _own_table(settings: Settings) -> list[Process]:
    command: list[str] = []
    if settings.is_local_neo4j:
        from graph.server import neo4j  # loads the driver, which `down` and `status` need not wait for

        command = neo4j.prepare(settings, show=True)
    return table.processes(settings, command)


def _launch(settings: Settings, file: Path) -> subprocess.Popen[bytes]:
    state.state_file(settings).unlink(missing_ok=True)
    turn_log(settings.logs / "supervisor.log")
    with (settings.logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "kith.stack.supervisor", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=settings.environment(),
            cwd=settings.home,
            start_new_session=True,
        )


def _wait(settings: Settings, child: subprocess.Popen[bytes], say: Say) -> None:
    """Wait until the stack is up, saying what has started.

    Raises:
        LocalServerError: it failed or took too long.
    """
    deadline = time.monotonic() + UP_TIMEOUT_S
    said: set[str] = set()
    while time.monotonic() < deadline:
        found = state.read(settings)
        _tell(found.processes, said, say)
        if found.phase == "up":
            return
        if child.poll() is not None:
            log = settings.logs / "supervisor.log"
            raise LocalServerError(state.read(settings).problem or f"the supervisor ended; {log}: {last_line(log)}")
        time.sleep(_POLL_S)
    waiting = ", ".join(process.name for process in state.read(settings).processes if not process.is_well)
    down(settings)
    raise LocalServerError(f"not up after {UP_TIMEOUT_S:.0f} s, still waiting for {waiting}: see {settings.logs}")


def _join(settings: Settings, say: Say) -> bool:
    """Wait for a stack that someone else is starting; return False.

    Raises:
        LocalServerError: it is being stopped, or its start failed.
    """
    deadline = time.monotonic() + UP_TIMEOUT_S
    while (found := state.read(settings)).phase == "starting" and _supervisor_is_alive(found):
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_S)
    if found.phase != "up":
        raise LocalServerError(found.problem or f"the stack is {found.phase}: try again in a moment")
    for process in found.processes:
        if not process.is_well:
            say(f"{process.name}: {process.state} {process.problem}")
    return False


def _tell(processes: Sequence[ProcessStatus], said: set[str], say: Say) -> None:
    for process in processes:
        if process.is_well and process.name not in said:
            said.add(process.name)
            where = f" on port {process.port}" if process.port else ""
            say(f"  {process.name:<15} {'done' if process.state == 'done' else 'up'}{where}")


def _end_orphans(found: StackStatus) -> bool:
    """End what a supervisor that is gone has left, and nothing else; return whether there was something."""
    left = [process for process in reversed(found.processes) if alive.is_alive(process.pid, process.start_mark)]
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + ORPHAN_TIMEOUT_S
    for process in left:
        while alive.is_alive(process.pid, process.start_mark) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        # Each leads a group of its own; what is left of the group goes with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    return bool(left)


def _supervisor_is_alive(found: StackStatus) -> bool:
    return alive.is_alive(found.pid, found.start_mark)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
