from __future__ import annotations

import os
import subprocess

from workers import alive


def test_a_pid_that_another_process_has_now_does_not_count() -> None:
    mark = alive.start_mark(os.getpid())
    assert mark > 0
    assert alive.is_alive(os.getpid(), mark)
    assert not alive.is_alive(os.getpid(), mark - 1)
    assert not alive.is_alive(0, 0.0)


def test_a_process_that_has_ended_is_not_alive_even_before_it_is_reaped() -> None:
    child = subprocess.Popen(["true"])
    mark = alive.start_mark(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not alive.is_alive(child.pid, mark)
    child.wait()
    assert not alive.is_alive(child.pid, mark)


def test_a_name_tells_the_living_from_the_dead_and_says_nothing_of_strangers() -> None:
    child = subprocess.Popen(["sleep", "60"])
    named = alive.name(child.pid)
    assert not alive.is_gone(named)
    child.kill()
    child.wait()
    assert alive.is_gone(named)
    place, pid, mark = alive.name().split("#")
    assert alive.is_gone(f"{place}#{pid}#{int(mark) - 1}")
    assert not alive.is_gone(f"another-{named}")
    assert not alive.is_gone("anything else")
