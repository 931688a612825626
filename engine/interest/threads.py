"""One number of threads for torch and numba: left alone, their pools fight for the same cores."""

from __future__ import annotations

import os

import numba
import torch


def set_threads(wanted: int = 0) -> int:
    """Set the threads of torch and numba and return their number; 0: as many as this process may run on."""
    threads = wanted or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    return threads
