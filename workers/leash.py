"""`python -m workers.leash PARENT COMMAND...`: run a command that dies with the process that started it (Linux).

The training child has its own process group, so it would outlive a worker that is killed and train on for hours.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become the command."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent is gone")
    os.execv(command[0], command)  # noqa: S606  becomes the command: no shell


if __name__ == "__main__":
    main(sys.argv[1:])
