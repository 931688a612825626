"""`python -m kith.stack.supervisor PLAN`: start the processes of the plan stage by stage, keep them, stop them.

It reads settings from its environment, holds no connection and loads no driver; it lives in a session of its own, so
it survives the terminal. SIGTERM stops everything in reverse order.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from graph import logs
from graph.settings import Settings
from kith.stack import memory, plan, state
from kith.stack.child import Child
from kith.stack.state import StackStatus
from kith.stack.table import Process
from workers import alive

log = logging.getLogger("kith.stack")

SAMPLE_EVERY_S = 2.0
TICK_S = 0.1
START_TRIES = 3
"""Until the stack is up, a process that fails so often makes the whole start fail."""


class Supervisor:
    """The stack of one home folder."""

    def __init__(self, settings: Settings, processes: Sequence[Process]) -> None:
        self._settings = settings
        self._children = [
            Child(process, settings.logs / f"{process.name}.log", dict(os.environ)) for process in processes
        ]
        self._asked = threading.Event()
        self._sampled = 0.0
        pid = os.getpid()
        self.status = StackStatus(
            phase="starting",
            pid=pid,
            start_mark=alive.start_mark(pid),
            processes=[child.status for child in self._children],
        )

    def ask_to_stop(self) -> None:
        """Make `run` stop everything and return."""
        self._asked.set()

    def run(self) -> int:
        """Start, keep and stop the processes; return 0 after a stop that was asked for, 1 after a failed start."""
        self._write()
        try:
            for stage in sorted({child.process.stage for child in self._children}):
                self._start(stage)
                if self._asked.is_set() or self.status.problem:
                    break
            else:
                self.status.phase = "up"
                log.info("the stack is up")
            while not self._asked.is_set() and not self.status.problem:
                self._tick()
        finally:
            self._stop()
        return 1 if self.status.problem else 0

    def _start(self, stage: int) -> None:
        """Start the processes of a stage and wait until each is well or done."""
        started = [child for child in self._children if child.process.stage == stage]
        for child in started:
            child.start()
        while not self._asked.is_set() and not all(child.status.is_well for child in started):
            for child in started:
                limit = 1 if child.process.runs_once else START_TRIES
                if child.status.restarts >= limit:
                    self.status.problem = child.status.problem
                    return
            self._tick()

    def _tick(self) -> None:
        if time.monotonic() - self._sampled > SAMPLE_EVERY_S:
            self._sample()
        self._write()
        self._asked.wait(TICK_S if self.status.phase == "starting" else SAMPLE_EVERY_S)

    def _sample(self) -> None:
        roots = {child.status.pid for child in self._children if child.status.pid} | {os.getpid()}
        used = memory.pss_mb(roots)
        for child in self._children:
            child.note(used.get(child.status.pid, 0.0))
        self.status.peak_sum_mb = round(max(self.status.peak_sum_mb, sum(used.values())), 1)
        self._sampled = time.monotonic()

    def _stop(self) -> None:
        """Stop in reverse order: stage by stage, the processes of a stage side by side."""
        self.status.phase = "stopping"
        log.info("the stack is being stopped %s", self.status.problem)
        self._write()
        for stage in sorted({child.process.stage for child in self._children}, reverse=True):
            stoppers = [threading.Thread(target=child.stop) for child in self._children if child.process.stage == stage]
            for stopper in stoppers:
                stopper.start()
            for stopper in stoppers:
                while stopper.is_alive():
                    stopper.join(TICK_S)
                    self._write()
        self.status.phase = "failed" if self.status.problem else "down"
        self._write()

    def _write(self) -> None:
        # A full disk must not end the stack that would clear it.
        with contextlib.suppress(OSError):
            state.write(self._settings, self.status)


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[bool]:
    """Hold this home's lock for the length of a `with` block; yields whether it was free. It dies with its holder."""
    with (settings.home / "run" / "supervisor.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def main(arguments: Sequence[str]) -> int:
    """Run the plan of this home until SIGTERM; return 2 when another supervisor does so already."""
    logs.set_up()
    settings = Settings.load()
    settings.logs.mkdir(parents=True, exist_ok=True)
    with alone(settings) as free:
        if not free:
            log.error("another supervisor holds this home")
            return 2
        supervisor = Supervisor(settings, plan.read(Path(arguments[0])))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.ask_to_stop())
        return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
