"""One process under the supervisor's eye, on a thread of its own: start, wait until well, watch, start again, stop."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from graph.server.process import last_line
from kith.stack.checks import CHECKS
from kith.stack.state import ProcessStatus
from kith.stack.table import Process
from workers import alive

log = logging.getLogger("kith.stack")

FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
CALM_S = 60.0
"""A process that was well for so long has its next failure forgiven at once."""
STARTING_POLL_S = 0.1
SETTLE_S = 1.0
"""A process that cannot be asked is well once it has lived for so long."""
EXIT_POLL_S = 0.5
LOG_BYTES = 20_000_000
KILL_WAIT_S = 5.0


class Child:
    """A process of the table, kept alive until `stop`."""

    def __init__(self, process: Process, log: Path, environment: dict[str, str]) -> None:
        self.process = process
        self.status = ProcessStatus(name=process.name, port=process.port, log=str(log))
        self._log = log
        self._environment = environment | process.environment
        self._ending = threading.Event()
        self._well_since = 0.0
        self._began = 0.0
        self._thread = threading.Thread(target=self._keep, name=process.name, daemon=True)

    def start(self) -> None:
        """Start the process and the thread that keeps it."""
        self._thread.start()

    def stop(self) -> None:
        """End the process by its signals, at last by force, with everything in its group; returns when it is gone."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()

    def note(self, pss_mb: float) -> None:
        """Record a sample of its memory and how long it has run."""
        self.status.pss_mb = round(pss_mb, 1)
        self.status.peak_pss_mb = max(self.status.peak_pss_mb, self.status.pss_mb)
        if self.status.pid:
            self.status.uptime_s = int(time.monotonic() - self._began)

    def _keep(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while not self._ending.is_set():
            try:
                reason = self._run()
            except Exception as error:  # whatever it is, the process must not be left without its keeper
                log.exception("%s cannot be kept", self.process.name)
                reason = f"cannot be kept ({error})"
            if self.process.runs_once and reason == "0":
                self.status.state = "done"
                return
            if self._ending.is_set():
                break
            self.status.state, self.status.problem = "unwell", self._tell(reason)
            self.status.restarts += 1
            log.warning("%s: ended (%s), restart %d", self.process.name, reason, self.status.restarts)
            if self._well_since and time.monotonic() - self._well_since > CALM_S:
                backoff_s = FIRST_BACKOFF_S
            self._ending.wait(backoff_s)
            backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)
        self.status.state = "stopped"

    def _run(self) -> str:
        """Run the process until it ends or has to; return its exit code or what was wrong."""
        running = self._begin()
        try:
            return self._watch(running)
        finally:
            self._end(running)

    def _begin(self) -> subprocess.Popen[bytes]:
        self._well_since = 0.0
        self._began = time.monotonic()
        with self._log.open("ab") as stream:
            # A session of its own: a signal from the terminal misses it, and its group can be ended as one.
            running = subprocess.Popen(
                self.process.command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=self._environment,
                start_new_session=True,
            )
        self.status.pid, self.status.start_mark = running.pid, alive.start_mark(running.pid)
        self.status.state = "starting"
        return running

    def _watch(self, running: subprocess.Popen[bytes]) -> str:
        """Watch until the process ends, stays unwell or is to stop; return its exit code or what was wrong."""
        bad_since = 0.0
        next_check = self._began + (SETTLE_S if self.process.check == "alive" else 0.0)
        while not self._ending.is_set():
            code = running.poll()
            if code is not None:
                return str(code)
            if time.monotonic() >= next_check and not self.process.runs_once:
                is_bad = self._ask()
                now = time.monotonic()
                bad_since = (bad_since or now) if is_bad else 0.0
                patience_s = self.process.unwell_for_s if self._well_since else self.process.start_timeout_s
                if bad_since and now - bad_since > patience_s:
                    return f"no answer for {patience_s:.0f} s"
                next_check = now + (self.process.check_every_s if self._well_since else STARTING_POLL_S)
            turn_log(self._log)
            self._ending.wait(EXIT_POLL_S if self._well_since else STARTING_POLL_S)
        return "stopped"

    def _ask(self) -> bool:
        """Ask the process how it is; return whether the answer counts against it."""
        answer = CHECKS[self.process.check](self.process.target)
        if answer:
            self._well_since = self._well_since or time.monotonic()
            self.status.state, self.status.problem = "well", ""
        # What cannot be told counts against a process only until it has been well once.
        return answer is False or (answer is None and not self._well_since)

    def _end(self, running: subprocess.Popen[bytes]) -> None:
        """End the process if it still runs, then whatever is left of its group."""
        for name, patience_s in self.process.stop_signals:
            if running.poll() is not None:
                break
            running.send_signal(getattr(signal, name))
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(patience_s)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(running.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(KILL_WAIT_S)
        self.status.pid, self.status.start_mark, self.status.uptime_s = 0, 0.0, 0

    def _tell(self, reason: str) -> str:
        said = f"ended with code {reason}" if reason.lstrip("-").isdigit() else reason
        return f"{self.process.name} {said}; the end of {self._log}: {last_line(self._log)}"


def turn_log(log_file: Path) -> None:
    """Move a log that has grown large aside; who writes to it goes on with the same file, which is emptied."""
    with contextlib.suppress(OSError):
        if log_file.stat().st_size > LOG_BYTES:
            shutil.copyfile(log_file, log_file.with_suffix(".log.1"))
            os.truncate(log_file, 0)
