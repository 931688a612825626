"""`POST /v1/campaigns:plan` on a real graph, broker and worker: answers, jobs, refusals, the command, the console."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient

from api.app import Application, create_app
from api.shapes.campaigns import CampaignPlan
from graph import jobs, keys
from graph.connection import Graph
from graph.settings import Settings
from tests.graph import campaign_shop, small_shop
from tests.workers.processes import beside, process, until, worker_command

Ask = Callable[..., dict[str, Any]]
PLAN = "/v1/campaigns:plan"


@pytest.fixture(scope="module")
def served(
    settings: Settings, graph: Graph, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Application, Settings]]:
    """The application and a worker of the queue of plans."""
    chosen = beside(settings, tmp_path_factory.mktemp("api"), broker_url=broker_url, signing_key="k" * 32)
    small_shop.fill(graph, settings)
    campaign_shop.write_folder(chosen)
    made = create_app(chosen)
    with process(worker_command("plan"), chosen, chosen.logs / "worker-plan.log"):
        yield made, chosen
    made.extensions["kith"].close()


@pytest.fixture(scope="module")
def client(served: tuple[Application, Settings]) -> FlaskClient:
    return served[0].test_client()


@pytest.fixture(scope="module")
def ask(client: FlaskClient, graph: Graph) -> Ask:
    headers = {"Authorization": f"Bearer {keys.create(graph, ['read'])}"}

    def asked(body: dict[str, Any], status: int, wait: float = 10) -> dict[str, Any]:
        response = client.post(PLAN, json=body, query_string={"wait": wait}, headers=headers)
        assert response.status_code == status, response.text
        return {**(response.json or {}), "location": response.headers.get("Location")}

    return asked


def ended(graph: Graph, job_id: str) -> dict[str, Any]:
    until(lambda: jobs.get(graph, job_id)["state"] in ("done", "failed", "cancelled"))
    return jobs.get(graph, job_id)


def test_a_plan_is_a_job_and_its_result_the_same_however_it_is_asked_for(
    ask: Ask, client: FlaskClient, graph: Graph
) -> None:
    told = ask({"itemId": "i00", "k": 2, "channel": "mail"}, 202, wait=0)
    assert told["location"] == f"/v1/jobs/{told['jobId']}"
    assert (told["kind"], told["state"]) == ("plan", "queued")
    done = ended(graph, told["jobId"])
    assert (done["state"], done["error"]) == ("done", None)
    headers = {"Authorization": f"Bearer {keys.create(graph, ['read'])}"}
    first, second = (client.get(told["location"], headers=headers).json for _ in range(2))
    assert first is not None and first == second
    CampaignPlan.model_validate(first["result"])
    assert [seed["userId"] for seed in first["result"]["seeds"]] == ["ann", "dan"]
    assert first["result"]["channel"] == "mail"
    assert [point["seeds"] for point in first["result"]["curve"]] == [0, 1, 2]
    now = ask({"itemId": "i00", "k": 2, "channel": "mail"}, 200)
    now.pop("location")
    assert now == first["result"]


def test_money_is_answered_with_its_currency(ask: Ask) -> None:
    cost = {"perUserMinor": 100, "perFriendMinor": 50}
    found = ask({"itemId": "i00", "budgetMinor": 400, "currency": "EUR", "cost": cost}, 200)
    assert (found["costMinor"], found["currency"]) == (400, "EUR")
    assert found["cost"] == {**cost, "attribute": None}


def test_what_cannot_be_planned_is_said(ask: Ask, client: FlaskClient, graph: Graph) -> None:
    assert ask({"itemId": "ghost", "k": 1}, 404)["detail"] == "no item ghost"
    assert ask({"category": "ghosts", "k": 1}, 404)["detail"] == "no item in the category ghosts"
    assert [each["pointer"] for each in ask({"itemId": "i00"}, 422)["errors"]] == ["/k"]
    assert [each["pointer"] for each in ask({"itemId": "i00", "k": 0, "much": 1}, 422)["errors"]] == ["/k", "/much"]
    assert ask({"itemId": "i00", "k": 1, "include": ["ghost"]}, 422)["errors"][0]["pointer"] == "/include"
    assert "horizon" in ask({"itemId": "i00", "k": 1, "horizonHours": 24}, 422)["detail"]
    assert "fay is newer" in ask({"itemId": "i00", "whatIf": ["fay"]}, 422)["detail"]
    ingest = {"Authorization": f"Bearer {keys.create(graph, ['ingest'])}"}
    assert client.post(PLAN, json={"itemId": "i00", "k": 1}, headers=ingest).status_code == 403
    assert client.post(PLAN, json={"itemId": "i00", "k": 1}).status_code == 401


def test_without_a_broker_there_is_no_plan_and_no_job(
    served: tuple[Application, Settings], graph: Graph, tmp_path: Path
) -> None:
    before = len(jobs.list_jobs(graph, kind="plan"))
    made = create_app(beside(served[1], tmp_path, broker_url="redis://127.0.0.1:1/0", signing_key="k" * 32))
    headers = {"Authorization": f"Bearer {keys.create(graph, ['read'])}"}
    response = made.test_client().post(PLAN, json={"itemId": "i00", "k": 1}, headers=headers)
    made.extensions["kith"].close()
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert len(jobs.list_jobs(graph, kind="plan")) == before


def test_only_so_many_plans_wait(ask: Ask, graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.planning.MOST_QUEUED", 1)
    waiting = jobs.create(graph, "plan", {})["jobId"]
    ask({"itemId": "i00", "k": 1}, 503)
    jobs.request_cancel(graph, waiting)
    ask({"itemId": "i00", "k": 1}, 200)


def test_without_a_version_there_is_a_conflict(ask: Ask, cypher: Callable[..., Any]) -> None:
    cypher("MATCH (p:Published) REMOVE p:Published SET p:PutAside")
    try:
        assert "train first" in ask({"itemId": "i00", "k": 1}, 409)["detail"]
    finally:
        cypher("MATCH (p:PutAside) REMOVE p:PutAside SET p:Published")


def token_of(text: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found is not None
    return found[1]


def test_the_console_plans_with_a_form(served: tuple[Application, Settings], graph: Graph) -> None:
    browser = served[0].test_client()
    key = keys.create(graph, ["read"], label="growth")
    login = browser.get("/console/login")
    browser.post("/console/login", data={"csrf": token_of(login.text), "key": key})
    page = browser.get("/console/plan")
    assert page.status_code == 200
    form = {"itemId": "i00", "budget": "4.00", "currency": "EUR", "perUser": "1.00", "perFriend": "0.50"}
    assert browser.post("/console/plan", data=form).status_code == 403
    token = token_of(page.text)
    sent = browser.post("/console/plan", data={**form, "csrf": token})
    assert sent.status_code == 303
    place = sent.headers["Location"]
    assert re.fullmatch(r"/console/plan/[0-9a-f]{32}", place)
    until(lambda: "working" not in browser.get(place).text)
    shown = browser.get(place).text
    assert "ann" in shown and "<svg" in shown and "4.00 EUR" in shown
    wrong = browser.post("/console/plan", data={**form, "itemId": "<b>ghost</b>", "csrf": token})
    assert wrong.status_code == 404
    assert "no item &lt;b&gt;ghost&lt;/b&gt;" in wrong.text and "<b>ghost" not in wrong.text
    missing = browser.post("/console/plan", data={"itemId": "i00", "csrf": token})
    assert (missing.status_code, "how many seeds" in missing.text) == (422, True)
    assert browser.get("/console/plan/ffff").status_code == 404
    training = jobs.create(graph, "train", {})["jobId"]
    assert browser.get(f"/console/plan/{training}").status_code == 404
    jobs.request_cancel(graph, training)


def test_the_command_plans_without_the_api_and_draws(
    served: tuple[Application, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from kith.cli import main

    for name, value in served[1].environment().items():
        monkeypatch.setenv(name, value)
    picture = tmp_path / "plan.png"
    line = ["campaign", "plan", "--item", "i00", "--budget", "400", "--currency", "EUR", "--per-user", "100"]
    assert main([*line, "--per-friend", "50", "--png", str(picture), "--json"]) == 0
    found = orjson.loads(capsys.readouterr().out.splitlines()[-1])
    assert {seed["userId"] for seed in found["seeds"]} == {"ann", "dan"}
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert main(["campaign", "plan", "--item", "i00", "--what-if", "dan, cat"]) == 0
    assert "2 seeds reach 2.5" in capsys.readouterr().out
    assert main([*line, "--png", str(tmp_path / "nowhere" / "plan.png")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert main(["campaign", "plan", "--item", "ghost", "-k", "1"]) == 2
    assert "no item ghost" in capsys.readouterr().err
