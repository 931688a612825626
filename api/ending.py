"""How a server process learns that it is to end, while its server keeps the handlers of the signals to itself."""

from __future__ import annotations

import os
import signal
import threading


def listen(ending: threading.Event) -> None:
    """Set `ending` when the process gets SIGTERM or SIGINT; call it from the main thread.

    Python writes the number of every signal that has a handler to a file descriptor of ours, whoever's handler it is.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(reader, ending), name="ending", daemon=True).start()


def _wait(reader: int, ending: threading.Event) -> None:
    while not ending.is_set():
        if os.read(reader, 1) in (bytes([signal.SIGTERM]), bytes([signal.SIGINT])):
            ending.set()
