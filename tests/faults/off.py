"""Runs a Python module, and all that it starts, by a clock that is off: `tests.faults.off SECONDS MODULE ARGS`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    os.environ["CLOCK_OFF_S"] = sys.argv[1]
    os.environ["PYTHONPATH"] = str(Path(__file__).parent / "clock")
    os.execv(sys.executable, [sys.executable, "-m", *sys.argv[2:]])
