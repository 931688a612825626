from __future__ import annotations

import os
import subprocess
import sys

from kith.stack import memory

GRANDCHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
HOLD = "x = bytearray(60_000_000); x[::4096] = b'1' * len(x[::4096]); print('held', flush=True); input()"


def test_what_a_grandchild_holds_counts() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", GRANDCHILD, HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == b"held\n"
        assert 60 < memory.pss_mb([child.pid])[child.pid] < 130
        both = memory.pss_mb([os.getpid(), child.pid])
        assert both[child.pid] > 60, "a root inside another root's tree is counted once, under its own name"
        child.stdin.close()


def test_a_process_that_is_gone_holds_nothing() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert memory.pss_mb([child.pid]) == {child.pid: 0.0}
