from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.workers.processes import until
from workers import child
from workers.watch import JobStopped


def follow(script: str, tmp_path: Path, limit_s: float = 60, check: Any = None) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    child.run(
        [sys.executable, "-c", script],
        log_file=tmp_path / "logs" / "child.log",
        limit_s=limit_s,
        on_line=lines.append,
        check=check or (lambda: None),
    )
    return lines


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_every_json_line_is_told_in_order_and_other_lines_are_not(tmp_path: Path) -> None:
    script = 'import json\nfor n in range(3): print(json.dumps({"done": n}))\nprint("hello"); print("{broken")'
    assert follow(script, tmp_path) == [{"done": 0}, {"done": 1}, {"done": 2}]


def test_a_failing_child_is_named_by_the_last_line_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(child.ChildFailedError, match="the training failed: no data at all"):
        follow('import sys; sys.exit("no data at all")', tmp_path)


def test_a_child_that_is_killed_says_by_what(tmp_path: Path) -> None:
    with pytest.raises(child.ChildFailedError, match="SIGKILL"):
        follow("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", tmp_path)


def test_a_hung_child_and_what_it_started_are_killed_at_the_limit(tmp_path: Path) -> None:
    script = (
        "import json, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(json.dumps({'pid': other.pid}), flush=True)\n"
        "time.sleep(600)"
    )
    lines: list[dict[str, Any]] = []
    began = time.monotonic()
    with pytest.raises(child.ChildFailedError, match="KITH_TRAIN_TIMEOUT_S"):
        child.run(
            [sys.executable, "-c", script],
            log_file=tmp_path / "child.log",
            limit_s=3,
            on_line=lines.append,
            check=lambda: None,
        )
    assert time.monotonic() - began < 20
    assert lines
    until(lambda: not is_alive(lines[0]["pid"]), 5)


def test_what_the_check_raises_stops_the_child(tmp_path: Path) -> None:
    began = time.monotonic()

    def check() -> None:
        if time.monotonic() - began > 1:
            raise JobStopped("cancelled")

    with pytest.raises(JobStopped):
        follow("import time; time.sleep(600)", tmp_path, check=check)
    assert time.monotonic() - began < 15


def test_the_child_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"import os, pathlib, time; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); time.sleep(600)"
    parent = (
        "import sys, pathlib\nfrom workers import child\n"
        f"child.run([sys.executable, '-c', {script!r}], log_file=pathlib.Path({str(tmp_path / 'c.log')!r}), "
        "limit_s=600, on_line=print, check=lambda: None)"
    )
    pid = os.spawnl(os.P_NOWAIT, sys.executable, sys.executable, "-c", parent)
    try:
        deadline = time.monotonic() + 60
        while not (pid_file.exists() and pid_file.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        trainer = int(pid_file.read_text())
        assert is_alive(trainer)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    deadline = time.monotonic() + 10
    while is_alive(trainer):
        assert time.monotonic() < deadline, "the training outlived its worker"
        time.sleep(0.05)
