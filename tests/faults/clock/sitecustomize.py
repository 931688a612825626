"""Python loads this before anything else: its clock is `CLOCK_OFF_S` seconds ahead (behind where negative).

The class `datetime.datetime` stays the one that compiled modules know; its methods that read the clock are changed.
"""

from __future__ import annotations

import ctypes
import datetime
import gc
import os
import time
from typing import Any

OFF_S = float(os.environ["CLOCK_OFF_S"])
right_time, right_time_ns = time.time, time.time_ns

time.time = lambda: right_time() + OFF_S
time.time_ns = lambda: right_time_ns() + int(OFF_S * 1e9)


def now(cls: type[datetime.datetime], tz: datetime.tzinfo | None = None) -> datetime.datetime:
    return cls.fromtimestamp(time.time(), tz)


def utcnow(cls: type[datetime.datetime]) -> datetime.datetime:
    return cls.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)


methods: dict[str, Any] = gc.get_referents(datetime.datetime.__dict__)[0]
methods["now"], methods["utcnow"] = classmethod(now), classmethod(utcnow)
ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))
