"""The places in which processes count: each its own, taken over from the dead; a folder that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import values

from api.metrics import RequestMetrics
from api.metrics_files import FILE_BYTES

COUNT = """
import sys
from pathlib import Path
from api.metrics import RequestMetrics
metrics = RequestMetrics(Path(sys.argv[1]))
metrics.in_flight.inc()
metrics.answered("/r", "GET", 200, 0.003)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    before = values.ValueClass
    yield
    values.ValueClass = before
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


def counting(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COUNT, str(folder)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate()


def line(text: bytes, name: str) -> float:
    return next(float(each.split()[-1]) for each in text.decode().splitlines() if each.startswith(name))


def test_processes_are_added_up_and_a_successor_counts_on(tmp_path: Path) -> None:
    first, second = counting(tmp_path), counting(tmp_path)
    mine = RequestMetrics(tmp_path)
    assert line(mine.render(), 'kith_requests_total{method="GET",route="/r",status="200"}') == 2
    assert line(mine.render(), "kith_requests_in_flight") == 2
    end(second)
    assert line(mine.render(), "kith_requests_total") == 2
    assert line(mine.render(), "kith_requests_in_flight") == 1
    third = counting(tmp_path)
    assert line(mine.render(), "kith_requests_total") == 3
    assert line(mine.render(), 'kith_request_seconds_bucket{le="0.005"') == 3
    assert line(mine.render(), 'kith_request_seconds_bucket{le="0.002"') == 0
    files = list(tmp_path.glob("counter_*.db"))
    assert {file.name for file in files} == {"counter_0.db", "counter_1.db", "counter_2.db"}
    assert all(file.stat().st_blocks * 512 >= FILE_BYTES for file in files)
    end(first)
    end(third)


def test_the_first_process_of_a_start_begins_at_nothing(tmp_path: Path) -> None:
    end(counting(tmp_path))
    child = counting(tmp_path)
    end(child)
    counted = RequestMetrics(tmp_path)
    counted.answered("/r", "GET", 200, 0.1)
    assert line(counted.render(), "kith_requests_total") == 1


def test_where_the_folder_cannot_be_written_a_process_counts_alone() -> None:
    metrics = RequestMetrics(Path("/proc/kith/metrics"))
    metrics.answered("/r", "GET", 200, 0.1)
    metrics.answered("/r", "GET", 200, 0.1)
    assert line(metrics.render(), 'kith_requests_total{method="GET",route="/r",status="200"}') == 2
