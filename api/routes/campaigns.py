"""Campaigns: whom to start with."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, url_for

from api.answers import answer
from api.errors import MEDIA_TYPE
from api.keyring import scope
from api.planning import ask, wait_for
from api.services import services
from api.shapes.campaigns import CampaignPlan, PlanBody, PlanQuery

campaigns = APIBlueprint("campaigns", __name__, tag="campaigns")


@campaigns.post("/v1/campaigns:plan")
@scope("read")
@campaigns.input(PlanQuery, location="query", arg_name="query")
@campaigns.input(PlanBody, arg_name="body")
@campaigns.output(CampaignPlan)
@campaigns.doc(
    responses={
        202: {
            "description": "Not ready yet: its job",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}},
        },
        404: {
            "description": "There is no such item, or none in the category",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        },
    }
)
def plan(query: PlanQuery, body: PlanBody) -> Response:
    """Choose the users that a campaign starts with, within a budget, and tell what that reaches.

    200 with the plan if it is there within `wait` seconds (at most 10), else 202 with its job: follow it at `Location`,
    its `result` is the plan.
    """
    kith = services()
    job = wait_for(kith, ask(kith, body.request()), query.wait)
    if job["state"] == "done":
        return answer(job["result"])
    return answer(job, 202, {"Location": url_for("jobs.get", job_id=job["jobId"])})
