"""A growth manager plans a campaign in headless Chromium: the form, the wait, the plan, what is refused, a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from graph import keys
from graph.connection import Graph
from graph.settings import Settings
from tests.browser import chromium
from tests.browser.page import PHONE, Page
from tests.graph import campaign_shop, small_shop
from tests.workers.processes import Server, api_server, process, worker_command

pytestmark = chromium.NEEDED
FIRST_PLAN_S = 150.0
"""The first plan of an installation is compiled."""


@pytest.fixture(scope="module")
def server(
    settings: Settings, graph: Graph, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    small_shop.fill(graph, settings)
    with api_server(settings, broker_url, tmp_path_factory.mktemp("api")) as running:
        campaign_shop.write_folder(running.settings)
        with process(worker_command("plan"), running.settings, running.log.with_name("worker-plan.log")):
            yield running


@pytest.fixture(scope="module")
def page(server: Server, graph: Graph) -> Iterator[Page]:
    with chromium.opened() as driver:
        page = Page(driver, server.port)
        page.log_in(keys.create(graph, ["read"], label="growth"))
        yield page
        errors = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
        assert not [entry for entry in errors if "404" not in entry["message"] and "422" not in entry["message"]]


def ask(page: Page, **given: str) -> None:
    page.open("/console/plan")
    for name, value in given.items():
        page.one(f"[name={name}]").send_keys(value)
    page.one("button.main").click()


def test_a_plan_comes_by_itself_and_says_what_it_knows(page: Page, tmp_path: Path) -> None:
    ask(page, itemId="i00", k="2", channel="mail", budget="4.00", currency="EUR", perUser="1.00", perFriend="0.50")
    page.until(lambda: page.path.startswith("/console/plan/") and page.all("#curve path"), FIRST_PLAN_S)
    page.driver.save_screenshot(str(tmp_path / "plan.png"))
    assert page.one("[role=status]").text == "i00 by mail, model v1"
    known = "Interest in it is assumed: too few shares were acted on to learn it; what the channel adds is not known."
    assert page.one("#known").text == known
    tiles = dict(zip(page.texts(".tiles dt"), page.texts(".tiles dd"), strict=True))
    assert tiles["Cost"].split() == ["4.00", "EUR", "of", "4.00", "EUR"]
    assert tiles["Can be reached"].split() == ["5", "of", "5", "users"]
    assert [row.split("\t")[0] for row in page.texts("section[aria-labelledby=seeds-title] tbody tr")] == ["ann", "dan"]
    assert len(page.all("#curve path")) == 4
    assert page.one("[name=channel]").get_attribute("value") == "mail"


def test_what_is_refused_is_said_above_the_form_as_it_was(page: Page) -> None:
    ask(page, itemId="ghost", k="1")
    page.until(lambda: page.all("[role=alert]"))
    assert "no item ghost" in page.one("[role=alert]").text
    assert page.one("[name=itemId]").get_attribute("value") == "ghost"


def test_a_phone_scrolls_nothing_sideways_and_everything_has_a_name(page: Page, tmp_path: Path) -> None:
    page.driver.set_window_size(*PHONE)
    try:
        ask(page, itemId="i00", k="2")
        page.until(lambda: page.all("#curve path"))
        page.driver.save_screenshot(str(tmp_path / "phone-plan.png"))
        assert page.sideways() <= 0
        assert page.too_small() == []
        assert page.unnamed() == []
    finally:
        page.driver.set_window_size(1400, 1000)
