"""The console in headless Chromium: log in with a key, see cascades grow, on a desk and on a phone."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from graph import cascades, entities, events, keys
from graph.connection import Graph
from graph.server.process import free_ports
from graph.settings import Settings
from tests.browser import chromium
from tests.browser.page import PHONE, Page
from tests.workers.processes import Server, answers, api_command, api_server, beside, process, until

pytestmark = chromium.NEEDED
EVERYTHING = ["personalisation", "sharing", "analytics"]


class Shop:
    """What happens while somebody looks."""

    def __init__(self, graph: Graph, server: Server, key: str) -> None:
        self._graph, self._settings, self._port, self._key = graph, server.settings, server.port, key
        self._count = 0

    def write(self, *told: dict[str, Any]) -> None:
        outcome = events.ingest(self._graph, self._settings, list(told))
        assert outcome.accepted == len(told), outcome.rejected

    def post(self, told: dict[str, Any]) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/v1/events",
            json.dumps(told).encode(),
            {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 202

    def event(self, kind: str, user: str, minutes_ago: float = 0.0, **given: Any) -> dict[str, Any]:
        self._count += 1
        at = (datetime.now(UTC) - timedelta(minutes=minutes_ago)).isoformat()
        return {"eventId": f"e{self._count}", "type": kind, "userId": user, "occurredAt": at, **given}


@pytest.fixture(scope="module")
def server(
    settings: Settings, graph: Graph, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    users = [{"userId": f"user{n}", "consent": EVERYTHING} for n in range(40)]
    entities.upsert_users(graph, settings, users)
    entities.upsert_items(graph, [{"itemId": "lamp", "title": "Lamp <b>&</b> shade"}, {"itemId": "chair"}])
    ended = threading.Event()

    def count() -> None:
        while not ended.wait(0.2):
            cascades.count(graph, settings)

    counting = threading.Thread(target=count)
    with api_server(settings, broker_url, tmp_path_factory.mktemp("api")) as running:
        counting.start()
        yield running
        ended.set()
        counting.join()


@pytest.fixture(scope="module")
def key(graph: Graph) -> str:
    return keys.create(graph, ["read", "ingest"], label="growth")


@pytest.fixture(scope="module")
def shop(graph: Graph, server: Server, key: str) -> Shop:
    made = Shop(graph, server, key)
    root = made.event("share", "user0", 90, itemId="lamp", shareId="s0", channel="mail")
    below = [
        made.event(
            "share",
            f"user{n}",
            90 - 2 * n,
            itemId="lamp",
            shareId=f"s{n}",
            parentShareId=f"s{(n - 1) // 3}",
            channel="app",
        )
        for n in range(1, 30)
    ]
    opens = [made.event("open", f"user{n}", 50, shareId="s0") for n in range(1, 6)]
    sold = made.event("purchase", "user5", 40, itemId="lamp", valueMinor=123456, currency="EUR", shareId="s4")
    other = made.event("share", "user9", 30, itemId="chair", shareId="c0")
    made.write(root, *below, *opens, sold, other)
    return made


@pytest.fixture(scope="module")
def page(server: Server, shop: Shop, key: str) -> Iterator[Page]:
    del shop
    with chromium.opened() as driver:
        page = Page(driver, server.port)
        page.log_in(key)
        yield page
        errors = [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
        assert not [entry for entry in errors if "401" not in entry["message"] and "404" not in entry["message"]]


def test_a_page_leads_through_the_login_back_to_itself(server: Server, shop: Shop, key: str) -> None:
    del shop
    with chromium.opened() as driver:
        page = Page(driver, server.port)
        page.open("/console/cascade/s0?from=mail")
        assert page.path == "/console/login?next=/console/cascade/s0%3Ffrom%3Dmail"
        page.one("#key").send_keys("kith_nothing", Keys.ENTER)
        page.until(lambda: page.all("[role=alert]"))
        assert "unknown, expired or revoked" in page.one("[role=alert]").text
        page.one("#key").send_keys(key, Keys.ENTER)
        page.until(lambda: page.path == "/console/cascade/s0?from=mail")
        (cookie,) = [one for one in driver.get_cookies() if one["name"] == "kith_session"]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert driver.execute_script("return document.cookie") == ""
        page.one("header form button").click()
        page.until(lambda: page.path == "/console/login")
        driver.add_cookie(cookie)
        page.open("/console/cascades")
        assert page.path.startswith("/console/login")


def test_the_list_shows_what_grows_and_grows_itself(page: Page, shop: Shop, tmp_path: Path) -> None:
    page.open("/console/cascades")
    page.live()
    assert page.texts("#rows a") == ["Lamp <b>&</b> shade", "chair"]
    assert "1\u202f234.56 EUR" in page.texts("#rows tr")[0]
    page.driver.save_screenshot(str(tmp_path / "cascades.png"))
    shop.post(shop.event("share", "user10", itemId="chair", shareId="c1", parentShareId="c0"))
    page.until(lambda: page.texts("#rows tr td:nth-of-type(2)") == ["30", "2"])
    page.one("[name=itemId]").send_keys("chair", Keys.ENTER)
    page.until(lambda: len(page.all("#rows tr")) == 1)
    page.live()
    assert page.texts("#rows a") == ["chair"]


def test_a_tree_is_drawn_and_grows(page: Page, shop: Shop, tmp_path: Path) -> None:
    page.open("/console/cascade/s7")
    page.live()
    page.until(lambda: len(page.all("#tree .share")) == 30)
    assert page.one("h1").text == "Lamp <b>&</b> shade"
    told = {name: page.number(name) for name in ("cascadeSize", "uniqueUsers", "cascadeDepth", "opens", "conversions")}
    assert told == {"cascadeSize": "30", "uniqueUsers": "30", "cascadeDepth": "3", "opens": "5", "conversions": "1"}
    assert page.number("revenue") == "1\u202f234.56 EUR"
    assert len([one for one in page.all("#tree .link") if one.get_attribute("d")]) == 29
    began = time.monotonic()
    shop.post(shop.event("share", "user35", itemId="lamp", shareId="s35", parentShareId="s29", channel="app"))
    page.until(lambda: page.number("cascadeSize") == "31" and len(page.all("#tree .share")) == 31)
    assert time.monotonic() - began < 5
    assert page.number("cascadeDepth") == "4"
    page.driver.execute_script(
        "document.querySelector('[data-share=s35]').dispatchEvent(new Event('click', {bubbles: true}))"
    )
    assert page.one("#chosen").text.startswith("user35 ← user29 ← user9 ← user2 ← user0 · by app")
    assert len(page.all("#tree .share.way")) == 5
    assert page.one("#newest tr").text.startswith("user35 user29 ")
    time.sleep(1)
    page.driver.save_screenshot(str(tmp_path / "cascade.png"))


def test_a_page_goes_on_after_a_restart_of_the_server(
    settings: Settings, broker_url: str, shop: Shop, key: str, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    chosen = beside(settings, tmp_path, broker_url=broker_url, signing_key="k" * 40)

    def serving() -> AbstractContextManager[object]:
        return process(api_command(port), chosen, tmp_path / "api.log")

    with chromium.opened() as driver:
        page = Page(driver, port)
        with serving():
            until(lambda: answers(f"http://127.0.0.1:{port}/ready"))
            page.log_in(key)
            page.open("/console/cascade/c0")
            page.live()
            page.until(lambda: page.all("#tree .share"))
            before = int(page.number("cascadeSize"))
        page.until(lambda: "trying again" in page.one("#state").text)
        shop.write(shop.event("share", "user20", itemId="chair", shareId="c20", parentShareId="c0"))
        with serving():
            page.live()
            page.until(lambda: page.number("cascadeSize") == str(before + 1))


def test_a_phone_scrolls_nothing_sideways(page: Page, tmp_path: Path) -> None:
    page.driver.set_window_size(*PHONE)
    try:
        for path, name in (("/console/cascades", "cascades"), ("/console/cascade/s0", "cascade")):
            page.open(path)
            page.live()
            page.driver.save_screenshot(str(tmp_path / f"phone-{name}.png"))
            assert page.sideways() <= 0, path
            assert page.too_small() == []
    finally:
        page.driver.set_window_size(1400, 1000)


def test_everything_has_a_name_and_the_keyboard_reaches_it(page: Page) -> None:
    for path in ("/console/cascades", "/console/cascade/s0"):
        page.open(path)
        page.live()
        assert page.unnamed() == []
        assert page.driver.execute_script("return document.documentElement.lang") == "en"
        assert len(page.all("h1")) == 1
        page.driver.execute_script("document.activeElement.blur()")
        page.one("body").send_keys(Keys.TAB)
        assert page.driver.switch_to.active_element.text == "To the content"


def test_a_page_that_is_not_there_is_a_page(page: Page) -> None:
    for path in ("/console/cascade/nothing", "/console/nothing"):
        page.open(path)
        assert page.one("h1").text == "Not Found"
