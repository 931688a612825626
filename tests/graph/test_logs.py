"""Log lines: one JSON object each, known fields only, no words of errors; a bound on what is kept."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from graph import logs
from graph.server.process import last_line


def line_of(logger: logging.Logger, *arguments: object, **more: object) -> dict[str, object]:
    record = logger.makeRecord(logger.name, logging.INFO, "f", 1, str(arguments[0]), arguments[1:], **more)  # type: ignore[arg-type]
    record.created = 0.25
    text = logs.JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_holds_time_level_logger_message_and_the_known_fields() -> None:
    given = {"requestId": "r1", "status": 404, "durationMs": 1.5, "userId": "ann"}
    assert line_of(logging.getLogger("kith.x"), "%s of %d", "one", 2, exc_info=None, extra=given) == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "INFO",
        "logger": "kith.x",
        "message": "one of 2",
        "requestId": "r1",
        "status": 404,
        "durationMs": 1.5,
    }


def test_of_an_error_the_class_and_the_place_are_told_and_not_its_words() -> None:
    try:
        try:
            raise KeyError("canary-inner")
        except KeyError as inner:
            raise ValueError("canary-outer") from inner
    except ValueError:
        told = line_of(logging.getLogger("kith"), "failed", exc_info=sys.exc_info())
    assert "canary" not in json.dumps(told)
    error = told["error"]
    assert isinstance(error, dict)
    assert (error["type"], error["causes"]) == ("builtins.ValueError", ["builtins.KeyError"])
    assert f"{__file__}:" in error["at"][-1]


def test_whatever_the_message_is_a_line_comes_out() -> None:
    log = logging.getLogger("kith")
    assert line_of(log, "half \ud800", exc_info=None)["message"] == "half \ud800"
    assert line_of(log, "%d", "no number", exc_info=None)["message"] == "%d"
    assert line_of(log, "two\nlines", exc_info=None)["message"] == "two\nlines"
    assert len(str(line_of(log, "x" * 10_000, exc_info=None)["message"])) == logs.LONGEST_MESSAGE


def test_warnings_and_uncaught_errors_of_a_process_are_lines_too() -> None:
    code = (
        "import threading, warnings; from graph import logs; logs.set_up(); warnings.warn('old');"
        "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join(); raise RuntimeError('canary')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in lines] == ["WARNING", "CRITICAL", "CRITICAL"]
    assert lines[1]["error"]["type"] == "builtins.ZeroDivisionError"
    assert done.returncode == 1
    assert "canary" not in done.stderr


def test_the_newest_logs_of_trainings_are_kept_and_large_ones_emptied(tmp_path: Path) -> None:
    for number in range(logs.KEPT_TRAININGS + 3):
        file, folder = tmp_path / f"train-{number}.log", tmp_path / "tensorboard" / str(number)
        folder.mkdir(parents=True)
        (folder / "events").write_text("x")
        file.write_text("x")
        os.utime(file, (number, number))
        os.utime(folder, (number, number))
    with (tmp_path / "train-22.log").open("wb") as large:
        large.truncate(logs.LONGEST_TRAINING_LOG + 1)
    (tmp_path / "api.log").write_text("x")
    logs.prune(tmp_path)
    assert {file.name for file in tmp_path.glob("*.log")} == {"api.log", *(f"train-{n}.log" for n in range(3, 23))}
    assert {folder.name for folder in (tmp_path / "tensorboard").iterdir()} == {str(n) for n in range(3, 23)}
    assert (tmp_path / "train-22.log").stat().st_size == 0
    logs.prune(tmp_path / "not-there")


def test_the_last_line_of_a_log_is_told_by_its_message(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text('first\n{"message": "what went wrong", "level": "ERROR"}\n\n')
    assert last_line(log) == "what went wrong"
    log.write_text("{half a line")
    assert last_line(log) == "{half a line"
