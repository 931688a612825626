"""Logs: one JSON object a line, on standard error; the supervisor puts them into `logs/` and bounds their size.

A line holds the time, who speaks, the message and a few known fields, nothing else. Of an error it holds the class and
the place, not the words: those may quote what somebody sent, or an id that Neo4j repeats.
"""

from __future__ import annotations

import json
import logging
import logging.config
import os
import shutil
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

CONFIGURATION = Path(__file__).with_name("logging.json")
"""What `set_up` applies; granian, which sets up logging itself, is given the file."""
FIELDS = ("requestId", "jobId", "route", "method", "status", "durationMs", "keyId")
"""What a record may carry in `extra`, besides time, level, logger and message."""
LONGEST_MESSAGE = 2_000
KEPT_FRAMES = 20
KEPT_CAUSES = 5
KEPT_TRAININGS = 20
"""Logs of training jobs that are kept, one file and one TensorBoard folder each."""
LONGEST_TRAINING_LOG = 20_000_000
"""Bytes; what a training has said is dropped when it is more."""


class JsonFormatter(logging.Formatter):
    """One record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record)[:LONGEST_MESSAGE],
        }
        line |= {name: record.__dict__[name] for name in FIELDS if name in record.__dict__}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _error(record.exc_info[1])
        try:
            return orjson.dumps(line, default=str).decode()
        except orjson.JSONEncodeError:  # half a character: whatever it is, the line must come out
            return json.dumps(line, default=str)


def set_up() -> None:
    """Send this process's logs, warnings and uncaught errors to standard error as lines of JSON."""
    logging.config.dictConfig(json.loads(CONFIGURATION.read_text(encoding="utf-8")))
    logging.captureWarnings(True)
    # A line says neither where in the code it was written nor by which thread: the record need not find out.
    logging._srcfile = None  # type: ignore[attr-defined]
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def prune(folder: Path) -> None:
    """Delete all but the newest logs of trainings in the folder of logs, and empty one that has grown large."""
    for file in folder.glob("train-*.log"):
        if file.stat().st_size > LONGEST_TRAINING_LOG:
            os.truncate(file, 0)
    for found in (folder.glob("train-*.log"), (folder / "tensorboard").glob("*")):
        aged = sorted(((each.stat().st_mtime, each) for each in found), reverse=True)
        for _, old in aged[KEPT_TRAININGS:]:
            if old.is_dir():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.unlink(missing_ok=True)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return str(record.msg)


def _error(error: BaseException) -> dict[str, Any]:
    """Return class and place of an error and of what led to it."""
    frames = traceback.extract_tb(error.__traceback__)[-KEPT_FRAMES:]
    told: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    causes: list[str] = []
    cause = error.__cause__ or error.__context__
    while cause is not None and len(causes) < KEPT_CAUSES:
        causes.append(f"{type(cause).__module__}.{type(cause).__qualname__}")
        cause = cause.__cause__ or cause.__context__
    return told | ({"causes": causes} if causes else {})


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("kith").critical("uncaught %s", kind.__name__, exc_info=(kind, error, trace))


def _uncaught_in_thread(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_value is not None and not isinstance(hook.exc_value, SystemExit):
        _uncaught(hook.exc_type, hook.exc_value, hook.exc_traceback)
