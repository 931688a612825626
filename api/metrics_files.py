"""Where the API's processes keep their counters: a folder under the home, one place in it for each process.

Prometheus must see one sum, whichever process it asks, so the counters lie in memory-mapped files that every process
can read (the multiprocess mode of prometheus_client). That mode names files after process ids, so that each respawned
process leaves files behind; here a process takes a numbered place instead, held by a lock that ends with it. Its
successor takes the place over and counts on: nothing is lost, nothing grows. The first process of a start finds no
other and begins with an empty folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from prometheus_client import multiprocess, values

PLACES = 64
"""Most processes that count; the names of places are the numbers below it."""
FILE_BYTES = 1_000_000
"""Reserved for each kind of metric, several times what all routes need: on a full disk a file that must grow would
kill its process."""
KINDS = ("counter", "histogram", "gauge_livesum")


class Place:
    """This process's place in the folder, its own as long as the process lives."""

    def __init__(self, folder: Path) -> None:
        """Take a place and have metrics that are made from now on lie in it.

        Raises:
            OSError: the folder cannot be written, or every place is taken.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        with _alone(folder):
            taken = [number for number in range(PLACES) if not _is_free(folder, number)]
            if not taken:
                _clear(folder)
            self.number = next((number for number in range(PLACES) if number not in taken), PLACES)
            if self.number == PLACES:
                raise OSError(f"{PLACES} processes count in {folder} already")
            self._lock = _lock(folder, self.number)
            multiprocess.mark_process_dead(self.number, str(folder))
            for kind in KINDS:
                _reserve(folder / f"{kind}_{self.number}.db")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        values.ValueClass = values.MultiProcessValue(process_identifier=lambda: self.number)

    def forget_the_dead(self) -> None:
        """Drop what dead processes said of the moment (requests in flight); what they counted stays."""
        for number in range(PLACES):
            if number != self.number and _is_free(self.folder, number):
                multiprocess.mark_process_dead(number, str(self.folder))


@contextlib.contextmanager
def _alone(folder: Path):  # noqa: ANN202
    with (folder / "lock").open("a") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def _lock(folder: Path, number: int) -> int:
    """Return a descriptor that holds the place.

    Raises:
        BlockingIOError: somebody has it.
    """
    descriptor = os.open(folder / f"place-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def _is_free(folder: Path, number: int) -> bool:
    if not (folder / f"place-{number}").exists():
        return True
    try:
        os.close(_lock(folder, number))
    except BlockingIOError:
        return False
    return True


def _reserve(file: Path) -> None:
    with file.open("ab") as stream:
        if os.fstat(stream.fileno()).st_size < FILE_BYTES:
            os.posix_fallocate(stream.fileno(), 0, FILE_BYTES)


def _clear(folder: Path) -> None:
    for file in folder.glob("*.db"):
        file.unlink()
