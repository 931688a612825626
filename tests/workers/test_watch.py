from __future__ import annotations

import pytest

from graph import jobs
from graph.connection import Graph
from workers.watch import JobStopped, Watch


def test_who_was_frozen_learns_before_others_see_his_work_that_the_job_is_anothers(graph: Graph) -> None:
    job_id = jobs.create(graph, "train", {})["jobId"]
    frozen = jobs.claim(graph, job_id, "first#1", 60)
    assert frozen is not None
    seen = Watch(graph, frozen)  # not entered: no heartbeat tells him
    seen.confirm()
    jobs.forfeit(graph, job_id, "first#1")
    assert jobs.claim(graph, job_id, "second#2", 60) is not None
    seen.check()
    with pytest.raises(JobStopped) as stopped:
        seen.confirm()
    assert (stopped.value.reason, seen.reason) == ("lost", "lost")
