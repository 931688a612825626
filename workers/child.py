"""The training child: a fresh process in its own group, read line by line, killed at its limit or on request."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import orjson

TERM_S = 3.0
"""Between asking the child to stop and killing it."""
POLL_S = 0.5
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Workers run with one thread; the training uses the machine."""
LONGEST_LINE = 100_000
TAIL_BYTES = 4_000


class ChildFailedError(Exception):
    """The child ended with an error or was killed at its limit; the message is one line."""


def run(
    command: Sequence[str],
    *,
    log_file: Path,
    limit_s: float,
    on_line: Callable[[dict[str, Any]], None],
    check: Callable[[], None],
) -> None:
    """Run the command to its end.

    Args:
        command: program and arguments.
        log_file: what the child writes to stderr goes here.
        limit_s: the child is killed after this.
        on_line: called with every JSON object that the child prints on a line of its own.
        check: called twice a second; what it (or `on_line`) raises stops the child and is raised on.

    Raises:
        ChildFailedError: exit code other than 0, or the limit.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + limit_s
    leashed = [sys.executable, "-m", "workers.leash", str(os.getpid()), *command]
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_LIMITS}
    log_file.unlink(missing_ok=True)
    with log_file.open("ab") as log:  # appending, so that whoever bounds its size may empty it
        child = subprocess.Popen(
            leashed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        try:
            _follow(child, deadline, on_line, check)
        finally:
            stop(child)
    if child.returncode != 0:
        raise ChildFailedError(_cause(child.returncode, log_file))


def stop(child: subprocess.Popen[bytes]) -> None:
    """End the child and everything it started."""
    for number, patience_s in ((signal.SIGTERM, TERM_S), (signal.SIGKILL, TERM_S)):
        if child.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience_s)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    if child.stdout:
        child.stdout.close()


def _follow(
    child: subprocess.Popen[bytes],
    deadline: float,
    on_line: Callable[[dict[str, Any]], None],
    check: Callable[[], None],
) -> None:
    output: IO[bytes] = child.stdout  # type: ignore[assignment]
    os.set_blocking(output.fileno(), False)
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            check()
            if time.monotonic() > deadline:
                raise ChildFailedError("the training took longer than KITH_TRAIN_TIMEOUT_S and was stopped")
            if selector.select(POLL_S):
                part = output.read(65_536)
                if not part:
                    break
                *lines, pending = (pending + part).split(b"\n")
                pending = pending[-LONGEST_LINE:]
                for line in lines:
                    _tell(line, on_line)
    while child.poll() is None:
        check()
        if time.monotonic() > deadline:
            raise ChildFailedError("the training did not end within KITH_TRAIN_TIMEOUT_S and was stopped")
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(POLL_S)


def _tell(line: bytes, on_line: Callable[[dict[str, Any]], None]) -> None:
    if line.startswith(b"{"):
        with contextlib.suppress(orjson.JSONDecodeError):
            on_line(orjson.loads(line))


def _cause(code: int, log_file: Path) -> str:
    with log_file.open("rb") as log:
        log.seek(max(0, log_file.stat().st_size - TAIL_BYTES))
        lines = [line.strip() for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    if code < 0:
        return f"the training was killed by {signal.Signals(-code).name}; its log is {log_file.name}"
    return f"the training failed: {lines[-1] if lines else f'exit code {code}'}"[:1000]
