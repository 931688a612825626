"""Neo4j Browser 5.24 in headless Chromium: log in, drop files, run a text, see what the newest frame shows."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import chromium

PATIENCE_S = 30.0

DROP = """
const [name, content] = arguments;
const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
const files = new DataTransfer();
files.items.add(new File([bytes], name));
const area = document.querySelector('.filedrop');
for (const kind of ['dragenter', 'dragover', 'drop'])
  area.dispatchEvent(new DragEvent(kind, {dataTransfer: files, bubbles: true, cancelable: true}));
"""
"""What the page sees when a person drops one file on it."""

FRAME = "[data-testid=frame]"


class Neo4jBrowser:
    """A tab with Neo4j Browser; every step waits for what it needs, at most `PATIENCE_S`."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def log_in(self, http_port: int, user: str, password: str) -> None:
        """Open the page of a local Neo4j and fill its form, which knows no default user name."""
        self.driver.get(f"http://127.0.0.1:{http_port}/browser/")
        for field, text in (("username", user), ("password", password)):
            box = self._shown(f"[data-testid={field}]")
            box.send_keys(Keys.CONTROL, "a")
            box.send_keys(text)
        self._shown("[data-testid=connect]").click()
        # Once connected, the page runs `:play start` by itself; a query before that finds no connection.
        self.until(lambda: ":play start" in self.commands(), "the login is accepted")

    def drop(self, name: str, content: bytes) -> None:
        """Drop a file on the page."""
        self.driver.execute_script(DROP, name, base64.b64encode(content).decode())

    def run(self, text: str) -> None:
        """Paste a text into the editor and run it; its frame is the newest."""
        before = len(self._all(FRAME))
        self._shown("[data-testid=activeEditor] .monaco-editor").click()
        self.driver.execute_cdp_cmd("Input.insertText", {"text": text})
        self.driver.switch_to.active_element.send_keys(Keys.CONTROL, Keys.ENTER)
        self.until(lambda: len(self._all(FRAME)) > before, "a frame opens")

    def commands(self) -> list[str]:
        """Return what was run, newest first."""
        return [frame.text for frame in self._all("[data-testid=frameCommand]")]

    def open_favourites(self, folder: str) -> None:
        """Open the drawer of favourites and a folder in it."""
        self._shown("[data-testid=navigationFavorites]").click()
        self._shown(f"[data-testid='expandFolder-{folder}']").click()

    def favourites(self) -> list[str]:
        """Return the names of the favourites that the drawer shows."""
        return [entry.text for entry in self._all("[data-testid=savedScriptListItem]")]

    def drawn_nodes(self) -> list[str]:
        """Return the captions of the nodes in the newest frame."""
        return [" ".join(node.text.split()) for node in self._newest("svg g.node")]

    def drawn_colours(self) -> list[str]:
        """Return the fill of the nodes in the newest frame, lower case."""
        return [str(ring.get_attribute("fill")).lower() for ring in self._newest("svg g.node circle.b-outline")]

    def drawn_relationships(self) -> list[str]:
        """Return the captions of the relationships in the newest frame."""
        return [tie.text for tie in self._newest("svg g.relationship text")]

    def table_columns(self) -> list[str]:
        """Return the headings of the table in the newest frame."""
        return [heading.text for heading in self._newest("table thead th") if heading.text]

    def frame_text(self) -> str:
        """Return the text of the newest frame."""
        return self._all(FRAME)[0].text

    def save_screenshot(self, file: Path) -> None:
        """Save what the tab shows as a PNG."""
        self.driver.save_screenshot(str(file))

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until the condition holds; what is replaced while it looks is looked at again."""
        patience = WebDriverWait(
            self.driver, PATIENCE_S, poll_frequency=0.1, ignored_exceptions=[StaleElementReferenceException, IndexError]
        )
        patience.until(lambda _: condition(), f"not within {PATIENCE_S:g} s: {what}")

    def _all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def _newest(self, selector: str) -> list[WebElement]:
        return self._all(FRAME)[0].find_elements(By.CSS_SELECTOR, selector)

    def _shown(self, selector: str) -> WebElement:
        self.until(lambda: any(one.is_displayed() for one in self._all(selector)), f"{selector} is shown")
        return next(one for one in self._all(selector) if one.is_displayed())


@contextmanager
def opened() -> Iterator[Neo4jBrowser]:
    """Open a tab for the length of a `with` block."""
    with chromium.opened() as driver:
        yield Neo4jBrowser(driver)
