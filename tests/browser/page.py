"""A page of the console in a browser, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE_S = 15.0
PHONE = (390, 844)


class Page:
    """A browser at the console."""

    def __init__(self, driver: webdriver.Chrome, port: int) -> None:
        self.driver, self._base = driver, f"http://127.0.0.1:{port}"

    def open(self, path: str) -> None:
        self.driver.get(self._base + path)

    @property
    def path(self) -> str:
        return self.driver.current_url.removeprefix(self._base)

    def log_in(self, key: str) -> None:
        self.open("/console/login")
        self.one("#key").send_keys(key, Keys.ENTER)
        self.until(lambda: self.path == "/console/cascades")

    def one(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """What these elements say, read at one moment: the page's script may replace them at any time."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(one => one.innerText)", selector
        )

    def number(self, name: str) -> str:
        return self.one(f"[data-number={name}]").text

    def until(self, condition: Callable[[], object], limit_s: float = PATIENCE_S) -> None:
        """Wait until the condition holds; what the page's script replaces while it looks is looked at again."""
        replaced = [StaleElementReferenceException, IndexError]
        patience = WebDriverWait(self.driver, limit_s, poll_frequency=0.05, ignored_exceptions=replaced)
        patience.until(lambda _: condition())

    def live(self) -> None:
        self.until(lambda: self.one("#state").text == "Live")

    def sideways(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return self.driver.execute_script("return document.documentElement.scrollWidth - innerWidth")

    def too_small(self) -> list[str]:
        """Return what a finger would miss."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll('button, input:not([type=hidden]):not([type=checkbox])')]"
            ".filter(one => one.offsetParent && one.offsetHeight < 44).map(one => one.outerHTML)"
        )

    def unnamed(self) -> list[str]:
        """Return what a screen reader has no name for."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll('input:not([type=hidden]), button, a, svg, [role=region]')]"
            ".filter(one => !(one.labels?.length || one.textContent.trim() || one.getAttribute('aria-label')"
            " || one.getAttribute('aria-labelledby'))).map(one => one.outerHTML)"
        )
