"""Jobs: asking for a training, following it, stopping it. A job is committed before the queue hears of it."""

from __future__ import annotations

import logging
from typing import Any

from apiflask import APIBlueprint
from flask import Response, url_for

from api.answers import answer, checked_id
from api.keyring import scope
from api.services import Services, services
from api.shapes.jobs import Job, TrainingBody
from graph import jobs as records
from workers import queue
from workers.queue import QueueUnavailableError

jobs = APIBlueprint("jobs", __name__, tag="jobs")
log = logging.getLogger("kith.api")


@jobs.post("/v1/trainings")
@scope("admin")
@jobs.input(TrainingBody, arg_name="body")
@jobs.output(Job, status_code=202)
def post_training(body: TrainingBody) -> Response:
    """Ask for a training: export, train, evaluate, publish as one version. Follow it at `Location`."""
    kith = services()
    job = records.create(kith.graph, "train", body.options())
    return accepted(kith, job)


@jobs.get("/v1/jobs/<job_id>")
@scope("read")
@jobs.output(Job)
def get(job_id: str) -> Response:
    """Tell how far a job is."""
    return answer(records.get(services().graph, checked_id(job_id, "jobId")))


@jobs.delete("/v1/jobs/<job_id>")
@scope("admin")
@jobs.output(Job, status_code=202)
def delete(job_id: str) -> Response:
    """Ask a job to stop; one that is over stays as it is."""
    return answer(records.request_cancel(services().graph, checked_id(job_id, "jobId")), 202)


def accepted(kith: Services, job: dict[str, Any]) -> Response:
    """Tell the workers about a recorded job and return it; without a broker the sweeper tells them later."""
    try:
        queue.enqueue(kith.settings, job["kind"], job["jobId"])
    except QueueUnavailableError as error:
        log.warning("job %s waits for the sweeper: %s", job["jobId"], error)
    return answer(job, 202, {"Location": url_for("jobs.get", job_id=job["jobId"])})
