"""Pages that plan a campaign: a form, then the plan with its picture. They work without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any, Final

from flask import Response, request

from api import errors
from api.answers import checked_id
from api.console import access
from api.console.drawing import drawn
from api.console.pages import console, page, redirect_to
from api.keyring import COOKIE, scope
from api.planning import OVER, ask, wait_for
from api.services import services
from graph import jobs as records
from graph.errors import GraphError, InputError, NotFoundError
from graph.plan_request import CostModel, PlanRequest
from graph.values import MAX_VALUE_MINOR, currency_exponent, currency_problem
from workers.queue import QueueUnavailableError

WAIT_S: Final = 2.0
"""A page of a plan that is not ready yet is asked for again every two seconds."""
MOST_CHARS: Final = 20_000
"""Of one field of the form."""
FIELDS: Final = (
    "itemId", "category", "k", "budget", "currency", "perUser", "perFriend", "channel", "horizon", "include", "exclude",
    "quota", "quotaBy", "whatIf",
)  # fmt: skip

Form = Mapping[str, str]


@console.get("/plan")
@scope("read", session=True)
def plan_form() -> Response:
    """Show the empty form."""
    return page("plan.html", place="plan", form={name: request.args.get(name, "") for name in FIELDS})


@console.post("/plan")
@scope("read", session=True)
def ask_plan() -> Response:
    """Ask for a plan and lead to its page; what was wrong is said above the form as it was filled in."""
    kith = services()
    access.check_form(kith, request.cookies.get(COOKIE, ""))
    form = {name: request.form.get(name, "").strip()[:MOST_CHARS] for name in FIELDS}
    try:
        job = ask(kith, _request(form))
    except (GraphError, QueueUnavailableError) as error:
        told = errors.handle(error)
        response = page("plan.html", told.status_code, place="plan", form=form, problem=told.get_json(force=True))
        if "Retry-After" in told.headers:
            response.headers["Retry-After"] = told.headers["Retry-After"]
        return response
    return redirect_to(f"/console/plan/{job['jobId']}")


@console.get("/plan/<job_id>")
@scope("read", session=True)
def show_plan(job_id: str) -> Response:
    """Show a plan, or that it is being made."""
    kith = services()
    job = records.get(kith.graph, checked_id(job_id, "jobId"))
    if job["kind"] != "plan":
        raise NotFoundError(f"there is no plan {job_id}")
    given = {"place": "plan", "form": _form(job["options"])}
    try:
        job = wait_for(kith, job, WAIT_S)
    except InputError as error:
        return page("plan.html", HTTPStatus.UNPROCESSABLE_ENTITY, problem={"detail": str(error)}, **given)
    if job["state"] != "done":
        return page("plan.html", job=job, is_over=job["state"] in OVER, **given)
    return page("plan.html", plan=job["result"], picture=drawn(job["result"]), **given)


def _request(form: Form) -> PlanRequest:
    """Return what a form asks.

    Raises:
        InputError: a field holds no number or no amount of money.
    """
    currency = form["currency"].upper() or None
    cost = None
    if form["perUser"] or form["perFriend"]:
        cost = CostModel(
            per_user_minor=_minor(form, "perUser", currency), per_friend_minor=_minor(form, "perFriend", currency) or 0
        )
    return PlanRequest(
        item_id=form["itemId"] or None,
        category=form["category"] or None,
        k=_whole(form, "k"),
        budget_minor=_minor(form, "budget", currency),
        currency=currency,
        cost=cost,
        channel=form["channel"] or None,
        horizon_hours=_whole(form, "horizon"),
        include=_ids(form["include"]),
        exclude=_ids(form["exclude"]),
        quota_per_community=_whole(form, "quota"),
        quota_by=form["quotaBy"] or None,
        what_if=_ids(form["whatIf"]),
    )


def _form(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of the form that asked for this."""
    cost, currency = options["cost"] or {}, options["currency"]
    told = {
        "itemId": options["itemId"],
        "category": options["category"],
        "k": options["k"],
        "budget": _major(options["budgetMinor"], currency),
        "currency": currency,
        "perUser": _major(cost.get("perUserMinor"), currency),
        "perFriend": _major(cost.get("perFriendMinor") or None, currency),
        "channel": options["channel"],
        "horizon": None if options["horizonHours"] is None else f"{options['horizonHours']:g}",
        "include": ", ".join(options["include"]),
        "exclude": ", ".join(options["exclude"]),
        "quota": options["quotaPerCommunity"],
        "quotaBy": options["quotaBy"],
        "whatIf": ", ".join(options["whatIf"]),
    }
    return {name: "" if value is None else str(value) for name, value in told.items()}


def _whole(form: Form, name: str) -> int | None:
    text = form[name]
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InputError(f"{name} is no whole number", [{"pointer": f"/{name}", "detail": "must be a whole number"}])
    return int(text)


def _minor(form: Form, name: str, currency: str | None) -> int | None:
    """Return an amount in minor units; people write major ones."""
    text = form[name]
    if not text:
        return None
    if currency is None or currency_problem(currency):
        raise InputError("money needs a currency such as EUR", [{"pointer": "/currency", "detail": "is needed"}])
    try:
        value = Decimal(text).scaleb(currency_exponent(currency))
        whole = int(value) if value.is_finite() and abs(value) <= MAX_VALUE_MINOR and value == int(value) else None
    except InvalidOperation:
        whole = None
    if whole is None:
        raise InputError(
            f"{name} is no amount of {currency}", [{"pointer": f"/{name}", "detail": f"is no amount of {currency}"}]
        )
    return whole


def _major(minor: int | None, currency: str | None) -> str | None:
    if minor is None or currency is None:
        return None
    return str(Decimal(minor).scaleb(-currency_exponent(currency)))


def _ids(text: str) -> tuple[str, ...]:
    return tuple(part for part in (each.strip() for each in text.replace("\n", ",").split(",")) if part)
