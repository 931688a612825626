"""Background writing goes at full speed alone and makes room as soon as others use the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from graph import pace
from graph.connection import Graph

STEPS = 40


@contextmanager
def others(graph: Graph) -> Iterator[None]:
    stop = threading.Event()

    def read() -> None:
        while not stop.wait(0.01):
            graph.read("publication.published")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        stop.set()
        reader.join()


def paced(graph: Graph) -> tuple[pace.Pace, float]:
    """Return the pace after some steps, and the seconds that the work took."""
    pacing, worked_s = pace.Pace(graph), 0.0

    def work() -> None:
        nonlocal worked_s
        began = time.monotonic()
        graph.write("publication.lock")
        time.sleep(0.02)
        worked_s += time.monotonic() - began

    for _ in range(STEPS):
        pacing.step(work)
    return pacing, worked_s


def test_alone_it_does_not_rest(graph: Graph) -> None:
    pacing, worked_s = paced(graph)
    assert pacing.rows(500, 200) == 500
    assert pacing.rested_s < 0.2 * worked_s


def test_beside_others_steps_are_small_and_half_of_the_time_is_theirs(graph: Graph) -> None:
    with others(graph):
        pacing, worked_s = paced(graph)
        assert pacing.rows(500, 200) == 200
        assert pacing.rows(50, 200) == 50
    assert pacing.rested_s > 0.5 * worked_s
    pacing, _ = paced(graph)
    assert pacing.rows(500, 200) == 500
